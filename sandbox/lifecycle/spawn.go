package lifecycle

import (
	"errors"
	"strconv"
	"syscall"

	"ctl/internal/term"
	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// spawn starts a command of the service.
func (a *activity) spawn(c service.Command, main bool) (*launch.Process, error) {
	if a.room == nil { // nothing could be prepared, and each command ends as the first one would have
		e := *a.broken
		e.Path = c.Path
		return nil, &e
	}
	q := launch.Request{Command: c, Control: !main, NonBlocking: a.s.NonBlocking, Stopping: a.state >= stop, Before: a.r.c.Signals.Wait}
	q.Env = append(q.Env, "INVOCATION_ID="+a.invocation)
	if a.s.PIDFile != "" {
		q.Env = append(q.Env, "PIDFILE="+a.s.PIDFile)
	}
	if a.main.pid > 0 {
		q.Env = append(q.Env, "MAINPID="+decimal(a.main.pid))
		if id := launch.PidfdID(a.main.pid); id != 0 {
			q.Env = append(q.Env, "MAINPIDFDID="+strconv.FormatUint(id, 10))
		}
	}
	if a.state == stop || a.state == stopPost {
		q.Env = append(q.Env, "SERVICE_RESULT="+string(a.result))
		if a.hasEnded {
			q.Env = append(q.Env, "EXIT_CODE="+codeOf(a.ended), "EXIT_STATUS="+statusOf(a.ended))
		}
	}
	q.Env = append(q.Env, a.monitor...)
	if a.s.FileDescriptorMax > 0 {
		q.Env = append(q.Env, "FDSTORE="+strconv.FormatUint(uint64(a.s.FileDescriptorMax), 10))
	}
	if a.notified(main) {
		if err := a.openNotify(); err != nil {
			return nil, err
		}
		q.Notify = a.notify.path
	}
	first := main || a.s.Type == service.Forking && a.state == start
	q.NoRoot = a.s.RootStartOnly && !first
	q.NoPermissions = a.s.PermissionsOnly && !first
	q.Terminal = first || a.state == condition || a.state == startPre
	if first {
		a.pass(&q)
		q.Open = a.s.OpenFiles
		q.Watchdog = a.s.Watchdog
	}
	if err := a.openGroup(); err != nil {
		return nil, err
	}
	if a.group != nil {
		q.Cgroup, q.Joins = a.group.Path, a.group.Killed
		if a.s.Delegate != nil {
			q.Delegate = true
			q.Subgroup, _ = a.s.Resources.Last("DelegateSubgroup")
		}
	}
	p, err := a.room.Start(q)
	if err != nil {
		return nil, err
	}
	if p.FD != nil {
		p.FD.Close() // its end is told by SIGCHLD, until when its PID is nobody else's
	}
	a.r.joined(a, p.PID)
	return p, nil
}

// notified tells whether a command is given a socket to notify us by.
func (a *activity) notified(main bool) bool {
	switch a.access() {
	case service.AccessNone:
		return false
	case service.AccessMain:
		return main
	}
	return true
}

// pass gives the main process its sockets and what it has stored.
func (a *activity) pass(q *launch.Request) {
	if a.accept != nil {
		q.Socket = a.accept.file
		q.Env = append(q.Env, a.accept.env...)
		if a.s.Stdin.Kind != "socket" {
			q.Files, q.Names = append(q.Files, a.accept.file), append(q.Names, "connection")
		}
	}
	for _, l := range a.listens {
		for _, f := range l.files {
			q.Files, q.Names = append(q.Files, f), append(q.Names, l.fdName())
		}
	}
	if len(a.listens) > 0 && q.Socket == nil && len(a.listens[0].files) > 0 {
		q.Socket = a.listens[0].files[0]
	}
	for _, s := range a.store {
		q.Files, q.Names = append(q.Files, s.file), append(q.Names, s.name)
	}
	q.Sockets = len(q.Files)
}

// refuse has a command that could not be started end with the status that the process would have ended with, and returns what stands for its PID.
func (r *run) refuse(unit string, err error) int {
	r.refused--
	pid := r.refused
	status := 1
	if e, ok := errors.AsType[*launch.Error](err); ok {
		status = e.Status
	}
	r.say(term.Err, unit, err.Error())
	r.loop.later(func() { r.childEnded(pid, syscall.WaitStatus(status<<8)) })
	return pid
}

// untried is a command that the manager would not even have tried to start.
func (a *activity) untried(task string, err error) bool {
	e, ok := errors.AsType[*launch.Unready](err)
	if ok {
		a.say(term.Warning, e.Error())
		a.say(term.Warning, "Failed to spawn '"+task+"' task: "+reason(e.Err))
	}
	return ok
}

// reloadNow has the service read its configuration anew.
func (a *activity) reloadNow() {
	if a.state != running && a.state != exited {
		if a.state >= reload && a.state <= reloadPost {
			a.again = true
		}
		return
	}
	if len(a.s.Reload) == 0 && (a.s.Type != service.NotifyReload || a.main.pid <= 0) {
		a.say(term.Warning, "It cannot be reloaded: it has no ExecReload=.")
		return
	}
	a.announce(term.Info, "Reloading "+title(a.s)+"...")
	a.reloadResult = success
	if len(a.s.Reload) > 0 {
		a.commands(reload, a.s.Reload, a.s.TimeoutStart, func(f result) {
			a.reloadResult = f
			if f == success && a.s.PIDFile != "" {
				_ = a.readPIDFile()
			}
			if f == success && a.signalReload() {
				return
			}
			a.reloaded()
		})
		return
	}
	a.signalReload()
}

// signalReload is the reload of Type=notify-reload.
func (a *activity) signalReload() bool {
	if a.s.Type != service.NotifyReload || a.main.pid <= 0 || a.send(a.main.pid, a.s.ReloadSignal) != nil {
		return false
	}
	a.told = ready
	a.expect(a.s.TimeoutStart)
	a.enter(reloadSignal)
	return true
}

// reloaded ends a reload.
func (a *activity) reloaded() {
	if len(a.s.ReloadPost) > 0 && a.state != reloadPost && a.reloadResult == success {
		a.commands(reloadPost, a.s.ReloadPost, a.s.TimeoutStart, func(f result) {
			a.reloadResult = f
			a.reloaded()
		})
		return
	}
	if a.reloadResult == success {
		a.announce(term.Info, "Reloaded "+title(a.s)+".")
	} else {
		a.announce(term.Err, "Reload failed for "+title(a.s)+".")
	}
	a.told = ready
	a.run(success)
	if a.again && a.state == running {
		a.again = false
		a.reloadNow()
	}
}
