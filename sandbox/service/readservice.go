package service

import (
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/internal/clock"
	"ctl/internal/unit"
)

// given is what the files have said of settings whose defaults depend on others.
type given struct {
	serviceType                bool
	timeoutStart, timeoutStop  bool
	timeoutAbort               bool
	notifyAccess               bool
	cpus                       []int
	successAction              bool
	usbDescriptors, usbStrings bool
}

func (l *line) serviceType() {
	choice(l, &l.service.Type, "simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle")
	l.given.serviceType = true
}

func (l *line) exitType() {
	s := "main"
	if l.service.ExitTypeCgroup {
		s = "cgroup"
	}
	l.word(&s, "main", "cgroup")
	l.service.ExitTypeCgroup = s == "cgroup"
}

func (l *line) pidFile() {
	p := &l.service.PIDFile
	if l.value == "" {
		*p = ""
		return
	}
	s, err := l.specified(l.value)
	if err != nil {
		l.unresolved(l.value, err, false)
		return
	}
	runtime := l.directorySpecifier('t')
	if !strings.HasPrefix(s, "/") {
		s = runtime + "/" + s
	}
	if s, ok := l.absolute(s, false); !ok {
		l.err = syscall.EINVAL
	} else if below, ok := strings.CutPrefix(s, "/var/run/"); ok {
		*p = "/run/" + below
		l.warn("PIDFile= references a path below legacy directory /var/run/, updating " + l.value + " → " + *p + "; please update the unit file accordingly.")
	} else {
		*p = s
	}
}

// secondsOr reads a time; text begins what is said of one that is none.
func (l *line) timeSpan(text string) (uint64, bool) {
	v, err := clock.ParseSpan(l.value, clock.Second)
	if err != nil {
		if text == "" {
			l.bad(err)
		} else {
			l.warn("Failed to parse " + l.key + "= " + text + ", ignoring: " + l.value)
		}
		return 0, false
	}
	return v, true
}

func (l *line) timeoutStart() {
	if v, ok := l.timeSpan("parameter"); ok {
		l.service.TimeoutStart, l.given.timeoutStart = forever(v), true
	}
}

func (l *line) timeoutBoth() {
	if v, ok := l.timeSpan("parameter"); ok {
		l.service.TimeoutStart, l.given.timeoutStart = forever(v), true
		l.service.TimeoutStop, l.given.timeoutStop = forever(v), true
	}
}

func (l *line) timeoutStop() {
	if v, ok := l.timeSpan(""); ok {
		l.service.TimeoutStop, l.given.timeoutStop = forever(v), true
	}
}

func (l *line) timeoutAbort() {
	if l.value == "" {
		l.given.timeoutAbort = false
		return
	}
	if v, ok := l.timeSpan("setting"); ok {
		l.service.TimeoutAbort, l.given.timeoutAbort = forever(v), true
	}
}

func (l *line) killMode() {
	switch l.value {
	case "control-group", "process", "mixed", "none":
		if l.value == "none" {
			l.warn("Unit uses KillMode=none. This is unsafe, as it disables systemd's process lifecycle management for the service. " +
				"Please update the service to use a safer KillMode=, such as 'mixed' or 'control-group'. Support for KillMode=none is deprecated and will eventually be removed.")
		}
		l.kill.KillMode = l.value
	case "":
		l.kill.KillMode = "control-group"
	default:
		l.warn("Failed to parse kill mode specification, ignoring: " + l.value)
	}
}

func (l *line) exitSet(p *ExitSet) {
	if l.value == "" {
		*p = ExitSet{}
		return
	}
	words, _ := unit.Words(l.value, 0)
	for _, w := range words {
		n, errN := strconv.Atoi(w)
		code := unit.StatusNumber(w)
		switch {
		case errN == nil && n >= 0 && n <= 255:
			p.Codes[n] = true
		case errN != nil && code >= 0:
			p.Codes[code] = true
		case errN != nil && unit.IsSignal(w):
			p.Signals[unit.SignalNumber(w)] = true
		default:
			l.warn("Failed to parse value, ignoring: " + w)
		}
	}
}

func (l *line) busName() {
	s, ok := l.expandBare(l.value)
	switch {
	case !ok:
	case !validBusName(s):
		l.warn("Invalid bus name, ignoring: " + s)
	default:
		l.service.BusName = s
	}
}

// validBusName tells whether s is a well-known name of a bus, D-Bus Specification "Bus names".
func validBusName(s string) bool {
	if s == "" || len(s) > 255 || !strings.Contains(s, ".") {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] >= '0' && part[0] <= '9' ||
			strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			return false
		}
	}
	return true
}

func (l *line) storePreserve() {
	l.wordOrBoolean(&l.service.FileDescriptorKeep, "no", "yes", "restart")
}

func (l *line) sockets() {
	words, _ := unit.Words(l.value, 0)
	for _, w := range words {
		s, ok := l.expand(strings.Clone(w))
		switch {
		case !ok:
		case unit.Type(s) != "socket":
			l.warn("Unit must be of type socket, ignoring: " + s)
		case !slices.Contains(l.service.Sockets, s):
			l.service.Sockets = append(l.service.Sockets, s)
		}
	}
}

func (l *line) refreshOnReload() {
	if _, ok := unit.Boolean(l.value); ok || l.value == "" {
		return
	}
	value := strings.TrimPrefix(l.value, "~")
	words, err := unit.Words(value, unit.Unquote)
	for _, w := range words {
		if w != "extensions" && w != "credentials" {
			err = syscall.EINVAL
		}
	}
	if err != nil {
		l.warn("Failed to parse " + l.key + "=" + value + ", ignoring: " + strerror(err))
	}
}
