package service

import (
	"time"

	"ctl/internal/clock"
)

// defaults are what system.conf(5), of a user's manager user.conf, says that settings are where unit files say nothing.
type defaults struct {
	timeoutStart, timeoutStop, timeoutAbort time.Duration
	abortGiven                              bool
	restart                                 time.Duration
	limitInterval                           time.Duration
	limitBurst                              uint
}

func (l *loader) readDefaults() {
	l.defaults = defaults{timeoutStart: 90 * time.Second, timeoutStop: 90 * time.Second, restart: 100 * time.Millisecond,
		limitInterval: 10 * time.Second, limitBurst: 5}
	l.unit.StartLimitInterval, l.unit.StartLimitBurst = l.defaults.limitInterval, l.defaults.limitBurst
	if s := l.service; s != nil {
		s.TimeoutStart, s.TimeoutStop, s.RestartSec = l.defaults.timeoutStart, l.defaults.timeoutStop, l.defaults.restart
	}
}

// forever is a time span of which 0 means that there is no end.
func forever(usec uint64) time.Duration {
	if usec == 0 || usec == clock.Infinity {
		return Forever
	}
	return span(usec)
}

// finishService fills in what follows from other settings, and checks that they go together; it returns the load state that
// keeps the service from being started.
func (l *loader) finishService() string {
	s := l.service
	if !l.given.serviceType && s.BusName != "" {
		s.Type = DBus
	}
	if s.Type == Oneshot && !l.given.timeoutStart {
		s.TimeoutStart = Forever
	}
	if !l.given.timeoutAbort {
		s.TimeoutAbort = s.TimeoutStop
	}
	if !l.given.notifyAccess && (s.Type == Notify || s.Type == NotifyReload || s.Watchdog > 0 || s.FileDescriptorMax > 0) {
		s.NotifyAccess = AccessMain
	}
	if l.exec.DynamicUser {
		l.dynamic()
	}
	return ""
}

// dynamic adds what a user of its own brings.
func (l *loader) dynamic() {
	e := l.exec
	if e.User == "" {
		e.User = prefixUser(l.unit.Name)
	}
	if e.Group == "" {
		e.Group = e.User
	}
	if e.ProtectSystem == "no" || e.ProtectSystem == "yes" || e.ProtectSystem == "full" {
		e.ProtectSystem = "strict"
	}
	if e.ProtectHome == "no" {
		e.ProtectHome = "read-only"
	}
	if e.PrivateTmp == "no" {
		e.PrivateTmp = "disconnected"
	}
	e.RemoveIPC, e.NoNewPrivileges, e.RestrictSUIDSGID = true, true, true
}

func prefixUser(name string) string { return name }

func (l *loader) finishSocket() string { return "" }

func newSocket() *Socket {
	return &Socket{Unit: newUnit(), Exec: newExec(), Kill: newKill(), SocketMode: 0o666, DirectoryMode: 0o755}
}

var socketSettings = [...]setting{}
