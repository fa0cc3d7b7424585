package run

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/launch"
	"ctl/sandbox/namespace"
	"ctl/sandbox/service"
)

// show prints what would be done.
func (c *Call) show(s *set) error {
	var plans []term.Value
	for _, k := range s.sockets {
		plans = append(plans, c.socketPlan(k))
	}
	for _, v := range s.services {
		p, err := c.servicePlan(v)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
		plans = append(plans, p)
	}
	if c.Opt.format != term.NoJSON {
		c.print(c.Opt.format.Format(plans))
		return nil
	}
	for i, p := range plans {
		if i > 0 {
			c.print("\n")
		}
		c.print(term.Plan(p.(term.Object), label))
	}
	return nil
}

func label(name string) string {
	switch name {
	case "mounts":
		return "Mounts, with the settings that ask for them:"
	case "commands":
		return "Commands:"
	}
	return ""
}

// A planner gathers the members of a plan. What is empty is left out.
type planner term.Object

func (p *planner) add(name string, v term.Value) {
	l, isList := v.([]term.Value)
	if v == nil || v == "" || v == false || isList && len(l) == 0 {
		return
	}
	*p = append(*p, term.Member{Name: name, Value: v})
}

func (p *planner) list(name string, l []string) {
	var v []term.Value
	for _, s := range l {
		v = append(v, s)
	}
	p.add(name, v)
}

func (p *planner) unit(u *service.Unit) {
	p.add("unit", u.Name)
	p.add("description", u.Description)
	p.add("file", u.Path)
	p.list("drop_ins", u.DropIns)
	var notices []string
	for _, n := range u.Notices {
		notices = append(notices, n.String())
	}
	p.list("notices", notices)
}

func (c *Call) socketPlan(k *service.Socket) term.Object {
	var p planner
	p.unit(&k.Unit)
	var listen []string
	for _, a := range k.Listen {
		listen = append(listen, a.Setting+" "+a.Address)
	}
	p.list("listens", listen)
	p.add("service", k.Service)
	p.add("accept", k.Accept)
	return term.Object(p)
}

func (c *Call) servicePlan(v *service.Service) (term.Object, error) {
	main := service.Command{}
	if len(v.Start) > 0 {
		main = v.Start[0]
	}
	host := &launch.Host{Tree: c.Opt.root, User: c.Opt.scope == user}
	d, err := launch.Describe(host, &v.Exec, &v.Unit, launch.Request{Command: main})
	if err != nil {
		return nil, err
	}
	var p planner
	p.unit(&v.Unit)
	p.add("type", typeNames[v.Type])
	p.add("restart", restartNames[v.Restart])
	p.commands(v)
	p.add("timeout_start", spanText(v.TimeoutStart))
	p.add("timeout_stop", spanText(v.TimeoutStop))
	p.add("root_directory", v.RootDirectory+v.RootImage)
	if v.DynamicUser {
		d.User = v.User + " (made up at the start)"
	}
	p.add("user", d.User)
	p.list("groups", d.Groups)
	p.add("working_directory", directory(v.WorkingDirectory))
	p.list("environment", d.Environment)
	p.list("namespaces", d.Namespaces)
	p.add("mounts", mountPlan(d))
	p.directories(v)
	p.list("capabilities", capabilities(d.Capabilities))
	p.list("ambient", capabilities(d.Ambient))
	p.add("no_new_privileges", v.NoNewPrivileges)
	p.filters(&v.Exec, d)
	p.limits(&v.Exec)
	return term.Object(p), nil
}

var typeNames = [...]string{"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"}

var restartNames = [...]string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}

