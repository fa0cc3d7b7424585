package lifecycle

import (
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/service"
)

// mainEnded says what becomes of a service whose main process has ended.
func (a *activity) mainEnded(s syscall.WaitStatus) {
	a.r.loop.forget(a.main.alien)
	a.r.guardian.forget(a.main.pid)
	a.main.pid, a.main.alien, a.main.known = 0, nil, true
	a.ended, a.hasEnded = s, true
	f := resultOf(s, a.s.Type != service.Oneshot, &a.s.SuccessExit)
	if len(a.mains) > 0 && a.mains[0].Flags&service.IgnoreFailure != 0 {
		f = success
	}
	if f == bySignal && s.Signal() == unix.SIGKILL && a.s.OOMPolicy != "continue" && a.outOfMemory() {
		f = oomKill
	}
	a.tell("Main process", s, f)
	if len(a.mains) > 1 && f == success {
		a.mains = a.mains[1:]
		a.nextMain()
		return
	}
	a.mains = nil
	switch a.state {
	case startPost, reload, reloadSignal, reloadNotify, reloadPost:
		if !a.control.alive() {
			a.stop(f)
		}
	case start:
		switch {
		case a.s.Type == service.Oneshot && f == success:
			a.startPost()
		case f != success || a.s.Type == service.Oneshot || a.s.Type == service.TypeExec:
			a.kill(stopTerm, f)
		case a.s.Type == service.Notify || a.s.Type == service.NotifyReload:
			// With others that may notify, one of them may still say that it is ready.
			if !a.s.RemainAfterExit || a.s.NotifyAccess == service.AccessMain {
				a.kill(stopTerm, protocol)
			}
		case !a.control.alive():
			a.run(f)
		}
	case running:
		a.run(f)
	case stopWatchdog, stopTerm, stopKill:
		if !a.control.alive() {
			a.stopPost(f)
		}
	case finalWatchdog, finalTerm, finalKill:
		if !a.control.alive() {
			a.die(f, true)
		}
	}
}

// tell writes how a process has ended and notes it in the result.
func (a *activity) tell(what string, s syscall.WaitStatus, f result) {
	level := term.Debug
	switch {
	case f == success || f == skipped:
	case s.Exited():
		level = term.Notice
	default:
		level = term.Warning
	}
	a.say(level, ended(what, s, f == success))
	if a.result == success && f != success && !(what == "Control process" && (a.state == reload || a.state == reloadPost)) {
		a.result, a.failing, a.hasFailed = f, s, true
	}
}

// controlEnded says what comes after a control command.
func (a *activity) controlEnded(s syscall.WaitStatus) {
	a.control = process{}
	f := resultOf(s, false, nil)
	if a.state == condition && s.Exited() && s.ExitStatus() > 0 && s.ExitStatus() < 255 {
		f = skipped
	}
	if len(a.queue) > 0 && a.queue[0].Flags&service.IgnoreFailure != 0 {
		f = success
	}
	a.tell(what(a.state), s, f)
	if len(a.queue) > 1 && f == success {
		a.queue = a.queue[1:]
		a.nextCommand()
		return
	}
	a.queue = nil
	switch a.state {
	case condition, startPre, start, startPost, reload, reloadPost, stop:
		then := a.after
		a.after = nil
		then(f)
	case stopWatchdog, stopTerm, stopKill:
		if !a.main.alive() {
			a.stopPost(f)
		}
	case stopPost:
		a.kill(finalTerm, f)
	case finalWatchdog, finalTerm, finalKill:
		if !a.main.alive() {
			a.die(f, true)
		}
	}
}

func what(s state) string {
	if s == condition {
		return "Condition check process"
	}
	return "Control process"
}

// emptied says what comes when no process is left.
func (a *activity) emptied() {
	if a.main.alive() || a.control.alive() {
		return
	}
	switch a.state {
	case start, startPost:
		switch {
		case a.pidFile != nil:
			a.say(term.Warning, "Daemon never wrote its PID file. Failing.")
			if a.state == start {
				a.stopPost(protocol)
			} else {
				a.stop(protocol)
			}
		case a.state == start && (a.s.Type == service.Notify || a.s.Type == service.NotifyReload) && a.main.known:
			a.stopPost(protocol)
		}
	case running:
		a.run(success)
	case stopWatchdog, stopTerm, stopKill:
		a.stopPost(success)
	case stopPost, finalWatchdog, finalTerm, finalKill:
		a.die(success, true)
	}
}
