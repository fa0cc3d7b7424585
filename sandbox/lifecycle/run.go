package lifecycle

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/cgroup"
)

// A run is one Run.
type run struct {
	c          *Config
	loop       *loop
	guardian   *guardian
	pid        int
	members    []*member
	activities []*activity
	owners     map[int]*activity // whose a process is, or was, for its session
	alone      bool              // none of our children or their descendants lives
	refused    int               // what stands for the PID of the last process that could not be started
	sockets    int
	ending     bool
	asked      int // how often the end was asked for
	main       []*member
	home       *cgroup.Home
	looked     bool // for it
	shared     bool // there are, or may be, several services at a time
}

// Run starts units and returns when those of Main have ended, or when SIGTERM or SIGINT has had them stopped. All that they have started is
// dead by then.
func Run(c *Config, set *Set) (Outcome, error) {
	if len(set.Services)+len(set.Sockets) == 0 {
		return Outcome{}, ErrNothing
	}
	// What a service leaves becomes our child, whose end we are told of.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return Outcome{}, os.NewSyscallError("prctl", err)
	}
	l, err := newLoop(c.Signals)
	if err != nil {
		return Outcome{}, err
	}
	defer l.close()
	r := &run{c: c, loop: l, pid: os.Getpid(), owners: make(map[int]*activity), guardian: guard(c.Runtime)}
	defer r.guardian.dismiss()
	if err := r.join(set); err != nil {
		return Outcome{}, err
	}
	r.dispatch()
	c.Signals.Wait()
	for !r.finished() {
		if err := l.turn(r.signalled); err != nil {
			r.abandon()
			return Outcome{}, err
		}
	}
	r.abandon()
	r.guardian.release()
	if c.End != nil {
		c.End()
	}
	return r.outcome(), nil
}

// say says something of a unit.
func (r *run) say(level term.Level, unit, text string) { r.announce(level, unit, unit+": "+text) }

// announce says what has the unit's name in it.
func (r *run) announce(level term.Level, unit, text string) {
	if r.c.Say != nil {
		r.c.Say(Message{level, unit, text})
	}
}

// signalled does what a signal asks of us.
func (r *run) signalled(s os.Signal) {
	switch s {
	case unix.SIGCHLD:
		r.reap()
		r.settle()
	case unix.SIGTERM, unix.SIGINT:
		r.asked++
		r.end(r.asked > 1)
	case unix.SIGHUP:
		for _, m := range r.main {
			if m.a != nil {
				m.a.reloadNow()
			}
		}
	default: // the first process of a container passes on what is meant for the service
		for _, m := range r.main {
			if m.a != nil && m.a.main.pid > 0 {
				_ = unix.Kill(m.a.main.pid, s.(syscall.Signal))
			}
		}
	}
}

// reap takes the children that have ended.
func (r *run) reap() {
	type end struct {
		pid    int
		status syscall.WaitStatus
	}
	var l []end
	r.alone = reaped(func(pid int, s syscall.WaitStatus) { l = append(l, end{pid, s}) })
	for _, e := range l {
		r.childEnded(e.pid, e.status)
	}
}

func (r *run) childEnded(pid int, s syscall.WaitStatus) {
	r.guardian.forget(pid)
	for _, m := range r.members {
		if m.s != nil && m.s.run.pid == pid {
			m.s.commandEnded(s)
			return
		}
	}
	for _, a := range r.activities {
		switch pid {
		case a.main.pid:
			a.mainEnded(s)
			return
		case a.control.pid:
			a.controlEnded(s)
			return
		}
	}
}

// settle looks which services have no process any more that should have one, or are to have none.
func (r *run) settle() {
	for _, a := range r.activities {
		if a.main.alive() || a.control.alive() || len(a.queue) > 0 {
			continue
		}
		waits := a.state.stopping() && a.state != stop || a.pidFile != nil || a.state == running && (!a.main.known || a.s.ExitTypeCgroup) || a.state == start
		if waits && len(r.processes(a)) == 0 {
			a.emptied()
		}
	}
}

// abandon ends what is left of our services when we end.
func (r *run) abandon() {
	for _, m := range r.members {
		if m.a != nil {
			if m.a.s.KillMode != "none" && m.a.s.KillMode != "process" {
				r.each(m.a, true, func(pid int) { _ = unix.Kill(pid, unix.SIGKILL) })
			}
			m.a.closeRoom(false)
			m.a.closeNotify()
			m.a.group.Remove()
		}
		if m.s != nil {
			m.s.signal(unix.SIGKILL)
			m.s.close()
			m.s.closeRoom()
		}
	}
	r.home.Close()
	r.reap()
}

func (r *run) outcome() Outcome {
	for _, m := range r.main {
		if !m.ok {
			if m.a != nil {
				return Outcome{m.a.exitStatus()}
			}
			return Outcome{1}
		}
		if m.a != nil && m.a.state == failed {
			return Outcome{m.a.exitStatus()}
		}
		if m.s != nil && m.s.failed {
			return Outcome{1}
		}
	}
	return Outcome{}
}

// exitStatus is what to exit with for a service that failed.
func (a *activity) exitStatus() int {
	s := a.failing
	if !a.hasFailed {
		if s = a.ended; !a.hasEnded {
			return 1
		}
	}
	switch {
	case s.Signaled():
		return 128 + int(s.Signal())
	case s.ExitStatus() != 0:
		return s.ExitStatus()
	}
	return 1
}

// errConflict is two units that are to run and cannot both.
var errConflict = errors.New("Transaction contains conflicting jobs")
