package sandbox

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/container"
	"ctl/sandbox/lock"
)

// rehearse is prepare that makes and takes nothing.
func (c *Call) rehearse() (*prepared, error) {
	o, p := &c.Opt, &prepared{}
	from := o.directory
	if o.template != "" {
		if _, err := os.Lstat(o.directory); err == nil {
			c.templateUnused()
		} else {
			p.copyTo, from = filepath.Clean(o.directory), o.template
		}
	}
	dir, mode, err := c.resolve(from)
	if err != nil {
		return nil, err
	}
	p.dir = dir
	switch {
	case o.ephemeral:
		p.copyTo = "a temporary directory"
	case p.copyTo != "":
		p.files, err = lock.Busy(p.copyTo, mode, os.Getenv)
	default:
		p.files, err = lock.Busy(dir, mode, os.Getenv)
	}
	if err != nil {
		return nil, unlocked(dir, err)
	}
	return p, c.looksLikeSystem(dir)
}

// showPlan prints what would be done, and fails as doing it would, as far as that can be known.
func (c *Call) showPlan(p *prepared) error {
	d, network, err := c.decide(p)
	if err != nil {
		return err
	}
	defer network.close()
	plan := c.plan(p, d)
	if c.Opt.format != term.NoJSON {
		c.print(c.Opt.format.Format(plan))
	} else {
		c.print(term.Plan(plan, planLabel))
	}
	return c.foresee(d)
}

// planLabel has the names of what does not tell by its own name what it is.
func planLabel(name string) string {
	switch name {
	case "uuid":
		return "UUID:"
	case "user_ids":
		return "User IDs:"
	case "outside":
		return "Made before the container has its namespaces:"
	case "inside":
		return "Mounted in its namespaces:"
	case "custom":
		return "Mounted because it was asked for:"
	}
	return ""
}

// foresee is what the start would fail with: sources that are missing and, unless something may be mounted over it, a program
// or a working directory that the tree does not have.
func (c *Call) foresee(d *container.Container) error {
	err := d.Sources(func(p string) error {
		_, err := os.Stat(p)
		isUpper := func(m container.Custom) bool { return m.Kind == container.Overlay && m.Upper() == p }
		if err != nil && !slices.ContainsFunc(d.Mounts, isUpper) { // which is made
			return fmt.Errorf("Failed to clone %s: %w", p, errno(err))
		}
		return nil
	})
	if err != nil || len(d.Mounts) > 0 || d.PivotRoot[0] != "" || d.Volatile == container.VolatileYes {
		return err
	}
	t, err := tree.Open(d.Tree)
	if err != nil {
		return err
	}
	defer t.Close()
	missing := func(what, name string) error {
		if _, err := t.Stat(name); err != nil {
			return c.neverRan(&container.PayloadFailure{Failure: container.Failure{What: what, Err: err}}, false)
		}
		return nil
	}
	if dir := d.Process.Dir; dir != "" && !api(dir) {
		if err := missing("Failed to change to specified working directory "+dir, dir); err != nil {
			return err
		}
	}
	name := d.Process.Argv[0]
	for _, p := range d.Process.Paths {
		if !path.IsAbs(p) {
			p = path.Join("/", d.Process.Dir, p)
		}
		if name == "" {
			name = p
		}
		if _, err := t.Stat(p); err == nil || api(p) {
			return nil
		}
	}
	return missing("execv("+name+") failed", d.Process.Paths[len(d.Process.Paths)-1])
}

// api tells whether a path is below one of the file systems that every container gets.
func api(p string) bool {
	return slices.ContainsFunc([]string{"/dev/", "/proc/", "/run/", "/sys/", "/tmp/"}, func(dir string) bool { return strings.HasPrefix(p+"/", dir) })
}

// plan describes what would be done. What is empty is left out.
func (c *Call) plan(p *prepared, d *container.Container) term.Object {
	o := &c.Opt
	var plan term.Object
	add := func(name string, v term.Value) {
		if l, ok := v.([]term.Value); v != "" && v != nil && (!ok || len(l) > 0) {
			plan = append(plan, term.Member{Name: name, Value: v})
		}
	}
	if p.copyTo != "" {
		add("tree", p.copyTo)
		add("copy_of", p.dir)
	} else {
		add("tree", p.dir)
	}
	add("partitions", values(p.parts))
	add("read_only", d.ReadOnly)
	add("volatile", d.Volatile.String())
	add("pivot_root", strings.TrimSuffix(strings.Join(d.PivotRoot[:], ":"), ":"))
	add("locks", values(p.files))
	add("machine", o.machine)
	add("hostname", d.Identity.Hostname)
	add("uuid", unit.UUID(d.Identity.UUID))
	if !o.keepUnit && managed() {
		add("scope", o.machine+".scope")
		add("slice", c.slice())
	} else {
		add("cgroup", ownPayload())
	}
	add("namespaces", values(d.Names()))
	add("network_interfaces", values(o.interfaces))
	if o.veth {
		add("network_veth", "host0")
	}
	add("network_veth_extra", values(o.vethExtra))
	add("network_macvlan", values(o.macvlan))
	add("network_ipvlan", values(o.ipvlan))
	add("network_bridge", o.bridge+o.zone)
	add("ports", values(o.ports))
	if d.Users != nil {
		add("user_ids", d.Users.String())
		owners := d.Users.Owner.String()
		if o.ownership == ownedByChown {
			owners = "changed"
		}
		add("ownership", owners)
	}
	add("console", o.console)
	add("argv", values(d.Process.Argv))
	add("tried", values(d.Process.Paths))
	add("stub", d.Process.Stub)
	add("directory", d.Process.Dir)
	if d.User != nil {
		add("user", d.User.Name+" ("+strconv.Itoa(int(d.User.UID))+":"+strconv.Itoa(int(d.User.GID))+")")
	}
	if o.killSignal != 0 {
		add("kill_signal", signalName(o.killSignal))
	}
	add("environment", values(d.Process.Env))
	var secrets []string
	for _, s := range d.Creds {
		secrets = append(secrets, s.Name)
	}
	add("credentials", values(secrets))
	c.planLimits(d, add)
	add("resolv_conf", d.ResolvConf.String())
	add("time_zone", d.Timezone.String())
	add("link_journal", o.linkJournal)
	outside := d.Steps()
	first := len(outside) - len(d.Mounts)
	add("outside", steps(outside[:first]))
	add("inside", steps(d.Inside()))
	add("custom", customs(d.Mounts))
	return plan
}

