package service

import "golang.org/x/sys/unix"

// A setting is one row of the tables of what unit files can say: its name, how it is read and, if that is not all that it would take, what is
// noted of it. The tests hold the rows against systemd's own list.
type setting struct {
	name   string
	read   func(*line)
	weight Weight
}

// unitSettings are those of section [Unit], systemd.unit(5). Conditions are not among them: their names have a list of their own.
var unitSettings = [...]setting{
	{"Description", func(l *line) { l.text(&l.unit.Description) }, Note},
	{"Documentation", (*line).documentation, Note},
	{"SourcePath", (*line).pathUnused, Note},
	{"Requires", func(l *line) { l.units(&l.unit.Requires) }, Note},
	{"Requisite", func(l *line) { l.units(&l.unit.Requisite) }, Note},
	{"Wants", func(l *line) { l.units(&l.unit.Wants) }, Note},
	{"BindsTo", func(l *line) { l.units(&l.unit.BindsTo) }, Note},
	{"BindTo", func(l *line) { l.units(&l.unit.BindsTo) }, Note},
	{"Upholds", func(l *line) { l.units(&l.unit.Wants) }, Note},
	{"Conflicts", func(l *line) { l.units(&l.unit.Conflicts) }, Note},
	{"Before", func(l *line) { l.units(&l.unit.Before) }, Note},
	{"After", func(l *line) { l.units(&l.unit.After) }, Note},
	{"OnSuccess", func(l *line) { l.units(&l.unit.OnSuccess) }, Note},
	{"OnFailure", func(l *line) { l.units(&l.unit.OnFailure) }, Note},
	{"PropagatesReloadTo", (*line).unitsUnused, Note},
	{"PropagateReloadTo", (*line).unitsUnused, Note},
	{"ReloadPropagatedFrom", (*line).unitsUnused, Note},
	{"PropagateReloadFrom", (*line).unitsUnused, Note},
	{"PropagatesStopTo", (*line).unitsUnused, Note},
	{"StopPropagatedFrom", (*line).unitsUnused, Note},
	{"PartOf", (*line).unitsUnused, Note},
	{"JoinsNamespaceOf", func(l *line) { l.units(&l.unit.JoinsNamespaceOf) }, Note},
	{"RequiresOverridable", func(l *line) { l.obsolete("Requires"); l.units(&l.unit.Requires) }, Note},
	{"RequisiteOverridable", func(l *line) { l.obsolete("Requisite"); l.units(&l.unit.Requisite) }, Note},
	{"RequiresMountsFor", func(l *line) { l.mountsFor(&l.unit.RequiresMountsFor) }, Note},
	{"WantsMountsFor", func(l *line) { l.mountsFor(&l.unit.WantsMountsFor) }, Note},
	{"StopWhenUnneeded", (*line).booleanUnused, Note},
	{"RefuseManualStart", func(l *line) { l.boolean(&l.unit.RefuseManualStart) }, Note},
	{"RefuseManualStop", (*line).booleanUnused, Note},
	{"AllowIsolate", (*line).booleanUnused, Note},
	{"DefaultDependencies", func(l *line) { l.boolean(&l.unit.DefaultDependencies) }, Note},
	{"SurviveFinalKillSignal", (*line).booleanUnused, Note},
	{"OnSuccessJobMode", (*line).jobMode, Note},
	{"OnFailureJobMode", (*line).jobMode, Note},
	{"OnFailureIsolate", (*line).onFailureIsolate, Note},
	{"IgnoreOnIsolate", (*line).booleanUnused, Note},
	{"JobTimeoutSec", (*line).jobTimeout, Note},
	{"JobRunningTimeoutSec", (*line).jobTimeout, Note},
	{"JobTimeoutAction", (*line).action, Note},
	{"JobTimeoutRebootArgument", (*line).rebootArgument, Note},
	{"StartLimitIntervalSec", func(l *line) { l.seconds(&l.unit.StartLimitInterval) }, Note},
	{"StartLimitInterval", func(l *line) { l.seconds(&l.unit.StartLimitInterval) }, Note},
	{"StartLimitBurst", func(l *line) { l.unsigned(&l.unit.StartLimitBurst) }, Note},
	{"StartLimitAction", (*line).action, Note},
	{"FailureAction", (*line).action, Note},
	{"SuccessAction", (*line).action, Note},
	{"FailureActionExitStatus", (*line).actionStatus, Note},
	{"SuccessActionExitStatus", (*line).actionStatus, Note},
	{"RebootArgument", (*line).rebootArgument, Note},
	{"CollectMode", func(l *line) { l.word(&l.unit.CollectMode, "inactive", "inactive-or-failed") }, Note},
}

