package launch

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// A child makes the program that the forked process runs until it is the command.
type child struct {
	program.Program
	*command
	born    bool // it is in its cgroup from the start
	report  int
	procFD  int                             // the host's /proc
	socket  int                             // to the parent, -1 if there is nothing to ask
	asks    []func(pid int) ([]byte, error) // what the parent does, one after the other, when it is asked to, and what it says
	clone   uintptr                         // flags of clone(2)
	own     uint64                          // the capabilities that we have
	users   bool                            // it has a user namespace of its own
	filters [][]unix.SockFilter
	passed  []int // what becomes 0, 1, 2 and so on
	high    []int // all duplicates, see raise
}

// raise duplicates a descriptor where the ones that are passed do not come.
func (b *child) raise(fd int) (int, error) {
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, max(100, 3+len(b.q.Files)))
	if err == nil {
		b.high = append(b.high, high)
	}
	return high, err
}

// raiseAll does so with all that the child needs.
func (b *child) raiseAll() error {
	for _, fd := range append(slices.Clone(b.std.fd[:]), b.files()...) {
		high, err := b.raise(fd)
		if err != nil {
			return err
		}
		b.passed = append(b.passed, high)
	}
	b.procFD = int(b.proc.Fd())
	for _, fd := range [...]*int{&b.report, &b.socket, &b.procFD, &b.group, &b.subgroup, &b.space} {
		if *fd < 0 {
			continue
		}
		high, err := b.raise(*fd)
		if err != nil {
			return err
		}
		*fd = high
	}
	return nil
}

// lower closes the duplicates.
func (b *child) lower() {
	for _, fd := range b.high {
		unix.Close(fd)
	}
	b.high = nil
}

// do adds a system call of a step.
func (b *child) do(s step, nr uintptr, args ...any) *program.Call {
	return b.Sys(s.String(), program.None, nr, args...)
}

// ask has the parent do something, and waits until that is done.
func (b *child) ask(s step, answer func(pid int) error) {
	var buf [1]byte
	b.askFor(s, program.Address(&b.Program, &buf), 1, func(pid int) ([]byte, error) { return buf[:], answer(pid) }).Want = 1
}

// askFor is ask for an answer of at most so many bytes, which are put at an address.
func (b *child) askFor(s step, to uintptr, size int, answer func(pid int) ([]byte, error)) *program.Call {
	b.asks = append(b.asks, answer)
	b.do(s, unix.SYS_WRITE, b.socket, to, 1).Want = 1
	return b.do(s, unix.SYS_READ, b.socket, to, size)
}

// failure is a failure of the program as an error.
func (b *child) failure(f program.Failure) error {
	s := thp // the last
	for s > 0 && s.String() != b.About(f) {
		s--
	}
	return at(s, syscall.Errno(f.Errno))
}

// prepare makes the program.
func (b *child) prepare(parent int) {
	b.do(execute, unix.SYS_CLOSE, parent) // so that its end is noticed
	if !b.born {
		b.join(b.group)
	}
	if b.firstOfPIDs() || b.ownCgroups() {
		b.ownMounts()
	}
	b.join(b.subgroup)
	if b.std.terminal != ownTerminal {
		b.do(setsid, unix.SYS_SETSID)
	}
	b.ResetSignals()
	if b.s.IgnoreSIGPIPE {
		var action [32]byte
		*(*uintptr)(unsafe.Pointer(&action)) = 1 // SIG_IGN
		b.do(signalMask, unix.SYS_RT_SIGACTION, int(unix.SIGPIPE), program.Address(&b.Program, &action), nil, 8)
	}
	b.streams()
	b.schedule()
	b.do(execute, unix.SYS_UMASK, int(b.s.UMask))
	b.keyring()
	if b.sandbox {
		b.limits()
	}
	env := b.variables()
	b.groups()
	b.userNamespace()
	b.closeStrays()
	b.label(smack) // which takes capabilities
	b.bound()
	if b.chroots {
		b.do(chroot, unix.SYS_CHROOT, b.root)
		b.do(chroot, unix.SYS_CHDIR, "/")
	}
	b.become()
	b.directory()
	b.label(selinux, apparmor)
	b.renounce()
	b.last(env)
}

// streams gives the process its descriptors.
func (b *child) streams() {
	for i, fd := range b.passed {
		b.do(streamStep(i), unix.SYS_DUP3, fd, i, 0)
	}
	for i := 3; i < len(b.passed); i++ {
		flags := 0
		if b.q.NonBlocking {
			flags = unix.O_NONBLOCK
		}
		b.nonblocking(i, flags)
	}
	if b.std.control {
		force := 0
		if b.s.Stdin.Kind == "tty-force" {
			force = 1
		}
		b.do(stdin, unix.SYS_IOCTL, 0, unix.TIOCSCTTY, force).Allow(unix.EPERM)
		if b.drops && b.id.set {
			b.do(stdin, unix.SYS_FCHOWN, 0, int(b.id.uid), -1).Allow(unix.EPERM, unix.EROFS)
			b.do(stdin, unix.SYS_FCHMOD, 0, 0o620).Allow(unix.EPERM, unix.EROFS)
		}
	}
}

