package container

import (
	"encoding/hex"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/unit"
	"ctl/sandbox/mount"
	"ctl/sandbox/program"
)

// A payload makes the program that the container's first process runs until it is what was asked for.
type payload struct {
	program.Program
	c       *Container
	b       *builder
	socket  int // to the supervisor: one byte each way, twice with a user namespace
	report  int
	order   [2]int // a pipe whose end the stub closes when it is ready
	own     uint64 // the capabilities that we have
	lastCap int    // and the highest one that there is
	given   int    // how many descriptors the payload has

	settable bool // the kernel has mount_setattr(2)
}

// say adds telling the supervisor, which learns the process's ID by that, that it is needed.
func (p *payload) say(about string) {
	p.Sys(about, program.None, unix.SYS_WRITE, p.socket, "", 1).Want = 1
}

// hear adds waiting for the answer.
func (p *payload) hear(about string) {
	var answer [1]byte
	p.Sys(about, program.None, unix.SYS_READ, p.socket, program.Address(&p.Program, &answer), 1).Want = 1
}

// newPayload makes the program.
func newPayload(c *Container, b *builder, supervisor, socket, report int, order [2]int) *payload {
	p := &payload{c: c, b: b, socket: socket, report: report, order: order, own: Capabilities(), lastCap: LastCapability(), settable: mount.Settable()}
	p.Sys("close", program.None, unix.SYS_CLOSE, supervisor) // so that its end is noticed, even this early
	if c.Users != nil {
		p.say("get user IDs")
		p.hear("get user IDs")
		p.Sys("become root", program.None, program.SysSetresgid, 0, 0, 0)
		p.Sys("become root", program.None, program.SysSetresuid, 0, 0, 0)
		p.Sys("become root", program.None, program.SysSetgroups, 0, nil).Allow(unix.EPERM) // user_namespaces(7): not for all
		p.enterRoot()
	}
	p.say("be registered") // which is done while it goes on
	proc := p.inside()
	p.identity(proc)
	p.terminal()
	p.limits(proc)
	p.late()
	p.share()
	p.privileges()
	p.last()
	return p
}

// enterRoot makes the root directory, which was made outside and is the working directory, the root of a mount namespace of the
// container's users. There its mounts are locked together, so it is mounted once more, and then exchanged. What the host has mounted
// stays above it until leaveHost: the kernel gives a user namespace a /proc and a /sys only where it sees whole ones.
func (p *payload) enterRoot() {
	root := p.Reg()
	p.Sys("mount the root", root, unix.SYS_OPEN_TREE, unix.AT_FDCWD, ".", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	p.Sys("mount the root", program.None, unix.SYS_MOVE_MOUNT, root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH)
	p.Sys("enter the root", program.None, unix.SYS_FCHDIR, root)
	p.Sys("exchange the root", program.None, unix.SYS_PIVOT_ROOT, ".", ".")
}

// share has mounts be told to whoever gets a copy of the container's mounts, as its own services do.
func (p *payload) share() {
	if !p.settable {
		p.Sys("share mounts", program.None, unix.SYS_MOUNT, "", "/", "", unix.MS_REC|unix.MS_SHARED, "")
		return
	}
	attr := unix.MountAttr{Propagation: unix.MS_SHARED}
	p.Sys("share mounts", program.None, unix.SYS_MOUNT_SETATTR, unix.AT_FDCWD, "/", unix.AT_RECURSIVE, program.Address(&p.Program, &attr), unsafe.Sizeof(attr))
}

// mount adds a file system that belongs to one of the container's namespaces and returns it open.
func (p *payload) mount(typ, target string, attr uint64) program.Register {
	about := "mount " + target
	fs, fd := p.Reg(), p.Reg()
	p.Sys(about, fs, unix.SYS_FSOPEN, typ, unix.FSOPEN_CLOEXEC)
	p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, "source", typ, 0)
	if attr&readOnly != 0 {
		p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_FLAG, "ro", nil, 0)
	}
	p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, nil, nil, 0)
	p.Sys(about, fd, unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, attr)
	p.Sys(about, program.None, unix.SYS_MKDIRAT, unix.AT_FDCWD, target, 0o755).Allow(unix.EEXIST, unix.EROFS, unix.EACCES, unix.EPERM)
	p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, fd, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
	return fd
}

