package container

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// A Step is one thing done to make a container's root directory.
type Step struct {
	Do      Do
	Target  string // in the container
	Source  string // a path of the host or the container, what a link leads to
	Type    string // the file system
	Options []string
	Attr    uint64 // MOUNT_ATTR_* of mount_setattr(2), which are set
	Mode    uint32 // with the type, for a device
	Device  int
	Data    []byte
	Custom  *Custom
	Extra   *DeviceNode
	Follow  bool   // what the host mounts or unmounts there later is as well
	May     bool   // nothing is lost when there is no such source or target; a link is made only to what is there
	Why     string // for the plan's readers
}

func (s *Step) propagation() uint64 {
	if s.Follow {
		return unix.MS_SLAVE
	}
	return unix.MS_PRIVATE
}

// Do is what a step does.
type Do int

// The values of Do.
const (
	Mount     Do = iota // a file system of its own
	SelfBind            // of what is in the container at Source
	HostBind            // of what is on the host at Source
	Directory           // is made
	Link                // is made
	Device              // is made, or bound from the host
	Extra               // a device or fifo that the caller asked for is made
	Node                // a fifo, socket or device that leads nowhere is made
	Write               // a file
	Seal                // attributes of what is mounted there
	Wanted              // what the caller asked for
)

var doNames = [...]string{"mount", "bind", "bind from host", "mkdir", "symlink", "device", "mknod", "node", "write", "seal", "custom"}

func (d Do) String() string { return doNames[d] }

// mounts tells whether a path may lead elsewhere after the step.
func (s *Step) mounts() bool {
	switch s.Do {
	case Directory, Link, Device, Node, Write: // a device is a file, if it is mounted
		return false
	}
	return true
}

const (
	readOnly = unix.MOUNT_ATTR_RDONLY
	noExec   = unix.MOUNT_ATTR_NOEXEC
	noDev    = unix.MOUNT_ATTR_NODEV
	noSuid   = unix.MOUNT_ATTR_NOSUID
	strict   = unix.MOUNT_ATTR_STRICTATIME
	api      = noSuid | noDev | noExec // of what has no programs
	locked   = api | readOnly
)

// Where things are in a container, https://systemd.io/CONTAINER_INTERFACE.
const (
	hostDir      = "/run/host"
	inaccessible = hostDir + "/inaccessible"
	kmsgPath     = hostDir + "/proc-kmsg"
	bootIDPath   = hostDir + "/proc-sys-kernel-random-boot-id"
	notifyPath   = hostDir + "/notify"
	credsPath    = hostDir + "/credentials"
	ttyGroup     = 5 // as in all distributions
)

// owned adds the options that give a file system in memory to the container's root user.
func (c *Container) owned(options ...string) []string {
	if s := c.shift(); s != 0 {
		options = append(options, "uid="+strconv.Itoa(s), "gid="+strconv.Itoa(s))
	}
	if c.Label != nil {
		options = append(options, "context="+*c.Label)
	}
	return options
}

// ownNetwork tells whether the container has a network of its own, and so a view of it in /sys that only it can make.
func (c *Container) ownNetwork() bool { return c.Namespace.Network }

// networkView tells whether /sys shows network devices and little else.
func (c *Container) networkView() bool {
	return c.ownNetwork() || c.Namespace.NetworkView || c.Writable == WriteNetwork
}

// Steps lists what is done to make the root directory, in order, before the container's own namespaces are made. What
// is done inside them is in Inside.
func (c *Container) Steps() []Step {
	var l []Step
	add := func(s Step) { l = append(l, s) }
	if c.Volatile != VolatileState {
		l = append(l, skeleton()...)
	}
	if c.ReadOnly && c.Volatile == VolatileNo { // what is in memory may be written
		add(Step{Do: Seal, Target: "/", Attr: readOnly, Why: "asked for"})
	}
	if !c.NoTmp {
		add(Step{Do: Mount, Target: "/tmp", Type: "tmpfs", Attr: private | strict, May: true,
			Options: c.owned("mode=01777", "size=10%", "nr_inodes=400k"), Why: "temporary files"})
	}
	if !c.networkView() {
		attr := uint64(locked)
		if c.Writable != WriteNothing {
			attr = api
		}
		add(Step{Do: Mount, Target: "/sys", Type: "sysfs", Attr: attr, Why: "the kernel's devices, to be looked at"})
	}
	add(Step{Do: Mount, Target: "/dev", Type: "tmpfs", Attr: noSuid | strict, Options: c.owned("mode=0755", "size=4m", "nr_inodes=64k"), Why: "devices"})
	add(Step{Do: Mount, Target: "/dev/shm", Type: "tmpfs", Attr: private | strict, Options: c.owned("mode=01777", "size=10%", "nr_inodes=400k"), Why: "shared memory"})
	add(Step{Do: Mount, Target: "/run", Type: "tmpfs", Attr: private | strict, Options: c.owned("mode=0755", "size=20%", "nr_inodes=800k"), Why: "what runs"})
	l = append(l, c.runHost()...)
	l = append(l, c.devices()...)
	for i := range c.Nodes {
		l = append(l, Step{Do: Extra, Target: c.Nodes[i].Path, Mode: c.Nodes[i].Mode, Device: c.Nodes[i].Device, Extra: &c.Nodes[i], Why: "asked for"})
	}
	l = append(l, c.temporary()...)
	for i := range c.Mounts {
		l = append(l, Step{Do: Wanted, Target: c.Mounts[i].Target, Custom: &c.Mounts[i], Why: "asked for"})
	}
	return l
}

const private = noSuid | noDev