// planLimits describes what the payload may do and use.
func (c *Call) planLimits(d *container.Container, add func(string, term.Value)) {
	l := &d.Limit
	add("capabilities", values(capabilitiesOf(l.Capabilities&container.Capabilities())))
	add("ambient_capabilities", values(capabilitiesOf(l.Ambient)))
	add("no_new_privileges", l.NoNewPrivileges)
	add("hardened", l.Hardened)
	if len(l.Filters) == 0 {
		add("system_call_filter", "none")
	} else {
		whose := "those of a container with these capabilities, "
		if c.Opt.seccomp != nil {
			whose = "the bundle's, "
		}
		add("system_call_filter", whose+strconv.Itoa(len(l.Filters[0]))+" instructions")
		add("system_calls_allowed", values(c.Opt.allowCalls))
		add("system_calls_denied", values(c.Opt.denyCalls))
		add("address_families_restricted", c.Opt.restricted)
		add("sync_suppressed", c.Opt.suppressSync)
	}
	limit := func(n uint64) string {
		if n == unix.RLIM_INFINITY {
			return "infinity"
		}
		return strconv.FormatUint(n, 10)
	}
	var limits []string
	for _, r := range rlimitNames {
		if v := l.Rlimits[r.number]; v != nil {
			limits = append(limits, r.name+"="+limit(v.Cur)+":"+limit(v.Max))
		}
	}
	add("limits", values(limits))
	if l.OOMScoreAdjust != nil {
		add("oom_score_adjust", *l.OOMScoreAdjust)
	}
	add("personality", c.Opt.personality)
	if l.Affinity != nil {
		add("cpus", l.Affinity.Count())
	}
}

func capabilitiesOf(set uint64) []string {
	var l []string
	for i, name := range capabilityNames {
		if set&(1<<i) != 0 {
			l = append(l, name)
		}
	}
	return l
}

func signalName(n int) string {
	if name := unix.SignalName(syscall.Signal(n)); name != "" {
		return name
	}
	return "SIGRTMIN+" + strconv.Itoa(n-34)
}

// ownPayload is the path of the cgroup that the container would have below ours, "" for none.
func ownPayload() string {
	own, ok := cgroup.Of("self")
	if !ok {
		return ""
	}
	return path.Join(strings.TrimSuffix(own, "/supervisor"), "payload")
}

func values(l []string) []term.Value {
	var v []term.Value
	for _, s := range l {
		v = append(v, s)
	}
	return v
}

// steps describes steps.
func steps(l []container.Step) []term.Value {
	var all []term.Value
	for i := range l {
		s := &l[i]
		object := term.Object{{Name: "do", Value: s.Do.String()}, {Name: "target", Value: s.Target}}
		add := func(name string, v term.Value) {
			if v != "" {
				object = append(object, term.Member{Name: name, Value: v})
			}
		}
		add("type", s.Type)
		add("source", s.Source)
		add("attributes", strings.Join(container.AttributeNames(s.Attr), ","))
		add("options", strings.Join(s.Options, ","))
		switch s.Do {
		case container.Directory, container.Write, container.Node:
			add("mode", fmt.Sprintf("%04o", s.Mode&0o7777))
		case container.Device:
			add("device", fmt.Sprintf("%d:%d", unix.Major(uint64(s.Device)), unix.Minor(uint64(s.Device))))
		}
		add("why", s.Why)
		if s.May {
			add("optional", true)
		}
		all = append(all, object)
	}
	return all
}

// customs describes the mounts that were asked for.
func customs(l []container.Custom) []term.Value {
	var all []term.Value
	for i := range l {
		m := &l[i]
		object := term.Object{{Name: "do", Value: m.Kind.String()}, {Name: "target", Value: m.Target}}
		source := m.Source
		switch {
		case m.InTree:
			source = "+" + source
		case source == "" && (m.Kind == container.Bind || m.Kind == container.Overlay && !m.ReadOnly):
			source = "a temporary directory"
		}
		var attributes []string
		if m.ReadOnly {
			attributes = append(attributes, "ro")
		}
		if m.Shallow {
			attributes = append(attributes, "norbind")
		}
		if m.Map != container.NoMap {
			attributes = append(attributes, m.Map.String())
		}
		for _, a := range [][2]string{{"source", source}, {"lower", strings.Join(m.Lower, ":")}, {"attributes", strings.Join(attributes, ",")}, {"options", m.Options}} {
			if a[1] != "" {
				object = append(object, term.Member{Name: a[0], Value: a[1]})
			}
		}
		all = append(all, object)
	}
	return all
}