// networkSys makes a /sys that shows the container's own network devices and nothing of the host's firmware, modules or file systems.
func (p *payload) networkSys() {
	memory := p.memory("/sys", "0555", "4m", "1k") // made first, for mounts are listed in the order in which they were
	sys := p.mount("sysfs", "/sys", locked)
	var parts [len(shownOfSys)]program.Register
	for i, name := range shownOfSys {
		about := "mount /sys/" + name
		parts[i] = p.Reg()
		p.Sys(about, parts[i], unix.SYS_OPEN_TREE, sys, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	}
	p.Sys("unmount what is not shown of /sys", program.None, unix.SYS_UMOUNT2, "/sys", unix.MNT_DETACH)
	p.Sys("mount /sys", program.None, unix.SYS_MOVE_MOUNT, memory, "", unix.AT_FDCWD, "/sys", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
	for i, name := range shownOfSys {
		about := "mount /sys/" + name
		p.Sys(about, program.None, unix.SYS_MKDIRAT, memory, name, 0o755)
		p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, parts[i], "", memory, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	}
	for _, name := range []string{"fs", "fs/cgroup", "fs/bpf", "fs/selinux"} {
		p.Sys("make /sys/"+name, program.None, unix.SYS_MKDIRAT, memory, name, 0o755)
	}
	if p.settable {
		p.attributes("make /sys read-only", memory, locked, 0)
	} else {
		p.remount("make /sys read-only", "/sys", locked)
	}
}

// memory is a file system in memory, mounted nowhere yet.
func (p *payload) memory(target, mode, size, inodes string) program.Register {
	about := "mount " + target
	fs, fd := p.Reg(), p.Reg()
	p.Sys(about, fs, unix.SYS_FSOPEN, "tmpfs", unix.FSOPEN_CLOEXEC)
	for _, o := range [][2]string{{"source", "tmpfs"}, {"mode", mode}, {"size", size}, {"nr_inodes", inodes}} {
		p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, o[0], o[1], 0)
	}
	p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, nil, nil, 0)
	p.Sys(about, fd, unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, uint64(api))
	return fd
}

// cgroup shows the container the cgroups from its own down, cgroup_namespaces(7).
func (p *payload) cgroup(s *Step) {
	p.Sys("Failed to unshare cgroup namespace", program.None, unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP).Allow(unix.EPERM, unix.EINVAL)
	from := p.Len()
	about := "mount " + s.Target
	fs, fd := p.Reg(), p.Reg()
	p.Sys(about, fs, unix.SYS_FSOPEN, s.Type, unix.FSOPEN_CLOEXEC).Allow(unix.ENODEV, unix.EPERM)
	inner := p.Len()
	p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, "source", s.Type, 0)
	p.Sys(about, program.None, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, nil, nil, 0)
	p.Sys(about, fd, unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, s.Attr)
	p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, fd, "", unix.AT_FDCWD, s.Target, unix.MOVE_MOUNT_F_EMPTY_PATH).Allow(unix.ENOENT)
	p.SkipTo(inner)
	p.SkipTo(from)
}

// identity gives the container its name, a network that works with itself and a session keyring.
func (p *payload) identity(proc program.Register) {
	if p.c.Users != nil {
		p.Sys("leave the host's root", program.None, unix.SYS_UMOUNT2, ".", unix.MNT_DETACH)
		p.Sys("enter the root", program.None, unix.SYS_CHDIR, "/")
	}
	if name := p.c.Identity.Hostname; p.c.Namespace.UTS && name != "" {
		p.Sys("set the host name", program.None, unix.SYS_SETHOSTNAME, name, len(name))
	}
	if p.c.Namespace.Network || p.c.Namespace.Loopback {
		p.loopback()
	}
	// The keyring of the caller's session is not the container's.
	p.Sys("make a session keyring", program.None, unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, nil).Allow(unix.ENOSYS, unix.EPERM, unix.EDQUOT, unix.EACCES)
	p.WriteFile("write /proc/self/loginuid", proc, "self/loginuid", "4294967295", true)
	if l := p.c.Limit.Label; l != "" { // of what is executed next
		p.WriteFile("setexeccon(\""+l+"\") failed", proc, "self/attr/exec", l, false)
	}
}