// commands are all command lines, with their prefixes, in the order in which they are run.
func (p *planner) commands(v *service.Service) {
	var l []string
	for _, k := range [...]struct {
		name string
		list []service.Command
	}{{"ExecCondition", v.Condition}, {"ExecStartPre", v.StartPre}, {"ExecStart", v.Start}, {"ExecStartPost", v.StartPost}, {"ExecReload", v.Reload},
		{"ExecReloadPost", v.ReloadPost}, {"ExecStop", v.Stop}, {"ExecStopPost", v.StopPost}} {
		for _, cmd := range k.list {
			l = append(l, k.name+"="+prefixes(cmd)+strings.Join(quotedWords(cmd), " "))
		}
	}
	p.list("commands", l)
}

func prefixes(cmd service.Command) string {
	s := ""
	for _, f := range [...]struct {
		flag service.CommandFlags
		sign string
	}{{service.IgnoreFailure, "-"}, {service.NoExpansion, ":"}, {service.FullyPrivileged, "+"}, {service.NoSetUID, "!"}, {service.ViaShell, "|"}} {
		if cmd.Flags&f.flag != 0 {
			s += f.sign
		}
	}
	return s
}

func quotedWords(cmd service.Command) []string {
	words := append([]string{cmd.Path}, cmd.Argv[min(1, len(cmd.Argv)):]...)
	for i, w := range words {
		if q := strconv.Quote(w); len(q) != len(w)+2 || w == "" || strings.Contains(w, " ") {
			words[i] = q
		}
	}
	return words
}

func spanText(d time.Duration) string {
	if d == service.Forever {
		return "infinity"
	}
	return d.String()
}

func directory(w service.WorkingDirectory) string {
	if w.Home {
		return "~"
	}
	return w.Path
}

// mountPlan describes mounts as a list of steps.
func mountPlan(d *launch.Description) []term.Value {
	var all []term.Value
	for i := range d.Mounts {
		m := &d.Mounts[i]
		o := planner{{Name: "do", Value: m.Kind.String()}, {Name: "target", Value: m.Path}}
		o.add("source", m.Source)
		attributes := container.AttributeNames(m.Attr)
		for _, a := range [...]struct {
			on   bool
			name string
		}{{m.ReadOnly && m.Kind != namespace.ReadOnly, "ro"}, {m.NoExec, "noexec"}, {m.Exec, "exec"}, {m.NoSUID || d.NoSUID, "nosuid"}} {
			if a.on {
				attributes = append(attributes, a.name)
			}
		}
		o.add("attributes", strings.Join(attributes, ","))
		o.add("options", strings.Join(m.Options, ","))
		o.add("why", m.Why)
		if m.Optional {
			o.add("optional", true)
		}
		all = append(all, term.Object(o))
	}
	return all
}

func (p *planner) directories(v *service.Service) {
	var l []string
	for k, top := range [...]string{"/run", "/var/lib", "/var/cache", "/var/log", "/etc"} {
		d := &v.Directories[k]
		for _, m := range d.List {
			l = append(l, fmt.Sprintf("%s/%s mode %04o", top, m.Path, d.Mode))
		}
	}
	p.list("directories", l)
}

// capabilities are the names of a set, "all" for all that the kernel has.
func capabilities(set uint64) []string {
	all := container.Capabilities()
	if set&all == all {
		return []string{"all"}
	}
	var l []string
	for i, name := range unit.CapabilityNames {
		if set&(1<<i) != 0 {
			l = append(l, "cap_"+name)
		}
	}
	if len(l) == 0 && set == 0 {
		return nil
	}
	return l
}

