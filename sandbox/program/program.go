// Package program is what a process does between fork(2) and execve(2): system calls prepared beforehand. The child of a
// Go program that forked cannot run Go, for its other threads are gone; it can make system calls, and what is in
// memory it has a copy of.
package program

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Program is a list of system calls.
type Program struct {
	calls []Call
	about []string // what each call is for, for messages
	room  room     // what the calls point to
	next  Register
}

// usual is how many calls there is room for at once: the first process of a container makes less.
const usual = 400

// A Runner is a program as a process that has been forked runs it.
type Runner struct {
	calls []Call
	regs  [registers]uintptr
}

// Runner is the program as it is now, in memory that a process has which is forked without the heap.
func (p *Program) Runner(h *Heap) *Runner {
	calls := p.calls
	if len(calls) > usual { // which are on the heap
		calls = Places(p, calls)
	}
	r := Place(p, &Runner{calls: calls})
	if h != nil {
		h.keep = nil
		for _, b := range p.room.all {
			h.keep = append(h.keep, area{uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))})
		}
	}
	return r
}

// Free frees the memory of the program, which nothing runs any more in this process.
func (p *Program) Free() { p.room.give() }

// registers is how many results a program can keep for later calls.
const registers = 64

// A Call is one system call of a program.
type Call struct {
	Want int8 // the result has to be this, unless negative
	// Forks says that the call forks: the child passes over so many calls, which are the parent's.
	Forks uint8

	nr   uintptr
	args [6]uintptr
	from uint8     // bit i: args[i] is a register, whose value is meant
	out  int8      // the register for the result, none if negative
	skip uint8     // calls to pass over when this one failed in a way that is allowed
	may  [4]uint16 // errnos
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
	if p.calls == nil {
		p.calls, p.about = unsafe.Slice((*Call)(p.room.take(usual*unsafe.Sizeof(c))), usual)[:0], make([]string, 0, usual)
	}
	p.calls = append(p.calls, c)
	p.about = append(p.about, about)
	return &p.calls[len(p.calls)-1]
}

// Allow makes errnos of the call no failures.
func (c *Call) Allow(e ...syscall.Errno) *Call {
	for i, e := range e {
		c.may[i] = uint16(e)
	}
	return c
}

// AllowAll makes no errno of the call a failure.
func (c *Call) AllowAll() *Call { return c.Allow(anyErrno) }

const anyErrno = 1<<16 - 1 // which no call has

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
	b := unsafe.Slice((*byte)(p.room.take(uintptr(len(s)+1))), len(s)+1)
	copy(b, s)
	return uintptr(unsafe.Pointer(&b[0]))
}

// Texts is the address of an array as execve(2) takes it.
func (p *Program) Texts(l []string) uintptr {
	a := make([]uintptr, len(l)+1)
	for i, s := range l {
		a[i] = p.Text(s)
	}
	return Addresses(p, a)
}

// WriteFile writes a file below a directory that is open; if may, it need not be possible.
func (p *Program) WriteFile(about string, dir any, name, text string, may bool) {
	fd := p.Reg()
	open := p.Sys(about, fd, unix.SYS_OPENAT, dir, name, unix.O_WRONLY|unix.O_CLOEXEC)
	if may {
		open.AllowAll()
	}
	from := p.Len()
	w := p.Sys(about, None, unix.SYS_WRITE, fd, text, len(text))
	if may {
		w.AllowAll()
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
func (p *Runner) Run(report uintptr) {
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
				allowed = allowed || c.may[k] == uint16(e) || c.may[k] == anyErrno
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

// Start forks a process that runs the program, with nothing of the heap.
func (p *Program) Start(heap *Heap, flags, report uintptr, pidfd *int32) (pid uintptr, e syscall.Errno) {
	r := p.Runner(heap)
	mask := Hold()
	pid, e = r.start(heap, flags, report, pidfd)
	Release(mask)
	p.Free()
	return pid, e
}

//go:nosplit
//go:norace
func (r *Runner) start(heap *Heap, flags, report uintptr, pidfd *int32) (uintptr, syscall.Errno) {
	pid, e := heap.Fork(flags, pidfd)
	if pid == 0 && e == 0 {
		r.Run(report)
	}
	return pid, e
}
