package runtest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// properties renders what ctl has loaded as systemctl show does.
func properties(v *service.Service) map[string]string {
	e := &v.Exec
	p := map[string]string{
		"Id": v.Name, "Description": v.Description, "FragmentPath": v.Path, "DropInPaths": strings.Join(v.DropIns, " "),
		"Type":          []string{"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"}[v.Type],
		"Restart":       []string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}[v.Restart],
		"NotifyAccess":  []string{"none", "main", "exec", "all"}[v.NotifyAccess],
		"RestartMode":   v.RestartMode,
		"RestartUSec":   shownSpan(v.RestartDelay),
		"RestartSteps":  strconv.Itoa(int(v.RestartSteps)),
		"PIDFile":       v.PIDFile,
		"BusName":       v.BusName,
		"User":          e.User,
		"Group":         e.Group,
		"TTYPath":       e.TTY.Path,
		"UMask":         fmt.Sprintf("%04o", e.UMask),
		"KillMode":      v.KillMode,
		"KillSignal":    strconv.Itoa(int(v.KillSignal)),
		"PAMName":       e.PAMName,
		"RootDirectory": e.RootDirectory,
		"RootImage":     e.RootImage,

		"TimeoutStartUSec":        shownSpan(v.TimeoutStart),
		"TimeoutStopUSec":         shownSpan(v.TimeoutStop),
		"TimeoutAbortUSec":        shownSpan(v.TimeoutAbort),
		"RuntimeMaxUSec":          shownSpan(v.RuntimeMax),
		"RestartMaxDelayUSec":     shownSpan(v.RestartMaxDelay),
		"StartLimitIntervalUSec":  shownSpan(v.StartLimitInterval),
		"StartLimitBurst":         strconv.Itoa(int(v.StartLimitBurst)),
		"TimeoutStartFailureMode": v.TimeoutStartFailure,
		"TimeoutStopFailureMode":  v.TimeoutStopFailure,
		"FileDescriptorStoreMax":  strconv.Itoa(int(v.FileDescriptorMax)),
		"FinalKillSignal":         strconv.Itoa(int(v.FinalSignal)),
		"WatchdogSignal":          strconv.Itoa(int(v.WatchSignal)),
		"ReloadSignal":            strconv.Itoa(int(v.ReloadSignal)),

		"SuccessExitStatus":        exitSet(&v.SuccessExit),
		"RestartPreventExitStatus": exitSet(&v.RestartPrevent),
		"RestartForceExitStatus":   exitSet(&v.RestartForce),

		"PrivateTmpEx":             map[string]string{"no": "no", "yes": "connected", "disconnected": "disconnected"}[e.PrivateTmp],
		"PrivateUsersEx":           e.PrivateUsers,
		"ProtectControlGroupsEx":   e.ProtectControlGroups,
		"ProtectSystem":            e.ProtectSystem,
		"ProtectHome":              e.ProtectHome,
		"ProtectProc":              e.ProtectProc,
		"ProcSubset":               e.ProcSubset,
		"RuntimeDirectoryPreserve": e.PreserveRuntimeDirectory,
		"NetworkNamespacePath":     e.NetworkNamespacePath,
		"IPCNamespacePath":         e.IPCNamespacePath,
		"UtmpIdentifier":           e.UtmpIdentifier,
		"UtmpMode":                 e.UtmpMode,

		"Environment":             shellWords(e.Environment),
		"UnsetEnvironment":        shellWords(e.UnsetEnvironment),
		"PassEnvironment":         strings.Join(e.PassEnvironment, " "),
		"SupplementaryGroups":     shellWords(e.SupplementaryGroups),
		"ReadWritePaths":          entries(e.ReadWrite),
		"ReadOnlyPaths":           entries(e.ReadOnly),
		"InaccessiblePaths":       entries(e.Inaccessible),
		"ExecPaths":               entries(e.ExecPaths),
		"NoExecPaths":             entries(e.NoExecPaths),
		"CapabilityBoundingSet":   bounding(e),
		"AmbientCapabilities":     capabilityNames(&e.AmbientCapabilities),
		"StandardInputData":       base64.StdEncoding.EncodeToString(e.StdinData),
		"SystemCallArchitectures": architectures(e.SystemCallArchs),
	}
	yes := func(name string, b bool) {
		p[name] = map[bool]string{true: "yes", false: "no"}[b]
	}
	yes("RemainAfterExit", v.RemainAfterExit)
	yes("GuessMainPID", v.GuessMainPID)
	yes("RootDirectoryStartOnly", v.RootStartOnly)
	yes("SendSIGKILL", v.SendSIGKILL)
	yes("SendSIGHUP", v.SendSIGHUP)
	yes("NonBlocking", v.NonBlocking)
	yes("PrivateDevices", e.PrivateDevices)
	yes("PrivateNetwork", e.PrivateNetwork)
	yes("PrivateIPC", e.PrivateIPC)
	yes("PrivateMounts", e.PrivateMounts != nil && *e.PrivateMounts)
	yes("ProtectKernelTunables", e.ProtectKernelTunables)
	yes("ProtectKernelModules", e.ProtectKernelModules)
	yes("ProtectKernelLogs", e.ProtectKernelLogs)
	yes("ProtectClock", e.ProtectClock)
	yes("NoNewPrivileges", e.NoNewPrivileges)
	yes("LockPersonality", e.LockPersonality)
	yes("MemoryDenyWriteExecute", e.MemoryDenyWriteExecute)
	yes("RestrictRealtime", e.RestrictRealtime)
	yes("RestrictSUIDSGID", e.RestrictSUIDSGID)
	yes("DynamicUser", e.DynamicUser)
	yes("RemoveIPC", e.RemoveIPC)
	yes("IgnoreSIGPIPE", e.IgnoreSIGPIPE)
	yes("DefaultDependencies", v.DefaultDependencies)
	yes("RefuseManualStart", v.RefuseManualStart)
	for i, name := range []string{"Runtime", "State", "Cache", "Logs", "Configuration"} {
		d := &e.Directories[i]
		var l []string
		for _, m := range d.List {
			l = append(l, m.Path)
		}
		p[name+"Directory"] = strings.Join(l, " ")
		p[name+"DirectoryMode"] = fmt.Sprintf("%04o", d.Mode)
	}
	for i, name := range limits {
		if r := e.Limits[i]; r != nil {
			p["Limit"+name], p["Limit"+name+"Soft"] = shownLimit(r.Max), shownLimit(r.Cur)
		}
	}
	if e.Nice != nil {
		p["Nice"] = strconv.Itoa(*e.Nice)
	}
	if e.OOMScoreAdjust != nil {
		p["OOMScoreAdjust"] = strconv.Itoa(*e.OOMScoreAdjust)
	}
	for name, l := range map[string][]service.Command{"ExecCondition": v.Condition, "ExecStartPre": v.StartPre, "ExecStart": v.Start,
		"ExecStartPost": v.StartPost, "ExecReload": v.Reload, "ExecStop": v.Stop, "ExecStopPost": v.StopPost} {
		p[name+"Ex"] = commands(l)
	}
	return p
}