// filters describes what of the kernel's interface is closed.
func (p *planner) filters(e *service.Exec, d *launch.Description) {
	var l []string
	for _, f := range [...]struct {
		on   bool
		text string
	}{
		{e.MemoryDenyWriteExecute, "MemoryDenyWriteExecute: memory both written and executed"},
		{e.RestrictRealtime, "RestrictRealtime: realtime scheduling"},
		{e.RestrictSUIDSGID, "RestrictSUIDSGID: files set-user-ID or set-group-ID"},
		{e.LockPersonality, "LockPersonality: another personality"},
		{e.ProtectHostname == "yes", "ProtectHostname: sethostname setdomainname"},
		{e.ProtectKernelTunables, "ProtectKernelTunables: _sysctl"},
		{e.ProtectKernelModules, "ProtectKernelModules: @module"},
		{e.ProtectKernelLogs, "ProtectKernelLogs: syslog"},
		{e.ProtectClock, "ProtectClock: @clock"},
		{e.PrivateDevices, "PrivateDevices: @raw-io"},
	} {
		if f.on {
			l = append(l, f.text)
		}
	}
	if r := e.RestrictNamespaces; r != nil {
		var closed []string
		for _, k := range unit.NamespaceKinds {
			if uint64(*r)&k.Flag == 0 {
				closed = append(closed, k.Name)
			}
		}
		l = append(l, "RestrictNamespaces: "+strings.Join(closed, " "))
	}
	if f := e.AddressFamilies; f != nil {
		text := "RestrictAddressFamilies: all but " + strings.Join(f.Names, " ")
		if f.Deny {
			text = "RestrictAddressFamilies: " + strings.Join(f.Names, " ")
		} else if len(f.Names) == 0 {
			text = "RestrictAddressFamilies: all"
		}
		l = append(l, text)
	}
	if len(e.SystemCallArchs) > 0 {
		l = append(l, "SystemCallArchitectures: all but "+strings.Join(e.SystemCallArchs, " "))
	}
	if s := e.SystemCallFilter; s != nil {
		l = append(l, "SystemCallFilter: "+callList(s))
	}
	p.list("refused", l)
	if e.SystemCallErrno != nil {
		p.add("system_call_error", unix.ErrnoName(syscall.Errno(*e.SystemCallErrno)))
	}
	if d.Instructions > 0 {
		p.add("filter_instructions", d.Instructions)
	}
}

func callList(s *service.SystemCalls) string {
	var listed, against []string
	for _, w := range s.Words {
		if w.Invert {
			against = append(against, w.Word)
		} else {
			listed = append(listed, w.Word)
		}
	}
	text := strings.Join(listed, " ")
	if s.Deny && len(against) > 0 {
		return text + ", but not " + strings.Join(against, " ")
	} else if s.Deny {
		return text
	}
	text = "all but @default " + text
	if len(against) > 0 {
		text += ", and of these " + strings.Join(against, " ")
	}
	return text
}

var limitNames = [...]string{unix.RLIMIT_CPU: "CPU", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_DATA: "DATA", unix.RLIMIT_STACK: "STACK",
	unix.RLIMIT_CORE: "CORE", unix.RLIMIT_RSS: "RSS", unix.RLIMIT_NPROC: "NPROC", unix.RLIMIT_NOFILE: "NOFILE", unix.RLIMIT_MEMLOCK: "MEMLOCK",
	unix.RLIMIT_AS: "AS", unix.RLIMIT_LOCKS: "LOCKS", unix.RLIMIT_SIGPENDING: "SIGPENDING", unix.RLIMIT_MSGQUEUE: "MSGQUEUE",
	unix.RLIMIT_NICE: "NICE", unix.RLIMIT_RTPRIO: "RTPRIO", unix.RLIMIT_RTTIME: "RTTIME"}

func (p *planner) limits(e *service.Exec) {
	value := func(n uint64) string {
		if n == unix.RLIM_INFINITY {
			return "infinity"
		}
		return strconv.FormatUint(n, 10)
	}
	var l []string
	for i, r := range e.Limits {
		if r != nil {
			l = append(l, limitNames[i]+"="+value(r.Cur)+":"+value(r.Max))
		}
	}
	p.list("limits", l)
	if e.OOMScoreAdjust != nil {
		p.add("oom_score_adjust", *e.OOMScoreAdjust)
	}
	if e.Nice != nil {
		p.add("nice", *e.Nice)
	}
}
