package lifecycle

import (
	"errors"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// An activity is what becomes of one service: the state it is in, its processes, how it fared.
type activity struct {
	r *run
	s *service.Service

	state        state
	result       result
	reloadResult result
	room         Room
	broken       *launch.Error // why there is no room
	invocation   string

	main    process
	control process
	first   int               // the PID of ExecStart= of Type=forking, of which the daemon is a descendant
	mains   []service.Command // ExecStart= that is run, and what comes after it
	queue   []service.Command // the same of the control commands
	after   func(result)      // what comes when the last of these has ended

	timer    *timer
	deadline time.Time // of timer
	begun    time.Time // when the state was entered
	alive    *timer    // WatchdogSec=
	idle     *timer    // Type=idle: others are being started
	patience time.Duration
	runtime  *timer // RuntimeMaxSec=

	group     *cgroup.Group
	oomKills  uint64 // in it
	name      *busName
	ended     syscall.WaitStatus // of the main process
	hasEnded  bool
	failing   syscall.WaitStatus // of the process that gave result
	hasFailed bool

	restarts  int
	forbidden bool // to restart: it is to be stopped
	starts    []time.Time
	again     bool // a reload was asked for while there is one

	notify  *notifier
	told    notifyState
	status  string
	store   []stored
	listens []*listener // the sockets it was started by
	accept  *connection
	pidFile *watch
	monitor []string // MONITOR_*, of a service that is started for how another has ended
	job     bool     // a start that has not come to its end
	opened  bool     // it was said that it starts
	reached func(ok bool)
}

// A process of a service that is watched.
type process struct {
	pid   int
	known bool   // what is the main process is known, though it may have ended
	alien *watch // it is no child of ours
}

func (p process) alive() bool { return p.pid != 0 }

// say says something about the service.
func (a *activity) say(level term.Level, text string) {
	a.r.say(level, a.s.Name, text)
}

// announce says what the manager says of a job.
func (a *activity) announce(level term.Level, text string) { a.r.announce(level, a.s.Name, text) }

// enter is where the service comes into a state.
func (a *activity) enter(s state) {
	a.move(s)
	a.open()
	a.r.changed(a)
}

// open says that the service starts, when it does.
func (a *activity) open() {
	if a.state.starting() && a.job && !a.opened {
		a.opened = true
		a.announce(term.Info, "Starting "+title(a.s)+"...")
	}
}

// move is enter, but for what is said of a start.
func (a *activity) move(s state) {
	a.state, a.begun = s, time.Now()
	if s != start {
		a.r.loop.stop(a.idle)
		a.idle = nil
	}
	if s != running {
		a.r.loop.stop(a.runtime)
		a.runtime = nil
	}
	if !s.starting() && s != running && s != exited && !(s >= reload && s <= reloadPost) {
		a.unwatch()
	}
	if s != start && s != startPost {
		a.r.loop.forget(a.pidFile)
		a.pidFile = nil
	}
	if s.active() && a.job {
		a.up()
	}
}

// expect sets how long the state may last.
func (a *activity) expect(d time.Duration) {
	a.r.loop.stop(a.timer)
	a.timer, a.deadline = nil, time.Time{}
	if d < service.Forever {
		a.deadline = time.Now().Add(d)
	}
	a.timer = a.r.loop.after(d, a.expired)
}

func (a *activity) calm() {
	a.r.loop.stop(a.timer)
	a.timer = nil
}

// begin starts the service.
func (a *activity) begin() {
	a.result, a.reloadResult = success, success
	a.forbidden, a.told, a.hasEnded, a.hasFailed, a.again = false, unheard, false, false, false
	a.main, a.control, a.first = process{}, process{}, 0
	a.job, a.opened = true, false
	if !a.mayStart() {
		a.say(term.Warning, "Start request repeated too quickly.")
		a.die(startLimitHit, false)
		return
	}
	if !a.conditions() {
		return
	}
	a.invocation = newInvocation()
	a.r.guardian.expect(a.invocation, a.s.KillMode)
	var err error
	if a.broken, err = a.openRoom(); err != nil {
		a.say(term.Warning, "Failed to prepare: "+err.Error())
		a.die(resources, true)
		return
	}
	a.before(condition, a.s.Condition, a.startPre)
}

// before runs commands that come before the start, and then goes on.
func (a *activity) before(s state, l []service.Command, next func()) {
	if len(l) == 0 {
		next()
		return
	}
	a.commands(s, l, a.s.TimeoutStart, func(f result) {
		if f != success {
			a.kill(stopTerm, f)
			return
		}
		next()
	})
}

// openRoom prepares the surroundings of the commands, or says why each of them is to fail.
func (a *activity) openRoom() (*launch.Error, error) {
	if err := a.listen(); err != nil {
		return nil, err
	}
	room, err := a.r.c.Open(a.s, a.invocation)
	if e, ok := errors.AsType[*launch.Error](err); ok {
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	a.room = room
	return nil, nil
}

// mayStart counts starts, StartLimitIntervalSec= and StartLimitBurst=.
func (a *activity) mayStart() bool {
	if a.s.StartLimitInterval <= 0 || a.s.StartLimitBurst == 0 {
		return true
	}
	now := time.Now()
	if len(a.starts) > 0 && now.Sub(a.starts[0]) >= a.s.StartLimitInterval {
		a.starts = nil
	}
	if uint(len(a.starts)) >= a.s.StartLimitBurst {
		return false
	}
	a.starts = append(a.starts, now)
	return true
}

// idleTimeout is how long a service of Type=idle waits for others.
const idleTimeout = 5 * time.Second

func (a *activity) startPre() { a.before(startPre, a.s.StartPre, a.startMain) }

// commands runs control commands one after the other in a state; then says what becomes of it.
func (a *activity) commands(s state, l []service.Command, limit time.Duration, then func(result)) {
	a.queue, a.after = l, then
	a.expect(limit)
	a.move(s)
	if a.nextCommand() {
		a.open()
	}
}

// nextCommand starts the next control command, unless it cannot be tried.
func (a *activity) nextCommand() bool {
	p, err := a.spawn(a.queue[0], false)
	if err != nil && a.untried(a.state.String(), err) {
		a.r.loop.later(func() {
			a.queue = nil
			if a.state == condition || a.state == startPre {
				a.die(resources, true)
				return
			}
			a.after(resources)
		})
		return false
	}
	if err != nil {
		a.control = process{pid: a.r.refuse(a.s.Name, err)}
		return true
	}
	a.control = process{pid: p.PID}
	return true
}

func (a *activity) startMain() {
	a.told = unheard
	if len(a.s.Start) == 0 { // a oneshot that only stops something
		a.startPost()
		return
	}
	if a.s.Type == service.Idle && a.state != start && a.r.starting(a) {
		a.move(start)
		a.idle = a.r.loop.after(idleTimeout, a.startMain)
		return
	}
	limit, kind := a.s.TimeoutStart, a.s.Type
	if kind == service.Simple || kind == service.Idle {
		limit = service.Forever
		if len(a.s.LoadCredentials)+len(a.s.SetCredentials)+len(a.s.ImportCredentials) > 0 {
			kind = service.TypeExec // it has not started until it has them
		}
	}
	if a.s.Type == service.Forking {
		a.commands(start, a.s.Start[:1], limit, a.forked)
		a.first = a.control.pid
		return
	}
	a.expect(limit)
	a.mains = a.s.Start
	if kind != service.Simple && kind != service.Idle {
		a.move(start)
	}
	if !a.nextMain() {
		return
	}
	a.open()
	switch kind {
	case service.Simple, service.Idle:
		a.startPost()
	case service.TypeExec: // that the program is executed is known when launch has started it
		if a.main.pid > 0 {
			a.startPost()
		}
	case service.DBus:
		a.awaitName()
	}
}

// nextMain starts the next main process, unless the service ends for it cannot be tried.
func (a *activity) nextMain() bool {
	p, err := a.spawn(a.mains[0], true)
	if err != nil && a.untried(start.String(), err) {
		a.mains = nil
		a.kill(stopTerm, resources)
		return false
	}
	if err != nil {
		a.main = process{pid: a.r.refuse(a.s.Name, err), known: true}
		return true
	}
	a.main = process{pid: p.PID, known: true}
	return true
}

// forked is what comes after the process that has started a daemon has ended.
func (a *activity) forked(f result) {
	if f != success {
		a.kill(stopTerm, f)
		return
	}
	if a.s.PIDFile != "" {
		if err := a.readPIDFile(); err != nil && !a.main.known {
			a.say(term.Notice, err.Error())
			if len(a.r.processes(a)) == 0 {
				a.kill(stopTerm, protocol)
				return
			}
			a.awaitPIDFile()
			return
		}
	} else {
		a.guess()
	}
	a.startPost()
}

func (a *activity) startPost() {
	a.watch()
	if len(a.s.StartPost) > 0 {
		a.commands(startPost, a.s.StartPost, a.s.TimeoutStart, func(f result) {
			if f != success {
				a.kill(stopTerm, f)
				return
			}
			if a.s.PIDFile != "" {
				if err := a.readPIDFile(); err != nil && !a.main.known {
					a.say(term.Notice, err.Error())
					a.awaitPIDFile()
					return
				}
			} else {
				a.guess()
			}
			a.run(success)
		})
		return
	}
	a.run(success)
}

// run enters the state that the service is to be in, unless there is a reason to leave it at once.
func (a *activity) run(f result) {
	a.fail(f)
	a.calm()
	a.control = process{}
	switch {
	case a.result != success:
		a.kill(stopTerm, f)
	case a.good():
		switch a.told {
		case reloading:
			a.notifiedReload()
			return
		case stopping:
			a.notifiedStop()
			return
		}
		a.enter(running)
		if a.s.RuntimeMax < service.Forever && a.runtime == nil && a.s.RuntimeMax > 0 {
			limit := a.s.RuntimeMax
			if a.s.RuntimeRandomized > 0 {
				limit += randomly(a.s.RuntimeRandomized)
			}
			a.runtime = a.r.loop.after(limit, func() {
				a.say(term.Warning, "Service reached runtime time limit. Stopping.")
				a.stop(timedOut)
			})
		}
	case a.s.RemainAfterExit:
		a.enter(exited)
	default:
		a.stop(success)
	}
}

// up ends the start: the service is up, or was.
func (a *activity) up() {
	text := "Started "
	if a.s.Type == service.Oneshot {
		text = "Finished "
	}
	a.announce(term.Info, text+title(a.s)+".")
	a.started(true)
}

// started tells who waits for it what has become of the start.
func (a *activity) started(ok bool) {
	a.job = false
	if f := a.reached; f != nil {
		a.reached = nil
		a.r.loop.later(func() { f(ok) })
	}
}

// good tells whether the service runs.
func (a *activity) good() bool {
	if a.s.Type == service.DBus && !a.ownsName() {
		return false
	}
	if a.main.known && (a.main.alive() || !a.s.ExitTypeCgroup) {
		return a.main.alive()
	}
	return len(a.r.processes(a)) > 0
}

// fail notes the first thing that went wrong.
func (a *activity) fail(f result) {
	if a.result == success {
		a.result = f
	}
}

// stop runs ExecStop= and then ends what is left.
func (a *activity) stop(f result) {
	a.fail(f)
	if len(a.s.Stop) > 0 {
		a.commands(stop, a.s.Stop, a.s.TimeoutStop, func(f result) { a.kill(stopTerm, f) })
		return
	}
	a.kill(stopTerm, success)
}

func (a *activity) stopPost(f result) {
	a.fail(f)
	if len(a.s.StopPost) > 0 && (a.room != nil || a.broken != nil) {
		a.commands(stopPost, a.s.StopPost, a.s.TimeoutStop, func(f result) { a.kill(finalTerm, f) })
		return
	}
	a.kill(finalTerm, success)
}

// die is the end, or the time until the next start.
func (a *activity) die(f result, mayRestart bool) {
	if a.r.ending && a.result == success && f == timedOut {
		f = success // we have killed it ourselves
	}
	a.fail(f)
	a.calm()
	a.control, a.main.pid = process{}, 0
	a.r.loop.forget(a.main.alien)
	a.r.loop.forget(a.pidFile)
	restart := mayRestart && a.shallRestart()
	switch a.result {
	case success:
		a.say(term.Info, "Deactivated successfully.")
	case skipped:
		a.say(term.Info, "Skipped due to '"+string(a.result)+"'.")
	default:
		a.say(term.Warning, "Failed with result '"+string(a.result)+"'.")
	}
	a.closeRoom(restart)
	if a.job && !(restart && a.s.RestartMode == "direct") {
		switch a.result {
		case success:
			a.up()
		case skipped:
			a.announce(term.Info, "Condition check resulted in "+title(a.s)+" being skipped.")
			a.started(true)
		default:
			a.announce(term.Err, "Failed to start "+title(a.s)+".")
			a.started(false)
		}
	}
	if restart {
		a.awaitRestart()
		return
	}
	if a.s.PIDFile != "" {
		_ = a.r.within(func() error { return unix.Unlink(a.s.PIDFile) })
	}
	if a.forbidden {
		a.announce(term.Info, "Stopped "+title(a.s)+".")
	}
	final := dead
	if a.result != success && a.result != skipped {
		final = failed
	}
	a.enter(final)
}

func (a *activity) closeRoom(restarting bool) {
	if !restarting {
		a.dropStore()
	}
	a.accept.close()
	a.accept = nil
	if a.room == nil {
		return
	}
	if err := a.room.Close(restarting); err != nil {
		a.say(term.Warning, err.Error())
	}
	a.room = nil
}

// title is how the manager names a service to people.
func title(s *service.Service) string { return unitTitle(&s.Unit) }

func unitTitle(u *service.Unit) string {
	if u.Description == "" || u.Description == u.Name {
		return u.Name
	}
	return u.Name + " - " + u.Description
}

// span writes a time span as the manager does in messages.
func span(d time.Duration) string { return clock.Span(uint64(d/time.Microsecond), 1) }

func decimal(n int) string { return strconv.Itoa(n) }