var limits = map[int]string{unix.RLIMIT_CPU: "CPU", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_DATA: "DATA", unix.RLIMIT_STACK: "STACK",
	unix.RLIMIT_CORE: "CORE", unix.RLIMIT_RSS: "RSS", unix.RLIMIT_NPROC: "NPROC", unix.RLIMIT_NOFILE: "NOFILE", unix.RLIMIT_MEMLOCK: "MEMLOCK",
	unix.RLIMIT_AS: "AS", unix.RLIMIT_LOCKS: "LOCKS", unix.RLIMIT_SIGPENDING: "SIGPENDING", unix.RLIMIT_MSGQUEUE: "MSGQUEUE",
	unix.RLIMIT_NICE: "NICE", unix.RLIMIT_RTPRIO: "RTPRIO", unix.RLIMIT_RTTIME: "RTTIME"}

func shownLimit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "infinity"
	}
	return strconv.FormatUint(n, 10)
}

func shownSpan(d time.Duration) string {
	if d == service.Forever {
		return "infinity"
	}
	if d == 0 {
		return "0"
	}
	var l []string
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"y", 31557600 * time.Second}, {"month", 2629800 * time.Second}, {"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
		{"min", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}} {
		if n := d / u.d; n > 0 {
			l = append(l, strconv.Itoa(int(n))+u.name)
			d %= u.d
		}
	}
	return strings.Join(l, " ")
}

func exitSet(s *service.ExitSet) string {
	var l []string
	for i, b := range s.Codes {
		if b {
			l = append(l, strconv.Itoa(i))
		}
	}
	for i, b := range s.Signals {
		if b {
			name := strings.TrimPrefix(unix.SignalName(unix.Signal(i)), "SIG")
			if i >= unit.RTMin {
				name = "RTMIN+" + strconv.Itoa(i-unit.RTMin)
			}
			l = append(l, name)
		}
	}
	return strings.Join(l, " ")
}

func entries(l []service.PathEntry) string {
	var words []string
	for _, e := range l {
		s := e.Path
		if e.InRoot {
			s = "+" + s
		}
		if e.Optional {
			s = "-" + s
		}
		words = append(words, s)
	}
	return shellWords(words)
}

