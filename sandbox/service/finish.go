package service

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ctl/internal/clock"
	"ctl/internal/unit"
)

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
	switch {
	case l.given.serviceType:
	case s.BusName != "":
		s.Type = DBus
	case len(s.Start) == 0:
		s.Type = Oneshot
	case len(s.SetCredentials)+len(s.LoadCredentials)+len(s.ImportCredentials) > 0:
		s.Type = TypeExec
	}
	if s.Type == Oneshot && !l.given.timeoutStart {
		s.TimeoutStart = Forever
	}
	if !l.given.timeoutAbort {
		s.TimeoutAbort = s.TimeoutStop
		if l.defaults.timeoutAbort > 0 {
			s.TimeoutAbort = l.defaults.timeoutAbort
		}
	}
	if s.NotifyAccess == AccessNone && (s.Type == Notify || s.Type == NotifyReload || s.Watchdog > 0 || s.FileDescriptorMax > 0) {
		s.NotifyAccess = AccessMain
	}
	l.defaultEnvironment()
	if l.exec.DynamicUser {
		l.dynamic()
	}
	l.temporary()
	l.input()
	if state := l.verifyService(); state != "" {
		return state
	}
	return l.verifyExec()
}

// verifyService checks what only services have.
func (l *loader) verifyService() string {
	s := l.service
	wrong := ""
	switch {
	case len(s.Start) == 0 && len(s.Stop) == 0 && !l.given.successAction:
		wrong = "Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."
	case s.Type != Oneshot && len(s.Start) == 0:
		wrong = "Service has no ExecStart= setting, which is only allowed for Type=oneshot services. Refusing."
	case !s.RemainAfterExit && len(s.Start) == 0 && !l.given.successAction:
		wrong = "Service has no ExecStart= and no SuccessAction= settings and does not have RemainAfterExit=yes set. Refusing."
	case s.Type != Oneshot && len(s.Start) > 1:
		wrong = "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. Refusing."
	case s.Type == Oneshot && (s.Restart == RestartAlways || s.Restart == RestartOnSuccess):
		wrong = "Service has Restart= set to either always or on-success, which isn't allowed for Type=oneshot services. Refusing."
	case s.Type == Oneshot && s.ExitTypeCgroup:
		wrong = "Service has ExitType=cgroup set, which isn't allowed for Type=oneshot services. Refusing."
	case s.Type == DBus && s.BusName == "":
		wrong = "Service is of type D-Bus but no D-Bus service name has been specified. Refusing."
	case s.Type == Forking && s.PrivatePIDs:
		wrong = "Service of Type=forking does not support PrivatePIDs=yes. Refusing."
	}
	if wrong != "" {
		l.complain(Fatal, wrong)
		return "bad-setting"
	}
	l.settleService()
	return ""
}

// settleService says of settings that do not go together which ones count.
func (l *loader) settleService() {
	s := l.service
	if l.given.usbDescriptors != l.given.usbStrings {
		has, lacks := "Descriptors", "Strings"
		if l.given.usbStrings {
			has, lacks = lacks, has
		}
		l.complain(Note, "Service has USBFunction"+has+"= setting, but no USBFunction"+lacks+"=. Ignoring.")
	}
	if s.RuntimeMax != Forever && s.Type == Oneshot {
		l.complain(Note, "RuntimeMaxSec= has no effect in combination with Type=oneshot. Ignoring.")
	}
	if s.RestartMaxDelay == Forever && s.RestartSteps > 0 {
		l.complain(Note, "Service has RestartSteps= but no RestartMaxDelaySec= setting. Ignoring.")
	}
	if s.RestartMaxDelay != Forever && s.RestartSteps == 0 {
		l.complain(Note, "Service has RestartMaxDelaySec= but no RestartSteps= setting. Ignoring.")
	}
	if s.RestartMaxDelay < s.RestartDelay {
		l.complain(Note, "RestartMaxDelaySec= has a value smaller than RestartSec=, resetting RestartSec= to RestartMaxDelaySec=.")
		s.RestartDelay = s.RestartMaxDelay
	}
	if s.RestartRandomized == Forever {
		l.complain(Note, "RestartRandomizedDelaySec= cannot be infinity, ignoring.")
		s.RestartRandomized = 0
	}
}

