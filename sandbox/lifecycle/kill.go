package lifecycle

import (
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/service"
)

// kill sends the signal of a state to what is left, and waits for its end if there is any.
func (a *activity) kill(s state, f result) {
	a.fail(f)
	if a.signalAll(s) {
		limit := a.s.TimeoutStop
		if s == stopWatchdog || s == finalWatchdog {
			limit = a.s.TimeoutAbort
		}
		a.expect(limit)
		a.enter(s)
		return
	}
	switch {
	case (s == stopTerm || s == stopWatchdog) && a.s.SendSIGKILL:
		a.kill(stopKill, success)
	case s == stopTerm || s == stopWatchdog || s == stopKill:
		a.stopPost(success)
	case (s == finalTerm || s == finalWatchdog) && a.s.SendSIGKILL:
		a.kill(finalKill, success)
	default:
		a.die(success, true)
	}
}

// signalOf is what is sent on entering a state.
func (a *activity) signalOf(s state) syscall.Signal {
	switch s {
	case stopWatchdog, finalWatchdog:
		return a.s.WatchSignal
	case stopKill, finalKill:
		return a.s.FinalSignal
	}
	return a.s.KillSignal
}

// signalAll sends it, systemd.kill(5), and tells whether there is somebody whose end can be waited for.
func (a *activity) signalAll(s state) bool {
	sig := a.signalOf(s)
	hard := s == stopKill || s == finalKill
	if a.s.KillMode == "none" {
		return false
	}
	waited := false
	hangUp := a.s.SendSIGHUP && (s == stopTerm || s == finalTerm) && sig != unix.SIGHUP
	told := hard || s == stopWatchdog || s == finalWatchdog
	hit := func(pid int) {
		if pid <= 0 {
			return
		}
		if told {
			a.say(term.Notice, "Killing process "+decimal(pid)+" ("+commandName(pid)+") with signal SIG"+signalName(sig)+".")
		}
		if a.send(pid, sig) != nil {
			return
		}
		waited = true
		if hangUp {
			_ = a.send(pid, unix.SIGHUP)
		}
		if sig != unix.SIGKILL && sig != unix.SIGCONT {
			_ = a.send(pid, unix.SIGCONT)
		}
	}
	hit(a.main.pid)
	hit(a.control.pid)
	if a.main.pid < 0 || a.control.pid < 0 { // of one that could not be started, whose end is yet to be told
		waited = true
	}
	if a.s.KillMode == "control-group" || a.s.KillMode == "" || a.s.KillMode == "mixed" && hard {
		a.r.each(a, sig == unix.SIGKILL, func(pid int) {
			if pid != a.main.pid && pid != a.control.pid {
				hit(pid)
			}
		})
		if waited && sig == unix.SIGKILL && a.group != nil { // nobody forks faster than this
			_ = a.group.Kill()
		}
	}
	return waited
}

// send sends a signal. A main process that is another's child can have gone, and its number be somebody else's: it is sent through its pidfd.
func (a *activity) send(pid int, sig syscall.Signal) error {
	if w := a.main.alien; w != nil && pid == a.main.pid {
		return unix.PidfdSendSignal(w.fd, sig, nil, 0)
	}
	return unix.Kill(pid, sig)
}