// skeleton are the directories that a tree needs, made where they are missing.
func skeleton() []Step {
	var l []Step
	for _, d := range []struct {
		path string
		mode uint32
	}{{"/usr", 0o755}, {"/root", 0o750}, {"/var", 0o755}, {"/etc", 0o755}, {"/proc", 0o555}, {"/sys", 0o555}, {"/dev", 0o555}, {"/run", 0o555}} {
		l = append(l, Step{Do: Directory, Target: d.path, Mode: d.mode, May: true, Why: "every tree has it"})
	}
	for _, name := range [...]string{"bin", "lib", "sbin", "lib64"} {
		l = append(l, Step{Do: Link, Target: "/" + name, Source: "usr/" + name, May: true, Why: "every tree has it"})
	}
	return l
}

// runHost is what the container is told of itself and its host.
func (c *Container) runHost() []Step {
	l := []Step{
		{Do: Directory, Target: hostDir, Mode: 0o755},
		{Do: SelfBind, Target: hostDir, Source: hostDir, Why: "becomes read-only at the end"},
		{Do: HostBind, Target: hostDir + "/os-release", Source: "/etc/os-release", Attr: locked, May: true, Why: "what the host is"},
		{Do: Directory, Target: inaccessible, Mode: 0o555},
		{Do: Node, Target: inaccessible + "/reg", Mode: unix.S_IFREG},
		{Do: Directory, Target: inaccessible + "/dir", Mode: 0},
		{Do: Node, Target: inaccessible + "/fifo", Mode: unix.S_IFIFO},
		{Do: Node, Target: inaccessible + "/sock", Mode: unix.S_IFSOCK},
		{Do: Node, Target: inaccessible + "/chr", Mode: unix.S_IFCHR, May: true},
		{Do: Node, Target: inaccessible + "/blk", Mode: unix.S_IFBLK, May: true},
		{Do: Directory, Target: hostDir + "/incoming", Mode: 0o600},
		{Do: Directory, Target: hostDir + "/unix-export", Mode: 0o755},
		{Do: Mount, Target: hostDir + "/unix-export", Type: "tmpfs", Attr: api | unix.MOUNT_ATTR_NOSYMFOLLOW,
			Options: c.owned("size=4M", "nr_inodes=64", "mode=0755"), Why: "sockets for the host"},
		{Do: Write, Target: hostDir + "/container-manager", Mode: 0o444, Data: []byte(c.Identity.Manager + "\n")},
		{Do: Write, Target: hostDir + "/container-uuid", Mode: 0o444, Data: []byte(unit.UUID(c.Identity.UUID) + "\n")},
		{Do: Write, Target: bootIDPath, Mode: 0o444, Data: []byte(bootID() + "\n")},
		{Do: Node, Target: kmsgPath, Mode: unix.S_IFIFO | 0o600},
	}
	if c.Incoming != "" {
		l = append(l, Step{Do: HostBind, Target: hostDir + "/incoming", Source: c.Incoming, Attr: readOnly, Follow: true, Why: "mounts of the host's"})
	}
	for _, f := range c.Files {
		if f.Link != "" {
			l = append(l, Step{Do: Link, Target: f.Path, Source: f.Link})
			continue
		}
		l = append(l, Step{Do: Write, Target: f.Path, Mode: f.Mode, Data: f.Data})
	}
	return l
}

// devices is what /dev holds.
func (c *Container) devices() []Step {
	var l []Step
	for _, d := range []struct {
		name         string
		major, minor uint32
		may          bool
	}{{"null", 1, 3, false}, {"zero", 1, 5, false}, {"full", 1, 7, false}, {"random", 1, 8, false}, {"urandom", 1, 9, false},
		{"tty", 5, 0, false}, {"fuse", 10, 229, true}, {"net/tun", 10, 200, true}} {
		if d.may && c.Limit.Hardened {
			continue // that is for who may mount and make interfaces
		}
		number := strconv.Itoa(int(d.major)) + ":" + strconv.Itoa(int(d.minor))
		l = append(l,
			Step{Do: Device, Target: "/dev/" + d.name, Mode: unix.S_IFCHR, Device: int(unix.Mkdev(d.major, d.minor)), May: d.may},
			Step{Do: Link, Target: "/dev/char/" + number, Source: "../" + d.name, May: true})
	}
	for _, s := range [][2]string{{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"}} {
		l = append(l, Step{Do: Link, Target: s[0], Source: s[1]})
	}
	if _, err := os.Stat("/proc/kcore"); err == nil {
		l = append(l, Step{Do: Link, Target: "/dev/core", Source: "/proc/kcore"})
	}
	options := []string{"newinstance", "ptmxmode=0666", "mode=0600"}
	if c.ttyGroup() {
		options = append(options, "gid="+strconv.Itoa(c.shift()+ttyGroup))
	}
	l = append(l, Step{Do: Mount, Target: "/dev/pts", Type: "devpts", Attr: noSuid | noExec, Options: options, Why: "terminals"})
	if c.Console {
		l = append(l, Step{Do: Link, Target: "/dev/console", Source: "pts/0", Why: "the first terminal there is"})
	}
	return l
}

// ttyGroup tells whether the group of terminals exists in the user namespaces at hand.
func (c *Container) ttyGroup() bool { return c.Users == nil || c.Users.Range > ttyGroup }

// masked are the files of /proc that would tell too much, and frozen the directories that would let too much be done.
var (
	masked = [...]string{"kallsyms", "kcore", "keys", "sysrq-trigger", "timer_list"}
	frozen = [...]string{"acpi", "apm", "asound", "bus", "fs", "irq", "scsi"}
)