// verifyExec checks what all units with processes have.
func (l *loader) verifyExec() string {
	e := l.exec
	if l.unit.Description == "" {
		l.unit.Description = l.unit.Name
	}
	wrong := ""
	switch {
	case e.DynamicUser && e.WorkingDirectory.Home:
		wrong = "WorkingDirectory=~ is not allowed under DynamicUser=yes. Refusing."
	case apiPath(e.WorkingDirectory.Path) && e.NeedsMounts():
		wrong = "WorkingDirectory= may not be below /proc/, /sys/ or /dev/ when using mount namespacing. Refusing."
	case e.PrivatePIDs && l.service == nil:
		wrong = "PrivatePIDs= setting is only supported for service units. Refusing."
	case e.PrivateUsers == "managed" && (e.User != "" || e.DynamicUser || e.Group != "" || e.PAMName != ""):
		wrong = "PrivateUsers=managed may not be used in combination with User=/DynamicUser=/Group=/PAMName=. Refusing."
	case e.PrivateUsers != "no" && e.UserNamespacePath != "":
		wrong = "PrivateUsers= may not be used with custom UserNamespacePath=. Refusing."
	case e.PAMName != "" && e.PrivatePIDs:
		wrong = "PAM is not supported under PrivatePIDs=. Refusing."
	case e.PAMName != "" && l.kill.KillMode != "control-group" && l.kill.KillMode != "mixed":
		wrong = "Unit has PAM enabled. Kill mode must be set to 'control-group' or 'mixed'. Refusing."
	case e.DynamicUser && l.options.User:
		wrong = "DynamicUser= enabled for user unit, which is not supported. Refusing."
	}
	if wrong != "" {
		l.complain(Fatal, wrong)
		return "bad-setting"
	}
	return ""
}

func apiPath(p string) bool {
	for _, api := range [...]string{"/proc", "/sys", "/dev"} {
		if p == api || strings.HasPrefix(p, api+"/") {
			return true
		}
	}
	return false
}

// NeedsMounts tells whether the settings ask for a mount namespace.
func (e *Exec) NeedsMounts() bool {
	return e.RootImage != "" || len(e.ReadWrite)+len(e.ReadOnly)+len(e.Inaccessible)+len(e.ExecPaths)+len(e.NoExecPaths) > 0 ||
		len(e.Binds)+len(e.TemporaryFileSystems)+len(e.MountImages)+len(e.ExtensionImages)+len(e.ExtensionDirectories) > 0 ||
		e.MountFlags != "" || e.PrivateTmp != "no" || e.PrivateDevices || e.PrivateIPC || e.PrivatePIDs || e.PrivateMounts != nil && *e.PrivateMounts ||
		e.ProtectSystem != "no" || e.ProtectHome != "no" || e.ProtectKernelTunables || e.ProtectKernelModules || e.ProtectKernelLogs ||
		e.ProtectControlGroups != "no" || e.ProtectProc != "default" || e.ProcSubset != "all" || e.RootEphemeral || e.DynamicUser
}

// NeedsUsers tells whether the settings take a user namespace where a user's manager starts the service, systemd.exec(5) "PrivateUsers=".
func (e *Exec) NeedsUsers() bool {
	hidden := *e
	hidden.ProtectProc, hidden.ProcSubset = "default", "all" // which a user namespace does not make possible
	return hidden.NeedsMounts() || e.PrivateUsers != "no" || e.PrivateNetwork || e.NetworkNamespacePath != "" || e.IPCNamespacePath != "" ||
		e.RootDirectory != "" || e.MountAPIVFS != nil && *e.MountAPIVFS || e.BindLogSockets != nil && *e.BindLogSockets ||
		e.ProtectHostname != "no" || e.ProtectClock
}

// dynamic adds what a user of its own brings.
func (l *loader) dynamic() {
	e := l.exec
	if e.User == "" {
		e.User = dynamicName(l.unit.Name)
	}
	if e.Group == "" {
		e.Group = e.User
	}
	if e.PrivateTmp == "no" {
		e.PrivateTmp = "disconnected"
	}
	e.ProtectSystem = "strict"
	if e.ProtectHome == "no" {
		e.ProtectHome = "read-only"
	}
	e.RemoveIPC, e.NoNewPrivileges, e.RestrictSUIDSGID = true, true, true
}

// input has what is given as text be standard input where that would be nothing, though it were said so.
func (l *loader) input() {
	if e := l.exec; len(e.StdinData) > 0 && (e.Stdin.Kind == "" || e.Stdin.Kind == "null") {
		e.Stdin.Kind = "data"
	}
}

// temporary settles what PrivateTmp= is for a unit that does not wait for the file systems of /tmp and /var/tmp: memory does not need them.
func (l *loader) temporary() {
	u, e := l.unit, l.exec
	if u.DefaultDependencies || e.RootDirectory != "" || e.RootImage != "" {
		return
	}
	waits := func(dir, mount string) bool {
		return slices.Contains(u.RequiresMountsFor, dir) || slices.Contains(u.WantsMountsFor, dir) || slices.Contains(u.After, mount)
	}
	e.PrivateVarTmp = e.PrivateTmp
	if e.PrivateTmp == "yes" && !waits("/tmp", "tmp.mount") {
		e.PrivateTmp = "disconnected"
	}
	if e.PrivateVarTmp == "disconnected" && !waits("/var", "var.mount") {
		e.PrivateVarTmp = "no"
	}
}

// dynamicName is the name of the user that a unit gets if it does not name one: its own, or what is made of it where that is none.
func dynamicName(name string) string {
	prefix := unit.Prefix(name)
	if strictUser(prefix) {
		return prefix
	}
	return fmt.Sprintf("_du%016x", unit.SipHash([2]uint64{}, prefix))
}