// shellWords joins words, quoted as the shell needs them.
func shellWords(l []string) string {
	var words []string
	for _, w := range l {
		if strings.ContainsAny(w, " \t\n\"'\\$`!*?[]{}()<>|&;~#") {
			w = "\"" + strings.NewReplacer("\"", "\\\"", "\\", "\\\\", "$", "\\$", "`", "\\`", "\t", "\\t").Replace(w) + "\""
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// bounding are the capabilities with what systemd takes away because of other settings, which sandbox/launch does here.
func bounding(e *service.Exec) string {
	set := ^uint64(0)
	if e.CapabilityBoundingSet != nil {
		set = *e.CapabilityBoundingSet
	}
	for _, p := range []struct {
		on   bool
		caps uint64
	}{{e.PrivateDevices, 1<<unix.CAP_MKNOD | 1<<unix.CAP_SYS_RAWIO}, {e.ProtectKernelModules, 1 << unix.CAP_SYS_MODULE},
		{e.ProtectKernelLogs, 1 << unix.CAP_SYSLOG}, {e.ProtectClock, 1<<unix.CAP_SYS_TIME | 1<<unix.CAP_WAKE_ALARM}} {
		if p.on {
			set &^= p.caps
		}
	}
	return capabilityNames(&set)
}

func capabilityNames(set *uint64) string {
	var l []string
	for i, name := range unit.CapabilityNames {
		if set == nil || *set&(1<<i) != 0 {
			l = append(l, "cap_"+name)
		}
	}
	return strings.Join(l, " ")
}

func architectures(l []string) string {
	l = slices.Clone(l)
	slices.Sort(l)
	return strings.Join(l, " ")
}

// commands are command lines as systemctl show has them, without what became of them.
func commands(l []service.Command) string {
	var all []string
	for _, c := range l {
		var flags []string
		for _, f := range []struct {
			flag service.CommandFlags
			name string
		}{{service.IgnoreFailure, "ignore-failure"}, {service.FullyPrivileged, "privileged"}, {service.NoSetUID, "no-setuid"},
			{service.NoExpansion, "no-env-expand"}, {service.ViaShell, "via-shell"}} {
			if c.Flags&f.flag != 0 {
				flags = append(flags, f.name)
			}
		}
		all = append(all, fmt.Sprintf("path=%s ; argv[]=%s ; flags=%s", c.Path, strings.Join(c.Argv, " "), strings.Join(flags, " ")))
	}
	return strings.Join(all, "\n")
}

// shown are the properties that systemctl show has written, of several units.
func shown(text string) (units []map[string]string) {
	for block := range strings.SplitSeq(text, "\n\n") {
		p := make(map[string]string)
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			if inner, ok := strings.CutPrefix(value, "{ "); ok && strings.HasPrefix(name, "Exec") {
				if i := strings.Index(inner, " ; start_time="); i > 0 {
					inner = inner[:i]
				}
				value = inner
			}
			if have, twice := p[name]; twice {
				value = have + "\n" + value
			}
			p[name] = value
		}
		units = append(units, p)
	}
	return units
}

// TestLoadProperties: what ctl has loaded of unit files is what systemd's manager has, as systemctl shows it.
func TestLoadProperties(t *testing.T) {
	m := machine(t)
	root := loadTree(t, m)
	cases := slices.Concat(listed(t, "services"), listed(t, "commands"), listed(t, "properties"))
	for i := range cases {
		cases[i].name = "shown" + cases[i].name
		write(t, root, cases[i])
	}
	install(t, m, cases)
	m.Shell(t, "systemctl daemon-reload")
	var names []string
	for _, c := range cases {
		names = append(names, c.name)
	}
	units := shown(m.Run(t, "systemctl show --all "+strings.Join(names, " ")).Stdout)
	if len(units) != len(cases) {
		t.Fatalf("%d units of %d", len(units), len(cases))
	}
	for i, c := range cases {
		u, err := loadService(t, root, c.name)
		state := "loaded"
		if e, ok := err.(*service.Error); ok {
			state = e.State
		}
		want := units[i]
		if want["LoadState"] != state {
			t.Errorf("%s: LoadState=%s, ctl %s\n%s", c.name, want["LoadState"], state, c.text)
			continue
		}
		if err != nil {
			continue
		}
		got := properties(u)
		for _, name := range slices.Sorted(maps.Keys(got)) {
			if w, ok := want[name]; ok && w != got[name] || !ok && strings.HasSuffix(name, "Ex") && got[name] != "" {
				t.Errorf("%s: %s=%s, ctl %s\n%s", c.name, name, w, got[name], c.text)
			}
		}
	}
}
