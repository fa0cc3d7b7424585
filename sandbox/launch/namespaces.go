package launch

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/container"
	"ctl/sandbox/namespace"
)

// Shares are what several activations may have in common, JoinsNamespaceOf=. They are made by the first that wants them, and last as long as one of them.
type shares struct {
	users        int
	tmp          [2]string // PrivateTmp=yes: what is at /tmp and /var/tmp
	network, ipc *os.File
}

func (s *shares) close() {
	for _, f := range [...]*os.File{s.network, s.ipc} {
		if f != nil {
			f.Close()
		}
	}
}

// share makes the namespaces that all commands of an activation share, if there is none to share them with.
func (r *Room) share() error {
	s := r.s
	for _, n := range [...]struct {
		on      bool
		flag    int
		name    string
		setting string
		path    string
		step    step
		shared  **os.File
		to      **os.File
	}{{s.PrivateNetwork, unix.CLONE_NEWNET, "net", "PrivateNetwork=", s.NetworkNamespacePath, network, &r.shares.network, &r.network},
		{s.PrivateIPC, unix.CLONE_NEWIPC, "ipc", "PrivateIPC=", s.IPCNamespacePath, namespaces, &r.shares.ipc, &r.ipc}} {
		if n.path == "" && !n.on {
			continue
		}
		var err error
		switch {
		case n.path != "":
			*n.to, err = os.OpenFile(n.path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		case *n.shared != nil:
			*n.to = *n.shared
		default:
			*n.shared, err = r.make(n.flag, n.name)
			*n.to = *n.shared
		}
		if n.path == "" && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS)) {
			if err = r.without(n.step, n.setting, err); err == nil {
				continue
			}
		}
		if err != nil {
			return at(n.step, err)
		}
	}
	return nil
}

// without is the failure of a setting that protects, or nil where it is to be done without.
func (r *Room) without(s step, setting string, err error) error {
	if !r.o.Degraded {
		return detailed(s, err, setting+" cannot be enforced here, use --allow-degraded to start without: "+sys.Strerror(sys.Errno(err)))
	}
	r.o.Warn(setting + " is not applied: " + sys.Strerror(sys.Errno(err)))
	return nil
}

