package container

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/mount"
	"ctl/sandbox/program"
)

// Inside lists what the container's first process mounts, in order, in namespaces that are the container's.
func (c *Container) Inside() []Step {
	l := []Step{{Do: Mount, Target: "/proc", Type: "proc", Attr: api, Why: "processes"}}
	again := func(name, source string, attr uint64, may bool, why string) {
		if source == "" {
			source = "/proc/" + name
		}
		l = append(l, Step{Do: SelfBind, Target: "/proc/" + name, Source: source, Attr: attr, May: may, Why: why})
	}
	if c.Writable != WriteAll {
		again("sys", "", locked, true, "the kernel's settings are not the container's")
		if c.networkView() {
			again("sys/net", "", api, false, "but those of its own network are")
		}
		for _, name := range masked {
			again(name, inaccessible+"/reg", locked, true, "tells too much, or does")
		}
		for _, name := range frozen {
			again(name, "", locked, true, "the kernel's settings are not the container's")
		}
	}
	if c.networkView() {
		l = append(l, Step{Do: Mount, Target: sysDir, Type: "sysfs", Attr: locked, Why: "its own network's devices; of the host's only " + strings.Join(shownOfSys[:], ", ")})
	}
	if c.Namespace.IPC || c.Namespace.Queues && c.Users == nil {
		l = append(l, Step{Do: Mount, Target: "/dev/mqueue", Type: "mqueue", Attr: api, Why: "message queues"})
	}
	again("sys/kernel/random/boot_id", bootIDPath, locked, false, "each start is a boot")
	again("kmsg", kmsgPath, locked, true, "the kernel's messages are the host's")
	if c.Namespace.Cgroup {
		l = append(l, Step{Do: Mount, Target: cgroupDir, Type: "cgroup2", Attr: api, May: true, Why: "its cgroup and those below"})
	} else {
		l = append(l, Step{Do: Mount, Target: cgroupDir, Type: "cgroup2", Attr: locked, May: true, Why: "all cgroups, of which it may write its own"})
	}
	return l
}

const (
	sysDir    = "/sys"
	cgroupDir = "/sys/fs/cgroup"
)

// shownOfSys is what a container with a network of its own sees of the kernel's devices.
var shownOfSys = [...]string{"block", "bus", "class", "dev", "devices", "kernel"}

// inside adds the mounts, and returns /proc open.
func (p *payload) inside() (proc program.Register) {
	steps := p.c.Inside()
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Do == SelfBind:
			p.bind(proc, s)
		case s.Type == "proc":
			proc = p.mount(s.Type, s.Target, s.Attr)
			if p.c.Limit.Hardened && p.c.Users != nil {
				p.WriteFile("forbid user namespaces", proc, "sys/user/max_user_namespaces", "0", true) // which would give back all capabilities, over what is in them
			}
			if p.c.Namespace.Network && p.c.Users != nil {
				p.WriteFile("write /proc/sys/net/ipv4/ping_group_range", proc, "sys/net/ipv4/ping_group_range", "0 65535", true) // as on hosts with systemd; icmp(7)
			}
		case s.Target == sysDir:
			p.networkSys()
		case s.Target == cgroupDir && !p.c.Namespace.Cgroup:
			p.allCgroups()
		case s.Target == cgroupDir: // the first process is put into it from outside, and sees it as its root
			p.hear("be registered")
			p.cgroup(s)
		default:
			p.mount(s.Type, s.Target, s.Attr)
		}
	}
	return proc
}

// late adds what the caller wants below /proc, which nothing of ours is to be written to any more.
func (p *payload) late() {
	for _, m := range p.b.late {
		move := p.Sys("Failed to create mount point "+m.target, program.None, unix.SYS_MOVE_MOUNT, m.fd, "", unix.AT_FDCWD, m.target, unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_SYMLINKS)
		if m.may {
			move.Allow(unix.ENOENT, unix.ENOTDIR)
		}
	}
}

// allCgroups shows the container all cgroups, read-only but for its own, where that is the answer to its registration tells.
func (p *payload) allCgroups() {
	var path [unix.PathMax]byte
	at := program.Address(&p.Program, &path)
	p.Sys("be registered", program.None, unix.SYS_READ, p.socket, at, len(path))
	if p.b.cgroups < 0 || !p.settable {
		return
	}
	about, fd := "mount "+cgroupDir, p.Reg()
	p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, p.b.cgroups, "", unix.AT_FDCWD, cgroupDir, unix.MOVE_MOUNT_F_EMPTY_PATH).Allow(unix.ENOENT)
	from := p.Len()
	p.Sys(about, fd, unix.SYS_OPEN_TREE, p.b.cgroups, at, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Allow(unix.ENOENT)
	inner := p.Len()
	p.attributes(about, fd, api, readOnly)
	p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, fd, "", p.b.cgroups, at, unix.MOVE_MOUNT_F_EMPTY_PATH)
	p.SkipTo(inner)
	p.SkipTo(from)
}

// bind mounts something of the container over what is at a path of /proc, often that itself with other attributes.
func (p *payload) bind(proc program.Register, s *Step) {
	about := "mount " + s.Target
	name := strings.TrimPrefix(s.Target, "/proc/")
	fd := p.Reg()
	from, source, own := any(unix.AT_FDCWD), s.Source, s.Source == s.Target
	if own {
		from, source = proc, name
	}
	start := p.Len()
	if s.May && !own { // a mount made for nothing is one to unmount, for which the kernel waits for all processors
		p.Sys(about, program.None, unix.SYS_FACCESSAT, proc, name, unix.F_OK).Allow(unix.ENOENT)
		start = p.Len()
	}
	open := p.Sys(about, fd, unix.SYS_OPEN_TREE, from, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if s.May && own { // but what is to cover something has to be there
		open.Allow(unix.ENOENT)
	}
	opened := p.Len()
	if p.settable {
		p.attributes(about, fd, s.Attr, ^s.Attr&readOnly)
	}
	move := p.Sys(about, program.None, unix.SYS_MOVE_MOUNT, fd, "", proc, name, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if s.May {
		move.Allow(unix.ENOENT)
	}
	moved := p.Len()
	if !p.settable {
		p.remount(about, s.Target, s.Attr)
	}
	p.SkipTo(moved)
	p.Close(fd)
	p.SkipTo(opened)
	if s.May && !own {
		p.SkipTo(start)
	}
}

// attributes sets and clears attributes of the mount that is open.
func (p *payload) attributes(about string, fd program.Register, set, clear uint64) {
	attr := unix.MountAttr{Attr_set: set, Attr_clr: clear}
	p.Sys(about, program.None, unix.SYS_MOUNT_SETATTR, fd, "", unix.AT_EMPTY_PATH, program.Address(&p.Program, &attr), unsafe.Sizeof(attr))
}

// remount sets the attributes of the mount at a path, before Linux 5.12.
func (p *payload) remount(about, target string, attr uint64) {
	p.Sys(about, program.None, unix.SYS_MOUNT, "", target, "", mount.Flags(attr)|unix.MS_REMOUNT|unix.MS_BIND, "")
}
