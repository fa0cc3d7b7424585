// Package program is what a process does between fork(2) and execve(2): system calls prepared beforehand. The child of a
// Go program that forked cannot run Go, for its other threads are gone; it can make system calls, and what is in
// memory it has a copy of.
package program

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Program is a list of system calls.
type Program struct {
	calls []Call
	about []string // what each call is for, for messages
	keep  []any    // what the calls point to
	regs  [registers]uintptr
	next  Register
}

// registers is how many results a program can keep for later calls.
const registers = 64

// A Call is one system call of a program.
type Call struct {
	Want int8 // the result has to be this, unless negative
	// Forks says that the call forks: the child passes over so many calls, which are the parent's.
	Forks uint8

	nr   uintptr
	args [6]uintptr
	from uint8 // bit i: args[i] is a register, whose value is meant
	out  int8  // the register for the result, none if negative
	skip uint8 // calls to pass over when this one failed in a way that is allowed
	may  [4]syscall.Errno
}

// A Register holds the result of a call of a program.
type Register int

// None is the register of a result that nobody needs.
const None Register = -1

// Sys adds a system call whose failure ends the program. Arguments are numbers, strings, registers, and nil for 0.
func (p *Program) Sys(about string, out Register, nr uintptr, args ...any) *Call {
	c := Call{nr: nr, out: int8(out), Want: -1}
	for i, a := range args {
		switch a := a.(type) {
		case int:
			c.args[i] = uintptr(a)
		case uintptr:
			c.args[i] = a
		case uint64:
			c.args[i] = uintptr(a)
		case Register:
			c.args[i] = uintptr(a)
			c.from |= 1 << i
		case string:
			c.args[i] = p.Text(a)
		case nil:
		default:
			panic(fmt.Sprintf("program: a call with a %T", a))
		}
	}
	p.calls = append(p.calls, c)
	p.about = append(p.about, about)
	return &p.calls[len(p.calls)-1]
}

// Allow makes errnos of the call no failures.
func (c *Call) Allow(e ...syscall.Errno) *Call {
	copy(c.may[:], e)
	return c
}

// Len is how many calls there are.
func (p *Program) Len() int { return len(p.calls) }

// SkipTo has the call before index i pass over those from i on when it fails in a way that is allowed.
func (p *Program) SkipTo(i int) { p.calls[i-1].skip = uint8(len(p.calls) - i) }

// Reg is a register that nothing else uses.
func (p *Program) Reg() Register {
	p.next++
	return p.next - 1
}

// Close closes the descriptor in a register, which may be used for something else then.
func (p *Program) Close(fd Register) {
	p.Sys("close", None, unix.SYS_CLOSE, fd)
	if fd == p.next-1 {
		p.next--
	}
}