// loopback brings the interface lo up, netdevice(7).
func (p *payload) loopback() {
	var r struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(r.name[:], "lo")
	r.flags = unix.IFF_UP
	fd := p.Reg()
	about := "bring up the loopback interface"
	p.Sys(about, fd, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	p.Sys(about, program.None, unix.SYS_IOCTL, fd, unix.SIOCSIFFLAGS, program.Address(&p.Program, &r)).Allow(unix.EPERM) // in a container that may not
	p.Close(fd)
}

// terminal gives the process its standard descriptors and, with a console, a controlling terminal.
func (p *payload) terminal() {
	p.Sys("make a session", program.None, unix.SYS_SETSID).Allow(unix.EPERM)
	var fds []any
	if p.c.Console {
		var t any = int(p.b.slave.Fd())
		if p.c.Users != nil { // for whom that is another file system
			r := p.Reg()
			p.Sys("open the terminal", r, unix.SYS_OPENAT, unix.AT_FDCWD, "/dev/pts/0", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
			t = r
		}
		if !p.c.Process.Stub { // whose child takes it
			p.Sys("take the terminal", program.None, unix.SYS_IOCTL, t, unix.TIOCSCTTY, 0)
		}
		fds = []any{t, t, t}
	} else {
		for _, f := range p.c.Stdio {
			fds = append(fds, int(f.Fd()))
		}
	}
	for _, f := range p.c.Pass {
		fds = append(fds, int(f.Fd()))
	}
	p.given = len(fds)
	// A descriptor may be where another is to be, so all are moved out of the way first.
	regs := make([]program.Register, len(fds))
	for i, fd := range fds {
		regs[i] = p.Reg()
		p.Sys("keep a descriptor", regs[i], unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, 100)
	}
	for i, r := range regs {
		p.Sys("pass a descriptor", program.None, unix.SYS_DUP3, r, i, 0)
	}
}

// limits sets what the process may use.
func (p *payload) limits(proc program.Register) {
	l := &p.c.Limit
	if l.OOMScoreAdjust != nil && p.c.Users == nil { // otherwise the supervisor has done it
		p.WriteFile("Failed to adjust OOM score", proc, "self/oom_score_adj", strconv.Itoa(*l.OOMScoreAdjust), false)
	}
	if l.Affinity != nil {
		p.Sys("Failed to set CPU affinity", program.None, unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*l.Affinity), program.Address(&p.Program, l.Affinity))
	}
	if l.Personality != nil {
		p.Sys("set the personality", program.None, unix.SYS_PERSONALITY, int(*l.Personality))
	}
	all := p.own&(1<<unix.CAP_SYS_RESOURCE) != 0 && p.c.Users == nil
	for i, r := range l.Rlimits {
		var own unix.Rlimit
		if r == nil || unix.Prlimit(0, i, nil, &own) == nil && own == *r {
			continue
		}
		want := *r
		if !all { // no more than there is, getrlimit(2)
			want.Max = min(want.Max, own.Max)
			want.Cur = min(want.Cur, want.Max)
		}
		p.Sys("set a resource limit", program.None, unix.SYS_PRLIMIT64, 0, i, program.Address(&p.Program, &want), nil)
	}
}

// privileges takes away what the payload may not do, and makes it the user it runs as.
func (p *payload) privileges() {
	l := &p.c.Limit
	for _, f := range l.Filters {
		prog := unix.SockFprog{Len: uint16(len(f)), Filter: &program.Places(&p.Program, f)[0]}
		p.Sys("install a system call filter", program.None, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, program.Address(&p.Program, &prog))
	}
	for i := 0; i <= p.lastCap; i++ {
		if l.Capabilities&(1<<i) == 0 {
			p.Sys("drop a capability", program.None, unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, i, 0, 0, 0).Allow(unix.EINVAL)
		}
	}
	keep := l.Capabilities
	inherit := keep
	if l.Hardened {
		inherit = l.Ambient
	}
	if u := p.c.User; u != nil && u.UID != 0 {
		keep, inherit = l.Ambient, l.Ambient
		p.Sys("keep capabilities", program.None, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	}
	if u := p.c.User; u != nil {
		if p.c.Console { // which it may want to open by its name
			p.Sys("give the terminal away", program.None, unix.SYS_FCHOWNAT, 0, "", int(u.UID), int(u.GID), unix.AT_EMPTY_PATH).Allow(unix.EPERM, unix.EINVAL)
		}
		p.Sys("set groups", program.None, program.SysSetgroups, len(u.Groups), program.Addresses(&p.Program, u.Groups))
		p.Sys("set the group", program.None, program.SysSetresgid, int(u.GID), int(u.GID), int(u.GID))
		p.Sys("set the user", program.None, program.SysSetresuid, int(u.UID), int(u.UID), int(u.UID))
	}
	if l.Inheritable != nil {
		inherit = *l.Inheritable&l.Capabilities | l.Ambient
		keep |= inherit
	}
	if p.c.Users == nil { // the first process of a user namespace has them all
		keep, inherit = keep&p.own, inherit&p.own
	}
	known := uint64(2<<p.lastCap - 1)
	keep, inherit = keep&known, inherit&known
	p.SetCapabilities("set capabilities", keep, inherit)
	for i := 0; i <= lastCapability; i++ {
		if l.Ambient&(1<<i) != 0 {
			p.Sys("raise a capability", program.None, unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i, 0, 0)
		}
	}
	if l.NoNewPrivileges {
		p.Sys("renounce privileges", program.None, unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
}

// lastCapability is the highest number that a set of capabilities has room for.
const lastCapability = 62

// LastCapability is the highest capability that the kernel knows.
func LastCapability() int {
	known := func(n int) bool {
		v, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n), 0, 0, 0)
		return err == nil && v >= 0
	}
	n := unix.CAP_LAST_CAP
	for n > 0 && !known(n) {
		n--
	}
	for n < lastCapability && known(n+1) {
		n++
	}
	return n
}

// Capabilities are those that this process has, which are all that it can give, capabilities(7).
func Capabilities() uint64 {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
}

// last executes the payload.
func (p *payload) last() {
	var unblocked uint64
	p.Sys("set the umask", program.None, unix.SYS_UMASK, 0o022)
	p.ResetSignals()
	dir := p.c.Process.Dir
	if dir == "" {
		dir = "/"
	}
	p.closeStrays() // which would count against the limit of open files
	// Not through a link to what is open, which may be outside (CVE-2024-21626).
	about, fd := "Failed to change to specified working directory "+dir, p.Reg()
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	p.Sys(about, fd, unix.SYS_OPENAT2, unix.AT_FDCWD, dir, program.Address(&p.Program, &how), unsafe.Sizeof(how))
	p.Sys(about, program.None, unix.SYS_FCHDIR, fd)
	p.Sys("unblock signals", program.None, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, program.Address(&p.Program, &unblocked), nil, 8)
	if p.c.Process.Stub {
		p.stub()
	}
	argv, env := p.c.Process.Argv, p.Texts(p.c.Process.Env)
	at := p.Texts(argv)
	for i, path := range p.c.Process.Paths {
		name := argv[0]
		if name == "" { // it is called by where it is found
			name = strings.Join(p.c.Process.Paths, ", ")
			called := path
			if p.c.Process.Login {
				called = "-" + path[strings.LastIndexByte(path, '/')+1:]
			}
			at = p.Texts(append([]string{called}, argv[1:]...))
		}
		c := p.Sys("execv("+name+") failed", program.None, unix.SYS_EXECVE, path, at, env)
		if i < len(p.c.Process.Paths)-1 {
			c.Allow(unix.ENOENT, unix.EACCES, unix.ENOTDIR)
		}
	}
}

// closeStrays closes all descriptors but the payload's own and those that are needed until it is executed, which closes them.
func (p *payload) closeStrays() {
	held := []int{p.report}
	if p.c.Process.Stub {
		held = append(held, p.order[0], p.order[1], int(p.b.stub.Fd()))
	}
	for _, s := range gaps(p.given, held) {
		p.Sys("close descriptors", program.None, unix.SYS_CLOSE_RANGE, uint64(s.first), uint64(s.last), 0)
	}
}

// stub forks the payload, which goes on in a session of its own, and executes ctl as the first process.
func (p *payload) stub() {
	id := &p.c.Identity
	env := p.Texts([]string{"container=" + id.Manager, "container_uuid=" + id.UUID})
	args := [5]any{int(unix.SIGCHLD), 0, 0, 0, 0}
	if runtime.GOARCH == "s390x" {
		args[0], args[1] = args[1], args[0]
	}
	p.Sys("hide what is of the caller", program.None, unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	p.Sys("fork", program.None, unix.SYS_CLONE, args[:]...).Forks = 3
	// A signal that comes before the stub has handlers would be lost, for the first process of a namespace ignores what it does not handle.
	all := ^uint64(0)
	p.Sys("start the stub", program.None, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, program.Address(&p.Program, &all), nil, 8)
	p.Sys("start the stub", program.None, unix.SYS_FCNTL, p.order[1], unix.F_SETFD, 0)
	p.Sys("start the stub", program.None, unix.SYS_EXECVEAT, int(p.b.stub.Fd()), "", p.Texts([]string{StubName}), env, unix.AT_EMPTY_PATH)
	// Until the stub is executed its memory is a copy of the supervisor's, with the caller's environment, which the payload is not to see; and
	// until it is ready it has another name.
	var buf [1]byte
	p.Sys("wait for the stub", program.None, unix.SYS_CLOSE, p.order[1])
	p.Sys("wait for the stub", program.None, unix.SYS_READ, p.order[0], program.Address(&p.Program, &buf), 1).Want = 0
	p.Sys("make a session", program.None, unix.SYS_SETSID)
	if p.c.Console {
		p.Sys("take the terminal", program.None, unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0)
	}
}

// bootID is a random UUID in the form that the kernel gives its own.
func bootID() string {
	var b [16]byte
	sys.Random(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return unit.UUID(hex.EncodeToString(b[:]))
}