// make makes a namespace, of which this thread becomes a member.
func (r *Room) make(flag int, name string) (*os.File, error) {
	if err := r.unshare(name, flag); err != nil {
		return nil, err
	}
	if flag == unix.CLONE_NEWNET {
		if err := loopback(); err != nil && !errors.Is(err, unix.EPERM) {
			return nil, err
		}
	}
	fd, err := unix.Openat(int(r.proc.Fd()), "thread-self/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// loopback brings the interface lo up, netdevice(7).
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// enter moves the thread into the namespaces but that of mounts.
func (c *command) enter() error {
	if !c.sandbox {
		return nil
	}
	if c.network != nil {
		if err := c.join(c.network, "net", unix.CLONE_NEWNET); err != nil {
			return at(network, err)
		}
	}
	if c.ipc != nil {
		if err := c.join(c.ipc, "ipc", unix.CLONE_NEWIPC); err != nil {
			return at(namespaces, err)
		}
	}
	s := c.s
	if c.cgroupNamespace() && !c.ownCgroups() {
		if err := c.unshare("cgroup", unix.CLONE_NEWCGROUP); err != nil {
			if !denied(err) {
				return at(namespaces, err)
			}
			if err := c.without(namespaces, "ProtectControlGroups=", err); err != nil {
				return err
			}
		}
	}
	if s.ProtectHostname == "yes" || s.ProtectHostname == "private" {
		err := c.unshare("uts", unix.CLONE_NEWUTS)
		if err == nil && s.Hostname != "" {
			err = unix.Sethostname([]byte(s.Hostname))
		}
		if err != nil && !denied(err) {
			return at(namespaces, err)
		}
		if err != nil {
			return c.without(namespaces, "ProtectHostname=", err)
		}
	}
	return nil
}

// join moves the thread into a namespace, and unshare into a new one.
func (r *Room) join(ns *os.File, name string, flag int) error {
	err := r.leave(name, flag)
	if err == nil {
		err = unix.Setns(int(ns.Fd()), flag)
	}
	return err
}

func (r *Room) unshare(name string, flag int) error {
	err := r.leave(name, flag)
	if err == nil {
		err = unix.Unshare(flag)
	}
	return err
}

// denied tells whether something is not allowed here, as in many containers.
func denied(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)
}

// on tells whether a setting with several values says anything but no.
func on(value string) bool { return value != "" && value != "no" }

// userNamespace moves the process into a user namespace, the last of all, so that the others are the host's.
func (b *child) userNamespace() {
	kind := b.s.PrivateUsers
	if b.h.Users { // which is that of all services
		b.users = true
		return
	}
	if b.sandbox && b.s.UserNamespacePath != "" {
		b.do(user, unix.SYS_SETNS, b.space, unix.CLONE_NEWUSER)
		b.users, b.own = true, 1<<(container.LastCapability()+1)-1
		return
	}
	if !b.sandbox || !on(kind) {
		return
	}
	b.do(user, unix.SYS_UNSHARE, unix.CLONE_NEWUSER)
	b.users, b.own = true, 1<<(container.LastCapability()+1)-1
	b.ask(user, func(pid int) error {
		dir := strconv.Itoa(pid)
		if kind != "full" {
			if err := b.writeProc(dir+"/setgroups", "deny"); err != nil {
				return err
			}
		}
		for _, m := range [...]struct {
			file string
			id   uint32
		}{{"uid_map", b.id.uid}, {"gid_map", b.id.gid}} {
			if err := b.writeProc(dir+"/"+m.file, idMap(kind, m.id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// idMap are the users of a user namespace, user_namespaces(7).
func idMap(kind string, id uint32) string {
	switch {
	case kind == "identity":
		return "0 0 65536\n"
	case kind == "full":
		return "0 0 4294967295\n"
	case id == 0:
		return "0 0 1\n"
	}
	return fmt.Sprintf("0 0 1\n%d %d 1\n", id, id)
}

// writeProc writes a file of the host's /proc.
func (r *Room) writeProc(name, text string) error {
	fd, err := unix.Openat(int(r.proc.Fd()), name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// firstOfPIDs tells whether the command is the first process of a PID namespace.
func (c *command) firstOfPIDs() bool { return c.s.PrivatePIDs && c.sandbox && !c.q.Control }

// cgroupNamespace tells whether the command has a cgroup namespace.
func (c *command) cgroupNamespace() bool {
	return c.sandbox && (c.s.ProtectControlGroups == "private" || c.s.ProtectControlGroups == "strict")
}

// ownCgroups tells whether it makes that itself, in the cgroup where it is started, which becomes the topmost there is.
func (c *command) ownCgroups() bool { return c.cgroupNamespace() && c.q.Cgroup != "" }

// Where the parent looks for mounts that the child has made.
const (
	procPlace = 90 + iota
	cgroupPlace
)

// ownMounts has the child mount what is of its own PID and cgroup namespaces; then it follows into the mount namespace, which can only be
// made with these.
func (b *child) ownMounts() {
	pids, groups := b.firstOfPIDs(), b.ownCgroups()
	if pids {
		b.clone = unix.CLONE_NEWPID
		var options []string
		if p := namespace.New(b.mountRequest()); p != nil {
			for i := range p.Mounts {
				if p.Mounts[i].Kind == namespace.Proc {
					options = p.Mounts[i].Options
				}
			}
		}
		b.mount("proc", options, procPlace)
	}
	if groups {
		b.do(namespaces, unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP)
		b.mount("cgroup2", nil, cgroupPlace)
	}
	b.ask(namespaces, func(pid int) error {
		var h namespace.Hooks
		if pids {
			h.Proc = func([]string) (int, error) { return b.fetch(pid, procPlace) }
		}
		if groups {
			h.Cgroup = func() (int, error) { return b.fetch(pid, cgroupPlace) }
		}
		return b.mounts(h)
	})
	mounts := b.Reg()
	name := fmt.Sprintf("%d/task/%d/ns/mnt", os.Getpid(), unix.Gettid())
	b.Sys(namespaces.String(), mounts, unix.SYS_OPENAT, b.procFD, name, unix.O_RDONLY|unix.O_CLOEXEC)
	b.do(namespaces, unix.SYS_SETNS, mounts, unix.CLONE_NEWNS)
	b.do(namespaces, unix.SYS_CLOSE_RANGE, procPlace, cgroupPlace, 0)
	b.Close(mounts)
}

// mount has the child make a mount that is nowhere yet, at a descriptor.
func (b *child) mount(kind string, options []string, place int) {
	fs, fd := b.Reg(), b.Reg()
	about := namespaces.String()
	b.Sys(about, fs, unix.SYS_FSOPEN, kind, unix.FSOPEN_CLOEXEC)
	b.do(namespaces, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, "source", kind, 0)
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		b.do(namespaces, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_SET_STRING, name, value, 0)
	}
	b.do(namespaces, unix.SYS_FSCONFIG, fs, unix.FSCONFIG_CMD_CREATE, nil, nil, 0)
	b.Sys(about, fd, unix.SYS_FSMOUNT, fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	b.do(namespaces, unix.SYS_DUP3, fd, place, unix.O_CLOEXEC)
	b.Close(fd)
	b.Close(fs)
}

// fetch takes over a mount of the child's.
func (b *child) fetch(pid, place int) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, place, 0)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) { // systemd-nspawn's containers may not, nor may kernels before 5.6
		return unix.Openat(int(b.proc.Fd()), fmt.Sprintf("%d/fd/%d", pid, place), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	return fd, err
}
