package sandbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/seccomp"
)

// defaultCapabilities are what a container keeps of what its caller may do.
const defaultCapabilities = 1<<unix.CAP_AUDIT_CONTROL | 1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE |
	1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID | 1<<unix.CAP_IPC_OWNER | 1<<unix.CAP_KILL |
	1<<unix.CAP_LEASE | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MKNOD | 1<<unix.CAP_NET_BIND_SERVICE |
	1<<unix.CAP_NET_BROADCAST | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_SETFCAP | 1<<unix.CAP_SETGID | 1<<unix.CAP_SETPCAP |
	1<<unix.CAP_SETUID | 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SYS_BOOT | 1<<unix.CAP_SYS_CHROOT | 1<<unix.CAP_SYS_NICE |
	1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_SYS_RESOURCE | 1<<unix.CAP_SYS_TTY_CONFIG

// hardenedDrops are what a container that is not trusted does not keep.
const hardenedDrops = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SYS_PTRACE | 1<<unix.CAP_MKNOD | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_SYS_RESOURCE |
	1<<unix.CAP_SYS_NICE | 1<<unix.CAP_SYS_TTY_CONFIG | 1<<unix.CAP_AUDIT_CONTROL | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_NET_BROADCAST |
	1<<unix.CAP_IPC_OWNER | 1<<unix.CAP_LEASE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_NET_ADMIN

