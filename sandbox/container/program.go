package container

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program is what a process does between fork(2) and execve(2): system calls prepared beforehand. The child of a
// Go program that forked cannot run Go, for its other threads are gone; it can make system calls, and what is in
// memory it has a copy of.
type program struct {
	calls []call
	about []string // what each call is for, for messages
	keep  []any    // what the calls point to
	regs  [registers]uintptr
}

// registers is how many results a program can keep for later calls.
const registers = 64

// A call is one system call of a program.
type call struct {
	nr   uintptr
	args [6]uintptr
	from uint8 // bit i: args[i] is a register, whose value is meant
	out  int8  // the register for the result, none if negative
	skip uint8 // calls to pass over when this one failed in a way that is allowed
	want int8  // the result has to be this, unless negative
	// The call forks: the child passes over so many calls, which are the parent's.
	forks uint8
	may   [4]syscall.Errno
}

// A register holds the result of a call of a program.
type register int

// none is the register of a result that nobody needs.
const none register = -1

// sys adds a system call whose failure ends the program.
func (p *program) sys(about string, out register, nr uintptr, args ...any) *call {
	c := call{nr: nr, out: int8(out), want: -1}
	for i, a := range args {
		switch a := a.(type) {
		case int:
			c.args[i] = uintptr(a)
		case uintptr:
			c.args[i] = a
		case uint64:
			c.args[i] = uintptr(a)
		case register:
			c.args[i] = uintptr(a)
			c.from |= 1 << i
		case string:
			c.args[i] = p.text(a)
		case nil:
		default:
			panic(fmt.Sprintf("container: a call with a %T", a))
		}
	}
	p.calls = append(p.calls, c)
	p.about = append(p.about, about)
	return &p.calls[len(p.calls)-1]
}

// allow makes errnos of the call no failures.
func (c *call) allow(e ...syscall.Errno) *call {
	copy(c.may[:], e)
	return c
}

// text is the address of s as C has it. A NUL, which no path and no variable can have, ends it.
func (p *program) text(s string) uintptr {
	b := make([]byte, len(s)+1)
	copy(b, s)
	p.keep = append(p.keep, b)
	return uintptr(unsafe.Pointer(&b[0]))
}

// texts is the address of an array as execve(2) takes it.
func (p *program) texts(l []string) uintptr {
	a := make([]uintptr, len(l)+1)
	for i, s := range l {
		a[i] = p.text(s)
	}
	p.keep = append(p.keep, a)
	return uintptr(unsafe.Pointer(&a[0]))
}

// address keeps what v points to and returns where that is.
func address[T any](p *program, v *T) uintptr {
	p.keep = append(p.keep, v)
	return uintptr(unsafe.Pointer(v))
}

// A failure is what a program that could not go on writes into its pipe.
type failure struct {
	index uint32
	errno uint32 // 0: another result than the wanted one
}

// failed is the failure as an error.
func (p *program) failed(f failure) error {
	about := "start"
	if int(f.index) < len(p.about) {
		about = p.about[f.index]
	}
	if f.errno == 0 {
		return fmt.Errorf("%s: the other side has gone", about)
	}
	return &PayloadFailure{Failure{about, syscall.Errno(f.errno)}}
}

// run makes the calls, in a process that has no Go any more. It does not return: the last call is execve(2), and
// a failure is written to report.
//
// It may not allocate, grow its stack or call what does.
//
//go:nosplit
//go:norace
func (p *program) run(report uintptr) {
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
		} else if c.forks > 0 {
			if r == 0 {
				i += uintptr(c.forks)
			}
			continue
		} else if c.want >= 0 && r != uintptr(c.want) {
			fail(report, i, 0)
		} else if c.out >= 0 {
			p.regs[uintptr(c.out)%registers] = r
			continue
		} else {
			continue
		}
		fail(report, i, e)
	}
	fail(report, n, 0)
}

//go:nosplit
//go:norace
func fail(report, index uintptr, e syscall.Errno) {
	f := failure{uint32(index), uint32(e)}
	syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&f)), unsafe.Sizeof(f))
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 1, 0, 0)
	}
}

// fork is clone(2) without a stack of its own, with namespaces to make.
//
//go:nosplit
//go:norace
func fork(flags uintptr) (uintptr, syscall.Errno) {
	var pid uintptr
	var e syscall.Errno
	if runtime.GOARCH == "s390x" { // which has the stack first
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, 0, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0)
	} else {
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	}
	return pid, e
}

// A guardian is the first process of a PID namespace that encloses the container's: the parent of the payload. When the
// supervisor dies, it is told by the kernel, and kills the payload; when it dies, the kernel kills all that is in the container. It
// holds the locks of the tree until all of that is gone, which is why the supervisor's death does not kill it: the kernel closes what a dying
// process has open before it ends the processes of its namespace.
type guardian struct {
	payload    *program
	namespaces uintptr // CLONE_NEW* of the payload
	report     uintptr // where a program that fails says so
	status     uintptr // where the payload's wait status is written, 4 bytes
	stray      []span  // the file descriptors that it closes
}

// A span is file descriptors from first to last.
type span struct{ first, last uintptr }

// start forks the guardian and, from it, the payload. Signals must be blocked, and the calling thread must live on
// for as long as the container does.
//
//go:nosplit
//go:norace
func (g *guardian) start() (uintptr, syscall.Errno) {
	pid, e := fork(unix.CLONE_NEWPID)
	if pid != 0 || e != 0 {
		return pid, e
	}
	const starting = 1 << 24 // no call of the payload has this index
	// If the supervisor is gone already, the payload will find nobody to talk to.
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)
	syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	payload, e := fork(g.namespaces)
	if e != 0 {
		fail(g.report, starting, e)
	}
	if payload == 0 {
		g.payload.run(g.report)
	}
	n := len(g.stray)
	for i := 0; i < n; i++ {
		s := &g.stray[i]
		if _, _, e := syscall.RawSyscall(unix.SYS_CLOSE_RANGE, s.first, s.last, 0); e != 0 {
			for fd := s.first; fd <= s.last && fd < 1024; fd++ { // before Linux 5.9
				syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
			}
		}
	}
	var status uint32
	set := uint64(1)<<(unix.SIGTERM-1) | uint64(1)<<(unix.SIGCHLD-1) // both are blocked, like all others
	for ended := false; !ended; {
		signal, _, _ := syscall.RawSyscall6(syscall.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0, 0, 8, 0, 0)
		if signal == uintptr(unix.SIGTERM) {
			syscall.RawSyscall(syscall.SYS_KILL, payload, uintptr(unix.SIGKILL), 0)
		}
		for {
			pid, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&status)), unix.WNOHANG, 0, 0, 0)
			if e != 0 || pid == 0 {
				break
			}
			if pid == payload {
				ended = true
				break
			}
		}
	}
	syscall.RawSyscall(syscall.SYS_WRITE, g.status, uintptr(unsafe.Pointer(&status)), 4)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// allSignals blocks all signals of this thread and returns those that were.
func allSignals() (old uint64) {
	all := ^uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	return old
}

func setSignals(mask uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
}

// capabilityWords are the two halves of a set of capabilities, as capset(2) takes them.
func capabilityWords(set uint64) (low, high uint32) { return uint32(set), uint32(set >> 32) }