func streamStep(fd int) step { return [...]step{stdin, stdout, stderr, fds}[min(fd, 3)] }

// nonblocking sets whether a passed descriptor is non-blocking, which is of what is open, not of the descriptor.
func (b *child) nonblocking(fd, flag int) {
	now, err := unix.FcntlInt(b.q.Files[fd-3].Fd(), unix.F_GETFL, 0)
	if err == nil && now&unix.O_NONBLOCK != flag {
		b.do(fds, unix.SYS_FCNTL, fd, unix.F_SETFL, now&^unix.O_NONBLOCK|flag)
	}
}

// variables are the environment, where the process ID of the child still has to be written.
func (b *child) variables() uintptr {
	l := make([]uintptr, len(b.env)+1)
	for i, v := range b.env {
		if b.clone&unix.CLONE_NEWPID != 0 { // of which it is the first process
			if !strings.HasSuffix(v, pidfdPlace) {
				v = strings.ReplaceAll(v, pidPlace, "1")
			}
		}
		l[i] = b.Text(v)
		if name, ok := strings.CutSuffix(v, pidfdPlace); ok {
			b.askFor(execute, l[i]+uintptr(len(name)), len(pidfdPlace), func(pid int) ([]byte, error) {
				return strconv.AppendUint(nil, PidfdID(pid), 10), nil
			})
		} else if name, ok := strings.CutSuffix(v, pidPlace); ok && b.proc != nil {
			b.do(execute, unix.SYS_READLINKAT, b.procFD, "self", l[i]+uintptr(len(name)), len(pidPlace))
		}
	}
	return program.Addresses(&b.Program, l)
}

// groups gives the process its supplementary groups.
func (b *child) groups() {
	c := b.do(group, program.SysSetgroups, len(b.id.groups), program.Addresses(&b.Program, b.id.groups))
	if len(b.s.SupplementaryGroups) == 0 && (len(b.id.groups) == 0 || b.h.User) {
		c.Allow(unix.EPERM)
	}
}

// closeStrays closes all descriptors but those of the command and what is needed until it is executed.
func (b *child) closeStrays() {
	held := []int{b.report}
	if b.socket >= 0 {
		held = append(held, b.socket)
	}
	if len(b.labels) > 0 {
		held = append(held, b.procFD)
	}
	slices.Sort(held)
	next := 3 + len(b.q.Files)
	for _, fd := range append(held, 1<<31-1) {
		if fd > next {
			b.do(fds, unix.SYS_CLOSE_RANGE, next, fd-1, 0)
		}
		next = max(next, fd+1)
	}
}

// become makes the process the user that it runs as.
func (b *child) become() {
	if !b.drops {
		return
	}
	if b.id.uid != 0 {
		b.do(user, unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
	}
	if b.id.grouped {
		g := int(b.id.gid)
		b.do(group, program.SysSetresgid, g, g, g)
	}
	if b.id.set {
		u := int(b.id.uid)
		b.do(user, program.SysSetresuid, u, u, u)
	}
}

// directory enters WorkingDirectory=.
func (b *child) directory() {
	w := &b.s.WorkingDirectory
	dir := w.Path
	if w.Home {
		if dir = b.id.home; b.h.User {
			dir = os.Getenv("HOME")
		}
		switch {
		case dir == "" && b.id.uid == 0:
			dir = "/root"
		case dir == "":
			dir = "/"
		}
	}
	home := dir == "" && b.h.User // where it is, and not where it is not
	if home {
		dir = os.Getenv("HOME")
	}
	if dir == "" {
		dir = "/"
	}
	if root := b.s.RootDirectory; b.q.NoRoot && root != "" {
		if b.copied != nil {
			root = b.copied.Path
		}
		dir = strings.TrimSuffix(root, "/") + "/" + strings.TrimPrefix(dir, "/")
	}
	c := b.do(chdir, unix.SYS_CHDIR, dir)
	if w.Optional || home {
		c.Allow(unix.ENOENT, unix.EACCES, unix.ENOTDIR, unix.ELOOP)
	}
}

// last executes the command.
func (b *child) last(env uintptr) {
	argv := b.Texts(b.argv)
	var none uint64
	// The filters come after all that they could refuse, but for the last call.
	b.do(signalMask, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, program.Address(&b.Program, &none), nil, 8)
	paths := make([]uintptr, len(b.paths))
	for i, p := range b.paths {
		paths[i] = b.Text(p)
	}
	if len(paths) == 1 && len(b.filters) > 0 { // what is not there is said before a filter can forbid to execute it
		b.do(execute, unix.SYS_FACCESSAT, unix.AT_FDCWD, paths[0], unix.X_OK)
	}
	for _, f := range b.filters {
		prog := unix.SockFprog{Len: uint16(len(f)), Filter: &program.Places(&b.Program, f)[0]}
		b.do(filters, unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, program.Address(&b.Program, &prog))
	}
	for i, p := range paths {
		c := b.do(execute, unix.SYS_EXECVE, p, argv, env)
		if i < len(paths)-1 {
			c.Allow(unix.ENOENT, unix.EACCES, unix.ENOTDIR)
		}
	}
}