// inits are the programs tried for --boot.
var inits = [...]string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// describe makes of what was asked for the description of a container whose tree is at dir.
func (c *Call) describe(dir string) (*container.Container, error) {
	o := &c.Opt
	t, err := c.openRoot(dir)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	d := &container.Container{
		Tree: dir, ReadOnly: o.readOnly, Volatile: o.volatile, PivotRoot: o.pivotRoot,
		Mounts: slices.Clone(o.mounts), ResolvConf: o.resolvConf, Timezone: o.timezone,
		Nodes: o.devices, Namespace: container.Namespaces{PID: !c.shared("PID"), IPC: !c.shared("IPC"), UTS: !c.shared("UTS"), Cgroup: c.ownCgroups(),
			Network: o.privateNetwork && o.networkPath == "", NetworkView: o.privateNetwork, Queues: o.namespaces != nil},
	}
	if d.Creds, err = c.secrets(); err != nil {
		return nil, err
	}
	if o.forwardJournal != "" {
		d.Mounts = append(d.Mounts, container.Custom{Kind: container.Bind, Source: c.forwardSocket(), Target: forwardTarget, ReadOnly: true})
	}
	for i, m := range d.Mounts {
		if simplified(m.Target) != path.Clean(m.Target) {
			if d.Mounts[i].Target, err = t.Resolve(m.Target, true); err != nil {
				return nil, fmt.Errorf("Failed to resolve %s: %w", m.Target, errno(err))
			}
		}
		if m.Kind == container.Bind && m.Options != "" {
			return nil, cli.Usage("Invalid bind mount option: " + m.Options)
		}
	}
	if !o.dryRun {
		if err := c.temporaries(d.Mounts); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(d.Mounts, func(a, b container.Custom) int { return strings.Compare(a.Target, b.Target) })
	d.Label = o.mountLabel
	d.Journal = o.linkJournal != "no" && !o.ephemeral
	if b, ok := unit.Boolean(os.Getenv("SYSTEMD_NSPAWN_TMPFS_TMP")); ok && !b {
		d.NoTmp = true
	}
	switch v := os.Getenv("SYSTEMD_NSPAWN_API_VFS_WRITABLE"); v {
	case "", "network":
		if v == "network" || o.privateNetwork && v != "" {
			d.Writable = container.WriteNetwork
		}
	default:
		if b, _ := unit.Boolean(v); b {
			d.Writable = container.WriteAll
		}
	}
	id, err := c.machineID(t)
	if err != nil {
		return nil, fmt.Errorf("Failed to read machine ID from container image: %w", errno(err))
	}
	d.Identity = container.Identity{Hostname: o.hostname, Manager: "systemd-nspawn", UUID: id}
	if d.Identity.Hostname == "" {
		d.Identity.Hostname = o.machine
	}
	if v := os.Getenv("SYSTEMD_NSPAWN_CONTAINER_SERVICE"); v != "" {
		d.Identity.Manager = v
	}
	if o.noUser {
		return nil, cli.Usage("Failed to resolve user .")
	}
	if o.uid != noID {
		d.User = &container.User{UID: o.uid, GID: o.gid, Groups: o.groups}
	} else if o.user != "" && o.user != "root" && o.user != "0" {
		if d.User, err = lookUpUser(c.view(t, d.Mounts), o.user); err != nil {
			return nil, err
		}
		d.User.Name = o.user // which may be a number
	}
	if err := c.limits(d); err != nil {
		return nil, err
	}
	c.process(d, t)
	return d, nil
}

// shared tells whether an option, the environment or a bundle says that a namespace is not to be made.
func (c *Call) shared(name string) bool {
	if c.Opt.shareSystem || c.Opt.namespaces != nil && !slices.Contains(c.Opt.namespaces, strings.ToLower(name)) {
		return true
	}
	for _, v := range []string{"SYSTEMD_NSPAWN_SHARE_NS_" + name, "SYSTEMD_NSPAWN_SHARE_SYSTEM"} {
		if b, ok := unit.Boolean(os.Getenv(v)); ok && b {
			return true
		}
	}
	return false
}

// ownCgroups tells whether the container is to see the cgroups from its own down only.
func (c *Call) ownCgroups() bool {
	b, ok := unit.Boolean(os.Getenv("SYSTEMD_NSPAWN_USE_CGNS"))
	if !ok && c.Opt.namespaces != nil {
		return slices.Contains(c.Opt.namespaces, "cgroup")
	}
	return b || !ok
}

// machineID is the tree's own, the one asked for, or a random one.
func (c *Call) machineID(t *tree.Tree) (string, error) {
	if c.Opt.volatile == container.VolatileYes { // it is in memory only
	} else if data, _, err := t.ReadFile("/etc/machine-id", 4096); err == nil {
		id, err := unit.MachineID(data)
		if err == nil || !errors.Is(err, unix.ENOMEDIUM) && !errors.Is(err, unix.ENOPKG) {
			return id, err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if c.Opt.uuid == "" {
		var b [16]byte
		sys.Random(b[:])
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		c.Opt.uuid = hex.EncodeToString(b[:])
	}
	return c.Opt.uuid, nil
}

// capabilitiesKept are those of a container, which may have user IDs of its own.
func (c *Call) capabilitiesKept(users bool) uint64 {
	o := &c.Opt
	keep := uint64(defaultCapabilities)
	if o.hardened {
		keep &^= hardenedDrops
	}
	keep |= o.retain
	if o.privateNetwork && !o.hardened {
		keep |= 1 << unix.CAP_NET_ADMIN
	}
	if users && !o.privateNetwork {
		keep &^= 1 << unix.CAP_NET_BIND_SERVICE
	}
	return keep &^ o.drop
}

// limits decides what the payload may do and use.
func (c *Call) limits(d *container.Container) error {
	o, l := &c.Opt, &d.Limit
	keep := c.capabilitiesKept(d.Users != nil)
	if o.ambient&^keep != 0 {
		return errAmbient
	}
	l.Capabilities, l.Ambient, l.NoNewPrivileges, l.Hardened = keep, o.ambient, o.noNewPrivileges || o.hardened, o.hardened
	if o.capabilities != nil {
		o.capabilities.limit(l, d.User == nil || d.User.UID == 0)
	}
	l.OOMScoreAdjust, l.Affinity, l.Personality = o.oomScoreAdjust, o.affinity, personalityOf(o.personality)
	if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil { // elsewhere it means nothing
		l.Label = o.label
	}
	l.Rlimits = o.rlimits
	for i, r := range defaultLimits() {
		if l.Rlimits[i] == nil {
			l.Rlimits[i] = r
		}
	}
	for _, n := range rlimitNames {
		if r := o.rlimits[n.number]; r != nil && r.Cur > r.Max {
			return cli.Usage("Failed to apply resource limit RLIMIT_" + n.name + ": " + strerror(unix.EINVAL))
		}
	}
	if on, ok := unit.Boolean(os.Getenv("SYSTEMD_SECCOMP")); ok && !on && !o.hardened {
		return nil
	}
	p, unknown := c.policy(keep)
	for _, u := range unknown {
		for _, abi := range seccomp.Local() {
			if !c.warned {
				c.say(term.Warning, "Failed to add rule for system call "+u+" on "+abi.String()+", ignoring: Invalid argument")
			}
		}
	}
	c.warned = true
	if o.restricted {
		p.RestrictAddressFamilies(o.families)
	}
	if o.suppressSync {
		p.SuppressSync()
	}
	if d.Users == nil {
		p.NoForeignKeys()
	}
	if o.hardened {
		p.Hardened()
	} else if o.console == "pipe" && (isTerminal(os.Stdin) || isTerminal(os.Stdout) || isTerminal(os.Stderr)) {
		p.NoTyping()
	}
	if code := p.Program(); code != nil { // a bundle may allow all
		l.Filters = [][]unix.SockFilter{code}
	}
	return nil
}

// defaultLimits are those of the kernel's first process, but for the number of files.
func defaultLimits() [16]*unix.Rlimit {
	const infinity = unix.RLIM_INFINITY
	files := uint64(512 << 10)
	if data, err := sys.ReadFile("/proc/sys/fs/nr_open"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64); err == nil {
			files = min(files, n)
		}
	}
	l := [16]*unix.Rlimit{
		unix.RLIMIT_STACK: {Cur: 8 << 20, Max: infinity}, unix.RLIMIT_CORE: {Cur: 0, Max: infinity},
		unix.RLIMIT_NOFILE: {Cur: 1024, Max: files}, unix.RLIMIT_MEMLOCK: {Cur: 8 << 20, Max: 8 << 20},
		unix.RLIMIT_MSGQUEUE: {Cur: 819200, Max: 819200}, unix.RLIMIT_NICE: {}, unix.RLIMIT_RTPRIO: {},
	}
	for _, i := range []int{unix.RLIMIT_CPU, unix.RLIMIT_FSIZE, unix.RLIMIT_DATA, unix.RLIMIT_RSS, unix.RLIMIT_AS, unix.RLIMIT_LOCKS, unix.RLIMIT_RTTIME} {
		l[i] = &unix.Rlimit{Cur: infinity, Max: infinity}
	}
	for _, i := range []int{unix.RLIMIT_NPROC, unix.RLIMIT_SIGPENDING} {
		var r unix.Rlimit
		if unix.Prlimit(1, i, nil, &r) == nil || unix.Getrlimit(i, &r) == nil {
			l[i] = &r
		}
	}
	return l
}

// process decides what is executed.
func (c *Call) process(d *container.Container, t *tree.Tree) {
	o, p := &c.Opt, &d.Process
	home, shell, name := "/root", "/bin/bash", "root"
	if o.uid != noID { // who it is, nobody has said
		if o.uid != 0 {
			home, name = "", ""
		}
	} else if d.User != nil {
		home, name = d.User.Home, d.User.Name
		if d.User.Shell != "" {
			shell = d.User.Shell
		}
	} else if o.user != "" { // root by name or number
		name = o.user
		if u, err := lookUpUser(c.view(t, d.Mounts), name); err == nil && u.Shell != "" {
			shell = u.Shell
		}
	}
	args := c.Args
	if len(args) == 0 {
		args = o.parameters
	}
	p.Dir = o.chdir
	env := []string{"PATH=" + defaultPath, "container=" + d.Identity.Manager, "TERM=" + c.terminal()}
	var variables []string
	switch {
	case o.start == startBoot:
		rest := []string{""}
		for _, a := range args {
			// As the kernel does with what it does not know on its command line.
			if key, value, ok := strings.Cut(a, "="); ok && !strings.Contains(key, ".") && variableName(strings.ReplaceAll(key, "-", "_")) {
				variables = append(variables, strings.ReplaceAll(key, "-", "_")+"="+value)
			} else {
				rest = append(rest, a)
			}
		}
		p.Argv, p.Paths = rest, inits[:]
	case len(args) > 0:
		p.Argv = args
		p.Paths = searchPath(args[0], append(env, o.setenv...))
	default:
		if p.Dir == "" {
			p.Dir = home
		}
		p.Argv, p.Login = []string{""}, true
		p.Paths = []string{shell, "/bin/bash", "/bin/sh"}
	}
	for _, v := range []string{"COLORTERM", "NO_COLOR"} {
		if x, ok := os.LookupEnv(v); ok && o.console != "pipe" {
			env = append(env, v+"="+x)
		}
	}
	if home != "" {
		env = append(env, "HOME="+home, "USER="+name, "LOGNAME="+name)
	}
	env = append(env, "container_uuid="+unit.UUID(d.Identity.UUID), "NOTIFY_SOCKET=/run/host/notify")
	if len(d.Creds) > 0 {
		env = append(env, "CREDENTIALS_DIRECTORY=/run/host/credentials")
	}
	if o.start != startBoot {
		env = append(env, "LANG=C.UTF-8")
	}
	env = append(env, hostRelease()...)
	p.Env = environment(env, append(variables, o.setenv...))
	p.Stub = o.start == startStub
}

// environment is env with what overrides it; the last of each name counts.
func environment(env, more []string) []string {
	for _, v := range more {
		name, _, _ := strings.Cut(v, "=")
		if i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") }); i >= 0 {
			env[i] = v
		} else {
			env = append(env, v)
		}
	}
	return env
}

// searchPath is where a program may be, execvp(3).
func searchPath(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	list := defaultPath
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			list = p
		}
	}
	var l []string
	for dir := range strings.SplitSeq(list, ":") {
		l = append(l, path.Join("/", dir, name))
	}
	return l
}

// hostRelease tells the container what the host is.
func hostRelease() []string {
	data, err := sys.ReadFile("/etc/os-release")
	if err != nil {
		if data, err = sys.ReadFile("/usr/lib/os-release"); err != nil {
			return nil
		}
	}
	var env []string
	for _, name := range []string{"ID", "VERSION_ID", "BUILD_ID", "VARIANT_ID"} {
		if v := unit.EnvFile(data, name); v != "" {
			env = append(env, "container_host_"+strings.ToLower(name)+"="+v)
		}
	}
	return env
}

// terminal is the container's TERM: the caller's, if there is one to speak of.
func (c *Call) terminal() string {
	if t := os.Getenv("TERM"); c.Opt.console != "pipe" && t != "" {
		return t
	}
	return "dumb"
}
