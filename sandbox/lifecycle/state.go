package lifecycle

import (
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// A state is where a service is between its start and its stop.
type state int

const (
	dead state = iota
	condition
	startPre
	start
	startPost
	running
	exited
	reload
	reloadSignal
	reloadNotify
	reloadPost
	stop
	stopWatchdog
	stopTerm
	stopKill
	stopPost
	finalWatchdog
	finalTerm
	finalKill
	failed
	autoRestart
)

var stateNames = [...]string{"dead", "condition", "start-pre", "start", "start-post", "running", "exited", "reload", "reload-signal",
	"reload-notify", "reload-post", "stop", "stop-watchdog", "stop-sigterm", "stop-sigkill", "stop-post", "final-watchdog", "final-sigterm",
	"final-sigkill", "failed", "auto-restart"}

func (s state) String() string { return stateNames[s] }

// active tells whether who waits for the service's start waits no more.
func (s state) active() bool {
	return s == running || s == exited || s >= reload && s <= reloadPost
}

// over tells whether nothing of the service is left.
func (s state) over() bool { return s == dead || s == failed }

// stopping tells whether the service is on its way down.
func (s state) stopping() bool { return s >= stop && s <= finalKill }

// starting tells whether it is on its way up.
func (s state) starting() bool { return s >= condition && s <= startPost }

// A result is how a service has ended, systemd.exec(5) $SERVICE_RESULT.
type result string

const (
	success       result = "success"
	resources     result = "resources"
	protocol      result = "protocol"
	timedOut      result = "timeout"
	exitCode      result = "exit-code"
	bySignal      result = "signal"
	oomKill       result = "oom-kill"
	coreDump      result = "core-dump"
	watchdog      result = "watchdog"
	startLimitHit result = "start-limit-hit"
	skipped       result = "exec-condition"
)

// resultOf is what the end of a process means. A command, as opposed to a daemon, is not expected to end by a signal.
func resultOf(s syscall.WaitStatus, daemon bool, good *service.ExitSet) result {
	switch {
	case s.Exited() && (s.ExitStatus() == 0 || good != nil && good.Codes[s.ExitStatus()]):
		return success
	case s.Exited():
		return exitCode
	}
	switch s.Signal() {
	case unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE:
		if daemon && !s.CoreDump() {
			return success
		}
	}
	if good != nil && good.Signals[s.Signal()] {
		return success
	}
	if s.CoreDump() {
		return coreDump
	}
	return bySignal
}

// in tells whether the end of a process is one of a set.
func in(s syscall.WaitStatus, set *service.ExitSet) bool {
	if s.Exited() {
		return set.Codes[s.ExitStatus()]
	}
	return set.Signals[s.Signal()]
}

// codeOf is $EXIT_CODE.
func codeOf(s syscall.WaitStatus) string {
	switch {
	case s.Exited():
		return "exited"
	case s.CoreDump():
		return "dumped"
	}
	return "killed"
}

// statusOf is $EXIT_STATUS.
func statusOf(s syscall.WaitStatus) string {
	if s.Exited() {
		return strconv.Itoa(s.ExitStatus())
	}
	return signalName(s.Signal())
}

func signalName(s syscall.Signal) string {
	n := int(s)
	switch {
	case n >= 1 && n <= len(unit.SignalNames):
		return unit.SignalNames[n-1]
	case n == unit.RTMin:
		return "RTMIN"
	case n > unit.RTMin && n <= unit.RTMax:
		return "RTMIN+" + strconv.Itoa(n-unit.RTMin)
	}
	return strconv.Itoa(n)
}

// ended is how the manager tells that a process has ended.
func ended(what string, s syscall.WaitStatus, fine bool) string {
	number, name := int(s.Signal()), ""
	if s.Exited() {
		number = s.ExitStatus()
		name = unit.AnyStatusName(int32(number))
	} else {
		name = signalName(s.Signal())
	}
	if name == "" {
		name = "n/a"
	}
	text := what + " exited, code=" + codeOf(s) + ", status=" + strconv.Itoa(number) + "/" + name
	if fine && (!s.Exited() || number != 0) {
		text += " (success)"
	}
	return text
}
