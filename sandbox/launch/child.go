package launch

import (
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// A child makes the program that the forked process runs until it is the command.
type child struct {
	program.Program
	*command
	report int
	clone  uintptr // flags of clone(2)
}

// do adds a system call of a step.
func (b *child) do(s step, nr uintptr, args ...any) *program.Call {
	return b.Sys(stepNames[s], program.None, nr, args...)
}

// failure is a failure of the program as an error.
func (b *child) failure(f program.Failure) error {
	i := slices.Index(stepNames[:], b.About(f))
	return at(step(max(i, 0)), syscall.Errno(f.Errno))
}

// prepare makes the program.
func (b *child) prepare() {
	b.do(setsid, unix.SYS_SETSID)
	b.ResetSignals()
	b.streams()
	b.last()
}

// streams gives the process its descriptors.
func (b *child) streams() {
	fds := append(slices.Clone(b.std.fd[:]), b.files()...)
	regs := make([]program.Register, len(fds))
	for i, fd := range fds {
		regs[i] = b.Reg()
		b.Sys(stepNames[streamStep(i)], regs[i], unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, max(100, 3+len(fds)))
	}
	for i, r := range regs {
		b.do(streamStep(i), unix.SYS_DUP3, r, i, 0)
	}
}

func streamStep(fd int) step { return [...]step{stdin, stdout, stderr, fds}[min(fd, 3)] }

// last executes the command.
func (b *child) last() {
	env := b.Texts(b.env)
	argv := b.Texts(b.argv)
	var none uint64
	b.do(signalMask, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, program.Address(&b.Program, &none), nil, 8)
	for i, p := range b.paths {
		c := b.do(execute, unix.SYS_EXECVE, p, argv, env)
		if i < len(b.paths)-1 {
			c.Allow(unix.ENOENT, unix.EACCES, unix.ENOTDIR)
		}
	}
}