// Text is the address of s as C has it. A NUL, which no path and no variable can have, ends it.
func (p *Program) Text(s string) uintptr {
	b := make([]byte, len(s)+1)
	copy(b, s)
	p.keep = append(p.keep, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// Texts is the address of an array as execve(2) takes it.
func (p *Program) Texts(l []string) uintptr {
	a := make([]uintptr, len(l)+1)
	for i, s := range l {
		a[i] = p.Text(s)
	}
	p.keep = append(p.keep, a)
	return uintptr(unsafe.Pointer(&a[0]))
}

// Address keeps what v points to and returns where that is.
func Address[T any](p *Program, v *T) uintptr {
	p.keep = append(p.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// WriteFile writes a file below a directory that is open; if may, it need not be possible.
func (p *Program) WriteFile(about string, dir any, name, text string, may bool) {
	fd := p.Reg()
	open := p.Sys(about, fd, unix.SYS_OPENAT, dir, name, unix.O_WRONLY|unix.O_CLOEXEC)
	if may {
		open.Allow(unix.ENOENT, unix.EACCES, unix.EPERM, unix.EROFS)
	}
	from := p.Len()
	w := p.Sys(about, None, unix.SYS_WRITE, fd, text, len(text))
	if may {
		w.Allow(unix.EPERM, unix.EACCES, unix.EINVAL)
	}
	p.Close(fd)
	if may {
		p.SkipTo(from)
	}
}

// ResetSignals adds what gives a process the default dispositions of all signals, which an execve(2) keeps if they are ignored.
func (p *Program) ResetSignals() {
	var action [32]byte // SIG_DFL, no flags, no mask, whatever the layout
	at := Address(p, &action)
	for s := 1; s <= 64; s++ {
		if s != int(unix.SIGKILL) && s != int(unix.SIGSTOP) {
			p.Sys("reset signals", None, unix.SYS_RT_SIGACTION, s, at, nil, 8).Allow(unix.EINVAL)
		}
	}
}

// SetCapabilities sets the permitted and effective, and the inheritable capabilities of the process.
func (p *Program) SetCapabilities(about string, permitted, inheritable uint64) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		set := uint32(permitted >> (32 * i))
		data[i] = unix.CapUserData{Effective: set, Permitted: set, Inheritable: uint32(inheritable >> (32 * i))}
	}
	p.Sys(about, None, unix.SYS_CAPSET, Address(p, &header), Address(p, &data))
}

// A Failure is what a program that could not go on writes into its pipe.
type Failure struct {
	Index uint32
	Errno uint32 // 0: another result than the wanted one
}

// About is what the call that failed was for.
func (p *Program) About(f Failure) string {
	if int(f.Index) < len(p.about) {
		return p.about[f.Index]
	}
	return "start"
}

// Run makes the calls, in a process that has no Go any more. It does not return: the last call is execve(2), and
// a failure is written to report.
//
// It may not allocate, grow its stack or call what does.
//
//go:nosplit
//go:norace
func (p *Program) Run(report uintptr) {
	n := uintptr(len(p.calls))
	for i := uintptr(0); i < n; i++ {
		c := &p.calls[i]
		a := c.args
		for k := range a {
			if c.from&(1<<k) != 0 {
				a[k] = p.regs[a[k]%registers]
			}
		}
		r, _, e := syscall.RawSyscall6(c.nr, a[0], a[1], a[2], a[3], a[4], a[5])
		if e == syscall.EINTR {
			i--
			continue
		}
		if e != 0 {
			allowed := false
			for k := range c.may {
				allowed = allowed || c.may[k] == e
			}
			if allowed {
				i += uintptr(c.skip)
				continue
			}
		} else if c.Forks > 0 {
			if r == 0 {
				i += uintptr(c.Forks)
			}
			continue
		} else if c.Want >= 0 && r != uintptr(c.Want) {
			Fail(report, i, 0)
		} else if c.out >= 0 {
			p.regs[uintptr(c.out)%registers] = r
			continue
		} else {
			continue
		}
		Fail(report, i, e)
	}
	Fail(report, n, 0)
}

// Fail writes a failure to report and ends the process.
//
//go:nosplit
//go:norace
func Fail(report, index uintptr, e syscall.Errno) {
	f := Failure{uint32(index), uint32(e)}
	syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&f)), unsafe.Sizeof(f))
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// Fork is clone(2) without a stack of its own, with the flags besides SIGCHLD, among them namespaces to make. With CLONE_PIDFD the
// descriptor is put where pidfd points, which may be nil otherwise.
//
//go:nosplit
//go:norace
func Fork(flags uintptr, pidfd *int32) (uintptr, syscall.Errno) {
	var pid uintptr
	var e syscall.Errno
	if runtime.GOARCH == "s390x" { // which has the stack first
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, 0, flags|uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(pidfd)), 0, 0, 0)
	} else {
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, uintptr(unsafe.Pointer(pidfd)), 0, 0, 0)
	}
	return pid, e
}

// Start forks a process that runs the program. Signals must be blocked.
//
//go:nosplit
//go:norace
func (p *Program) Start(flags, report uintptr, pidfd *int32) (uintptr, syscall.Errno) {
	pid, e := Fork(flags, pidfd)
	if pid == 0 && e == 0 {
		p.Run(report)
	}
	return pid, e
}

// BlockSignals blocks all signals of this thread and returns those that were.
func BlockSignals() (old uint64) {
	all := ^uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old
}

// SetSignals sets which signals this thread blocks.
func SetSignals(mask uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
}
