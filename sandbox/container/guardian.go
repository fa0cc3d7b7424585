package container

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// A guardian is the first process of a PID namespace that encloses the container's: the parent of the payload. When the
// supervisor dies, it is told by the kernel, and kills the payload; when it dies, the kernel kills all that is in the container. It
// holds the locks of the tree until all of that is gone, which is why the supervisor's death does not kill it: the kernel closes what a dying
// process has open before it ends the processes of its namespace.
type guardian struct {
	payload    *program.Runner
	namespaces uintptr       // CLONE_NEW* of the payload
	cgroup     *program.Into // of the payload, or nil
	report     uintptr       // where a program that fails says so
	status     uintptr       // where the payload's wait status is written, 4 bytes
	stray      []span        // the file descriptors that it closes
}

// A span is file descriptors from first to last.
type span struct{ first, last uintptr }

// starting stands for the fork of the payload; no call of its program has this index.
const starting = 1 << 24

// notForked is what is said if there is no process for the payload, or one of its namespaces cannot be made.
const notForked = "Failed to fork inner child"

// start forks the guardian, which is where the payload's program is, and, from it, the payload, between program.Hold and program.Release. The
// calling thread must live on for as long as the container does.
//
//go:nosplit
//go:norace
func (g *guardian) start(heap *program.Heap) (uintptr, syscall.Errno) {
	pid, e := heap.Fork(unix.CLONE_NEWPID|uintptr(unix.SIGCHLD), nil)
	if pid != 0 || e != 0 {
		return pid, e
	}
	// If the supervisor is gone already, the payload will find nobody to talk to.
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0)
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0, 0)
	syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0)
	payload, e := program.Fork(g.cgroup, g.namespaces|uintptr(unix.SIGCHLD), nil)
	if e != 0 && g.cgroup != nil { // it is moved there
		payload, e = program.Fork(nil, g.namespaces|uintptr(unix.SIGCHLD), nil)
	}
	if e != 0 {
		program.Fail(g.report, starting, e)
	}
	if payload == 0 {
		g.payload.Run(g.report)
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
