package lifecycle

import (
	"os"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// A guardian is a process beside us, in a session of its own, that sees us end: when we are killed, it kills the services, which we cannot any
// more. Nil is none.
type guardian struct {
	pid    int
	pipe   *os.File // whose other end it reads
	memory []byte
	*wards
}

// wards are what a guardian knows, in memory that it shares with us. It is a fork, and no Go runs in it.
type wards struct {
	pipe, ours uintptr // the end that it reads, and ours
	name       [16]byte
	pids       [500]int32
}

// guard starts a guardian. There is none where the kernel does the same: it kills all processes with the first one.
func guard() *guardian {
	if os.Getpid() == 1 {
		return nil
	}
	memory, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(wards{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil
	}
	g := &guardian{memory: memory, wards: (*wards)(unsafe.Pointer(&memory[0]))}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		_ = unix.Munmap(memory)
		return nil
	}
	defer unix.Close(pipe[0])
	g.wards.pipe, g.ours = uintptr(pipe[0]), uintptr(pipe[1])
	g.pipe = os.NewFile(g.ours, "guardian")
	copy(g.name[:], "(ctl-guardian)")
	heap := program.FindHeap()
	runtime.LockOSThread()
	mask := program.Hold()
	pid, e := g.start(heap)
	program.Release(mask)
	runtime.UnlockOSThread()
	if g.pid = int(pid); e != 0 {
		g.dismiss()
		return nil
	}
	return g
}

// start forks.
//
//go:nosplit
//go:norace
func (w *wards) start(heap *program.Heap) (uintptr, syscall.Errno) {
	pid, e := heap.Fork(0, nil) // with no signal at its end, so that it is no child whom wait(2) speaks of
	if pid != 0 || e != 0 {
		return pid, e
	}
	syscall.RawSyscall(syscall.SYS_CLOSE, w.ours, 0, 0)
	for fd := uintptr(0); fd < 3; fd++ {
		syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&w.name)), 0)
	syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0) // what is sent to our process group is not for it
	var dismissed byte
	n, _, _ := syscall.RawSyscall(syscall.SYS_READ, w.pipe, uintptr(unsafe.Pointer(&dismissed)), 1)
	for i := 0; n == 0 && i < len(w.pids); i++ {
		pid := w.pids[i]
		if pid > 0 {
			syscall.RawSyscall(syscall.SYS_KILL, uintptr(-pid), uintptr(unix.SIGKILL), 0)
		} else {
			pid = -pid
		}
		if pid != 0 {
			syscall.RawSyscall(syscall.SYS_KILL, uintptr(pid), uintptr(unix.SIGKILL), 0)
		}
	}
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// id is its process, which is a child of ours.
func (g *guardian) id() int {
	if g == nil {
		return 0
	}
	return g.pid
}

// watch puts a process of a service under its guard, and the process group that it leads, if all of the service is to be killed.
func (g *guardian) watch(pid int, mode string) {
	if g == nil || mode == "none" {
		return
	}
	if mode == "process" {
		pid = -pid
	}
	if i := slices.Index(g.pids[:], 0); i >= 0 && !slices.Contains(g.pids[:], int32(pid)) {
		g.pids[i] = int32(pid)
	}
}

// forget is for a process that has ended.
func (g *guardian) forget(pid int) {
	if g == nil {
		return
	}
	for i, p := range g.pids {
		if p == int32(pid) || p == int32(-pid) {
			g.pids[i] = 0
		}
	}
}

// dismiss ends the guardian, and the services go on.
func (g *guardian) dismiss() {
	if g == nil {
		return
	}
	if g.pid != 0 {
		_, _ = g.pipe.Write([]byte{1})
		for {
			if _, err := unix.Wait4(g.pid, nil, unix.WALL, nil); err != unix.EINTR {
				break
			}
		}
	}
	g.pipe.Close()
	_ = unix.Munmap(g.memory)
}
