package lifecycle

import (
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// socketCommands are those of a socket unit, ExecStartPre= and its kin, one after the other.
type socketCommands struct {
	room  Room
	pid   int // of the one that runs
	queue []service.Command
	then  func(result)
	timer *timer
	late  bool // its time is over
}

// commands runs commands and then goes on.
func (u *socketUnit) commands(l []service.Command, then func(result)) {
	if len(l) == 0 {
		then(success)
		return
	}
	u.run.queue, u.run.then, u.run.late = l, then, false
	u.run.timer = u.r.loop.after(u.s.Timeout, func() {
		u.run.timer, u.run.late = nil, true
		u.signal(unix.SIGKILL)
	})
	u.nextCommand()
}

func (u *socketUnit) nextCommand() {
	var err error
	if u.run.room == nil {
		u.run.room, err = u.r.c.Open(&service.Service{Unit: u.s.Unit, Exec: u.s.Exec}, newInvocation())
	}
	if err == nil {
		var p *launch.Process
		if p, err = u.run.room.Start(launch.Request{Command: u.run.queue[0], Control: true, Before: u.r.c.Signals.Wait}); err == nil {
			u.run.pid = p.PID
			if p.FD != nil {
				p.FD.Close()
			}
			u.r.alone = false
			u.r.guardian.watch(p.PID, "process")
			return
		}
	}
	u.run.pid = u.r.refuse(u.s.Name, err)
}

// signal sends a signal to the command that runs.
func (u *socketUnit) signal(s syscall.Signal) {
	if u.run.pid > 0 {
		_ = unix.Kill(u.run.pid, s)
	}
}

// commandEnded goes on after a command.
func (u *socketUnit) commandEnded(s syscall.WaitStatus) {
	u.run.pid = 0
	f := resultOf(s, false, nil)
	if u.run.queue[0].Flags&service.IgnoreFailure != 0 {
		f = success
	}
	if f != success {
		level := term.Notice
		if !s.Exited() {
			level = term.Warning
		}
		u.r.say(level, u.s.Name, ended("Control process", s, false))
	}
	if u.run.late {
		f = timedOut
	}
	if u.run.queue = u.run.queue[1:]; f == success && len(u.run.queue) > 0 {
		u.nextCommand()
		return
	}
	u.r.loop.stop(u.run.timer)
	u.run.queue = nil
	u.run.then(f)
}

// closeRoom ends the surroundings of the commands.
func (u *socketUnit) closeRoom() {
	if u.run.room == nil {
		return
	}
	if err := u.run.room.Close(false); err != nil {
		u.r.say(term.Warning, u.s.Name, err.Error())
	}
	u.run.room = nil
}