// expired is called when a state has lasted for too long.
func (a *activity) expired() {
	a.timer = nil
	noKill := func() { // without SendSIGKILL=
		a.say(term.Warning, "State '"+a.state.String()+"' timed out. Skipping SIGKILL.")
	}
	switch a.state {
	case condition, startPre, start, startPost:
		a.giveUp(a.state.String()+" operation timed out.", a.s.TimeoutStartFailure)
	case reload, reloadSignal, reloadNotify, reloadPost:
		a.say(term.Warning, "Reload operation timed out. Killing reload process.")
		if a.control.pid > 0 {
			_ = unix.Kill(a.control.pid, unix.SIGKILL)
		}
		a.reloadResult = timedOut
		a.run(success)
	case stop:
		a.giveUp("Stopping timed out.", a.s.TimeoutStopFailure)
	case stopTerm:
		switch {
		case a.s.TimeoutStopFailure == "abort":
			a.say(term.Warning, "State 'stop-sigterm' timed out. Aborting.")
			a.kill(stopWatchdog, timedOut)
		case a.s.SendSIGKILL:
			a.say(term.Warning, "State 'stop-sigterm' timed out. Killing.")
			a.kill(stopKill, timedOut)
		default:
			noKill()
			a.stopPost(timedOut)
		}
	case stopWatchdog:
		if !a.s.SendSIGKILL {
			noKill()
			a.stopPost(timedOut)
			return
		}
		a.say(term.Warning, "State 'stop-watchdog' timed out. Killing.")
		a.kill(stopKill, timedOut)
	case stopKill:
		a.say(term.Warning, "Processes still around after SIGKILL. Ignoring.")
		a.stopPost(timedOut)
	case stopPost:
		a.giveUp("State 'stop-post' timed out.", a.s.TimeoutStopFailure)
	case finalTerm, finalWatchdog:
		switch {
		case a.state == finalTerm && a.s.TimeoutStopFailure == "abort":
			a.say(term.Warning, "State 'final-sigterm' timed out. Aborting.")
			a.kill(finalWatchdog, timedOut)
		case a.s.SendSIGKILL:
			a.say(term.Warning, "State '"+a.state.String()+"' timed out. Killing.")
			a.kill(finalKill, timedOut)
		default:
			a.say(term.Warning, "State '"+a.state.String()+"' timed out. Skipping SIGKILL. Entering failed mode.")
			a.die(timedOut, false)
		}
	case finalKill:
		a.say(term.Warning, "Processes still around after final SIGKILL. Entering failed mode.")
		a.die(timedOut, true)
	case autoRestart:
		a.restart()
	}
}

// giveUp ends what takes too long, TimeoutStartFailureMode= and TimeoutStopFailureMode=.
func (a *activity) giveUp(text, mode string) {
	term1, abort, hard := stopTerm, stopWatchdog, stopKill
	if a.state == stopPost {
		term1, abort, hard = finalTerm, finalWatchdog, finalKill
	}
	switch {
	case mode == "abort":
		a.say(term.Warning, text+" Aborting.")
		a.kill(abort, timedOut)
	case mode == "kill" && a.s.SendSIGKILL:
		a.say(term.Warning, text+" Killing.")
		a.kill(hard, timedOut)
	case mode == "kill":
		a.say(term.Warning, text+" Skipping SIGKILL.")
		if a.state == stopPost {
			a.die(timedOut, false)
			return
		}
		a.stopPost(timedOut)
	default:
		a.say(term.Warning, text+" Terminating.")
		a.kill(term1, timedOut)
	}
}

// end stops the service because somebody wants it: the first time as its unit says, then harder.
func (a *activity) end(harder bool) {
	a.forbidden = true
	switch {
	case a.state.over():
	case a.state == autoRestart:
		a.calm()
		a.closeRoom(false)
		a.announce(term.Info, "Stopped "+title(a.s)+".")
		a.enter(dead)
	case harder && a.state >= stopPost && a.state <= finalTerm:
		a.kill(finalKill, success)
	case harder && a.state < stopKill:
		a.kill(stopKill, success)
	case a.state.stopping():
	case a.state == running || a.state == exited:
		a.announce(term.Info, "Stopping "+title(a.s)+"...")
		a.stop(success)
	default:
		if a.state.active() {
			a.announce(term.Info, "Stopping "+title(a.s)+"...")
		}
		a.started(false) // that job makes place for this one
		a.kill(stopTerm, success)
	}
}

// shallRestart is Restart= and what goes with it.
func (a *activity) shallRestart() bool {
	s := a.s
	if a.forbidden || a.r.ending {
		return false
	}
	if a.hasEnded && in(a.ended, &s.RestartPrevent) {
		return false
	}
	if a.hasEnded && in(a.ended, &s.RestartForce) {
		return true
	}
	switch s.Restart {
	case service.RestartAlways:
		return a.result != skipped
	case service.RestartOnSuccess:
		return a.result == success
	case service.RestartOnFailure:
		return a.result != success && a.result != skipped
	case service.RestartOnAbnormal:
		return a.result != success && a.result != exitCode && a.result != skipped
	case service.RestartOnWatchdog:
		return a.result == watchdog
	case service.RestartOnAbort:
		return a.result == bySignal || a.result == coreDump
	}
	return false
}