// installSettings are those of section [Install], which are for systemctl enable.
var installSettings = [...]setting{{"Alias", nil, Note}, {"WantedBy", nil, Note}, {"RequiredBy", nil, Note}, {"UpheldBy", nil, Note},
	{"Also", nil, Note}, {"DefaultInstance", nil, Note}}

// removed are settings that systemd had once.
var removed = [...]string{"BlockIOAccounting", "BlockIODeviceWeight", "BlockIOReadBandwidth", "BlockIOWeight", "BlockIOWriteBandwidth",
	"CPUAccounting", "CPUShares", "Capabilities", "DefaultMemoryLow", "DefaultMemoryMin", "DefaultStartupMemoryLow", "MemoryLimit",
	"NetClass", "StartupBlockIOWeight", "StartupCPUShares"}

// serviceSettings are those of section [Service] that only services have, systemd.service(5).
var serviceSettings = [...]setting{
	{"PIDFile", (*line).pidFile, Note},
	{"ExecCondition", func(l *line) { l.commands(&l.service.Condition) }, Note},
	{"ExecStartPre", func(l *line) { l.commands(&l.service.StartPre) }, Note},
	{"ExecStart", func(l *line) { l.commands(&l.service.Start) }, Note},
	{"ExecStartPost", func(l *line) { l.commands(&l.service.StartPost) }, Note},
	{"ExecReload", func(l *line) { l.commands(&l.service.Reload) }, Note},
	{"ExecReloadPost", func(l *line) { l.commands(&l.service.ReloadPost) }, Note},
	{"ExecStop", func(l *line) { l.commands(&l.service.Stop) }, Note},
	{"ExecStopPost", func(l *line) { l.commands(&l.service.StopPost) }, Note},
	{"RestartSec", func(l *line) { l.seconds(&l.service.RestartDelay) }, Note},
	{"RestartSteps", func(l *line) { l.unsigned(&l.service.RestartSteps) }, Note},
	{"RestartMaxDelaySec", func(l *line) { l.seconds(&l.service.RestartMaxDelay) }, Note},
	{"RestartRandomizedDelaySec", func(l *line) { l.seconds(&l.service.RestartRandomized) }, Note},
	{"TimeoutSec", (*line).timeoutBoth, Note},
	{"TimeoutStartSec", (*line).timeoutStart, Note},
	{"TimeoutStopSec", (*line).timeoutStop, Note},
	{"TimeoutAbortSec", (*line).timeoutAbort, Note},
	{"TimeoutStartFailureMode", func(l *line) { l.word(&l.service.TimeoutStartFailure, "terminate", "abort", "kill") }, Note},
	{"TimeoutStopFailureMode", func(l *line) { l.word(&l.service.TimeoutStopFailure, "terminate", "abort", "kill") }, Note},
	{"RuntimeMaxSec", func(l *line) { l.seconds(&l.service.RuntimeMax) }, Note},
	{"RuntimeRandomizedExtraSec", func(l *line) { l.seconds(&l.service.RuntimeRandomized) }, Note},
	{"WatchdogSec", func(l *line) { l.seconds(&l.service.Watchdog) }, Note},
	{"StartLimitInterval", func(l *line) { l.seconds(&l.unit.StartLimitInterval) }, Note},
	{"StartLimitBurst", func(l *line) { l.unsigned(&l.unit.StartLimitBurst) }, Note},
	{"StartLimitAction", (*line).action, Note},
	{"FailureAction", (*line).action, Note},
	{"RebootArgument", (*line).textUnused, Note},
	{"Type", (*line).serviceType, Note},
	{"ExitType", (*line).exitType, Note},
	{"Restart", func(l *line) {
		choice(l, &l.service.Restart, "no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always")
	}, Note},
	{"RestartMode", func(l *line) { l.word(&l.service.RestartMode, "normal", "direct", "debug") }, Note},
	{"PermissionsStartOnly", func(l *line) { l.boolean(&l.service.PermissionsOnly) }, Note},
	{"RootDirectoryStartOnly", func(l *line) { l.boolean(&l.service.RootStartOnly) }, Note},
	{"RemainAfterExit", func(l *line) { l.boolean(&l.service.RemainAfterExit) }, Note},
	{"GuessMainPID", func(l *line) { l.boolean(&l.service.GuessMainPID) }, Note},
	{"RestartPreventExitStatus", func(l *line) { l.exitSet(&l.service.RestartPrevent) }, Note},
	{"RestartForceExitStatus", func(l *line) { l.exitSet(&l.service.RestartForce) }, Note},
	{"SuccessExitStatus", func(l *line) { l.exitSet(&l.service.SuccessExit) }, Note},
	{"NonBlocking", func(l *line) { l.boolean(&l.service.NonBlocking) }, Note},
	{"BusName", (*line).busName, Note},
	{"FileDescriptorStoreMax", func(l *line) { l.unsigned(&l.service.FileDescriptorMax) }, Note},
	{"FileDescriptorStorePreserve", (*line).storePreserve, Note},
	{"LUOSession", (*line).luoSession, Lacking},
	{"NotifyAccess", func(l *line) {
		choice(l, &l.service.NotifyAccess, "none", "main", "exec", "all")
		l.given.notifyAccess = true
	}, Note},
	{"Sockets", (*line).sockets, Note},
	{"USBFunctionDescriptors", (*line).usbFunction, Lacking},
	{"USBFunctionStrings", (*line).usbFunction, Lacking},
	{"OOMPolicy", (*line).oomPolicy, Lacking},
	{"OpenFile", (*line).openFile, Note},
	{"ReloadSignal", func(l *line) { l.signal(&l.service.ReloadSignal) }, Note},
	{"RefreshOnReload", (*line).refreshOnReload, Note},
}

// killSettings say how processes are ended, systemd.kill(5).
var killSettings = [...]setting{
	{"SendSIGKILL", func(l *line) { l.boolean(&l.kill.SendSIGKILL) }, Note},
	{"SendSIGHUP", func(l *line) { l.boolean(&l.kill.SendSIGHUP) }, Note},
	{"KillMode", (*line).killMode, Note},
	{"KillSignal", func(l *line) { l.signal(&l.kill.KillSignal) }, Note},
	{"RestartKillSignal", func(l *line) { l.signal(&l.kill.RestartSignal) }, Note},
	{"FinalKillSignal", func(l *line) { l.signal(&l.kill.FinalSignal) }, Note},
	{"WatchdogSignal", func(l *line) { l.signal(&l.kill.WatchSignal) }, Note},
}

// newService is a service whose unit file says nothing.
func newService() *Service {
	return &Service{
		Unit: newUnit(), Exec: newExec(), Kill: newKill(),
		RestartMode: "normal", GuessMainPID: true, RestartMaxDelay: Forever, RuntimeMax: Forever,
		ReloadSignal: unix.SIGHUP, TimeoutStartFailure: "terminate", TimeoutStopFailure: "terminate",
	}
}

func newUnit() Unit { return Unit{DefaultDependencies: true, CollectMode: "inactive"} }

func newKill() Kill {
	return Kill{KillMode: "control-group", KillSignal: unix.SIGTERM, FinalSignal: unix.SIGKILL, WatchSignal: unix.SIGABRT, SendSIGKILL: true}
}

func newExec() Exec {
	e := Exec{UMask: 0o022, IgnoreSIGPIPE: true, ProtectProc: "default", ProcSubset: "all", PrivateTmp: "no", PrivateUsers: "no",
		ProtectSystem: "no", ProtectHome: "no", ProtectControlGroups: "no", ProtectHostname: "no", PreserveRuntimeDirectory: "no",
		TimeoutClean: Forever, UtmpMode: "init", PrivateBPF: "no", SyslogLevelPrefix: true}
	for i := range e.Directories {
		e.Directories[i].Mode = 0o755
	}
	return e
}
