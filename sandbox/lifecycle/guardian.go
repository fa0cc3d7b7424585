package lifecycle

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// GuardianName is what the program is called by as a guardian whose ctl was killed, see Bereaved.
const GuardianName = "(ctl-guardian)"

// A guardian is a process beside us, in a session of its own, that sees us end: when we are killed, it kills the services, which we cannot any
// more. Nil is none.
//
// It is a fork in which no Go runs, so that it costs little. When we are killed the kernel gives our children, and with them whatever our
// services have left us, to the next one above. They come to the end of its list of children all at once, and in the order in which they were ours:
// the guardian, which was the first, and then they. It reads that list in the moment in which it is given away itself, and then executes ctl anew,
// which has time for the rest: Bereaved.
type guardian struct {
	pid    int
	pipe   *os.File // whose other end it reads
	memfd  *os.File // what it shares with us
	memory []byte
	*wards

	released bool
}

// wards are what a guardian knows. In the file that is shared, the list of children comes after them.
type wards struct {
	pipe, ours, memfd uintptr // the end that it reads, and ours
	ctl, pid          int32
	reaper            int32         // who has got our children
	died              unix.Timespec // when, CLOCK_BOOTTIME
	name, exe         [16]byte
	fd                [12]byte // its argument
	argv              [3]uintptr
	path              [64]byte
	text              [4096]byte
	session           int32      // ours
	adopted           bool       // it was forked twice
	spares            bool       // some service's processes are not to be killed
	dir               [1024]byte // Config.Runtime
	pids              [500]int32 // what is to be killed: a process with all of its service, or, negative, alone
	ids               [64][32]byte
}

// guard starts a guardian. There is none where the kernel does the same: it kills all processes with the first one.
func guard(dir string) *guardian {
	if os.Getpid() == 1 {
		return nil
	}
	fd, err := unix.MemfdCreate("guardian", unix.MFD_CLOEXEC)
	if err != nil {
		return nil
	}
	g := &guardian{memfd: os.NewFile(uintptr(fd), "guardian")}
	const size = unsafe.Sizeof(wards{})
	if err = unix.Ftruncate(fd, int64(size)); err == nil {
		g.memory, err = unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	var pipe [2]int
	if err == nil {
		err = unix.Pipe2(pipe[:], unix.O_CLOEXEC)
	}
	if err != nil {
		g.dismiss()
		return nil
	}
	defer unix.Close(pipe[0])
	g.wards = (*wards)(unsafe.Pointer(&g.memory[0]))
	g.wards.pipe, g.ours, g.wards.memfd = uintptr(pipe[0]), uintptr(pipe[1]), uintptr(fd)
	g.pipe = os.NewFile(g.ours, "guardian")
	g.ctl = int32(os.Getpid())
	if id, err := unix.Getsid(0); err == nil {
		g.session = int32(id)
	}
	copy(g.name[:], GuardianName)
	copy(g.exe[:], "/proc/self/exe")
	copy(g.fd[:], strconv.Itoa(fd))
	g.argv[0], g.argv[1] = uintptr(unsafe.Pointer(&g.name)), uintptr(unsafe.Pointer(&g.fd))
	if copy(g.dir[:], dir) == len(g.dir) {
		g.dir[0] = 0
	}
	heap := program.FindHeap()
	runtime.LockOSThread()
	g.adopted = unix.Gettid() != os.Getpid()
	mask := program.Hold()
	pid, e := g.start(heap)
	program.Release(mask)
	runtime.UnlockOSThread()
	if e != 0 {
		g.dismiss()
		return nil
	}
	if g.pid = int(pid); g.adopted {
		wait(g.pid)
		g.pid = int(g.wards.pid)
	}
	return g
}

// wait waits for the end of a child.
func wait(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, unix.WALL, nil); err != unix.EINTR {
			return
		}
	}
}

// start forks a process that sends no signal at its end, so that it is no child whom wait(2) speaks of. It has to be our first thread's, who gets those
// that our services leave; from another thread it forks twice, for an orphan goes there.
//
//go:nosplit
//go:norace
func (w *wards) start(heap *program.Heap) (uintptr, syscall.Errno) {
	flags := uintptr(0)
	if w.adopted {
		flags = uintptr(unix.SIGCHLD)
	}
	pid, e := heap.Fork(flags, nil)
	if pid != 0 || e != 0 {
		return pid, e
	}
	if w.adopted {
		if pid, e = program.Fork(nil, flags, nil); pid != 0 || e != 0 {
			w.pid = int32(pid)
			exit()
		}
	}
	syscall.RawSyscall(syscall.SYS_CLOSE, w.ours, 0, 0)
	for fd := uintptr(0); fd < 3; fd++ {
		syscall.RawSyscall(syscall.SYS_CLOSE, fd, 0, 0)
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(&w.name)), 0)
	syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0) // what is sent to our process group is not for it
	var dismissed byte
	n, _, _ := syscall.RawSyscall(syscall.SYS_READ, w.pipe, uintptr(unsafe.Pointer(&dismissed)), 1)
	if n == 0 {
		w.bereave()
	}
	exit()
	return 0, 0
}

//go:nosplit
//go:norace
func exit() {
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
}

// bereave does what is to be done at once when ctl was killed.
//
//go:nosplit
//go:norace
func (w *wards) bereave() {
	for { // its files are closed before its children are given away
		r, _, _ := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		if w.reaper = int32(r); w.reaper != w.ctl {
			break
		}
		syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	}
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&w.died)), 0)
	n := w.put(0, '/', 'p', 'r', 'o', 'c', '/')
	n = w.number(n, uint32(w.reaper))
	n = w.put(n, '/', 't', 'a', 's', 'k', '/')
	n = w.number(n, uint32(w.reaper))
	n = w.put(n, '/', 'c', 'h', 'i', 'l', 'd')
	w.put(n, 'r', 'e', 'n', 0, 0, 0)
	at := unix.AT_FDCWD
	list, _, e := syscall.RawSyscall6(syscall.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&w.path)), syscall.O_RDONLY, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_LSEEK, w.memfd, 0, unix.SEEK_END)
	for e == 0 {
		var n uintptr
		if n, _, e = syscall.RawSyscall(syscall.SYS_READ, list, uintptr(unsafe.Pointer(&w.text)), unsafe.Sizeof(w.text)); n == 0 {
			break
		}
		if e == 0 {
			_, _, e = syscall.RawSyscall(syscall.SYS_WRITE, w.memfd, uintptr(unsafe.Pointer(&w.text)), n)
		}
	}
	syscall.RawSyscall(syscall.SYS_FCNTL, w.memfd, syscall.F_SETFD, 0)
	syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(&w.exe)), uintptr(unsafe.Pointer(&w.argv)), uintptr(unsafe.Pointer(&w.argv[2])))
	for i := 0; i < len(w.pids); i++ { // without /proc
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
}

// put writes characters of the path, and returns where they end.
//
//go:nosplit
//go:norace
func (w *wards) put(at int, a, b, c, d, e, f byte) int {
	p := &w.path
	p[at], p[at+1], p[at+2], p[at+3], p[at+4], p[at+5] = a, b, c, d, e, f
	return at + 6
}

// number writes a number into the path.
//
//go:nosplit
//go:norace
func (w *wards) number(at int, n uint32) int {
	end := at + 1
	for m := n; m > 9; m /= 10 {
		end++
	}
	for i := end - 1; i >= at; i-- {
		w.path[i] = byte('0' + n%10)
		n /= 10
	}
	return end
}

// id is its process, which is a child of ours.
func (g *guardian) id() int {
	if g == nil {
		return 0
	}
	return g.pid
}

// expect is for an activation whose processes will be told by their INVOCATION_ID.
func (g *guardian) expect(invocation, mode string) {
	if g == nil {
		return
	}
	if mode == "none" || mode == "process" {
		g.spares = true
		return
	}
	var id [32]byte
	copy(id[:], invocation)
	if !slices.Contains(g.ids[:], id) {
		copy(g.ids[1:], g.ids[:]) // of the oldest ones, who restart again and again, nobody is left
		g.ids[0] = id
	}
}

// watch puts a process of a service under its guard, and all that belongs to it, if all of the service is to be killed.
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

// release has the guardian end, and the services go on.
func (g *guardian) release() {
	if g != nil && g.pid != 0 && !g.released {
		g.released = true
		_, _ = g.pipe.Write([]byte{1})
	}
}

// dismiss releases the guardian and waits for its end.
func (g *guardian) dismiss() {
	if g == nil {
		return
	}
	if g.release(); g.pid != 0 {
		wait(g.pid)
	}
	if g.pipe != nil {
		g.pipe.Close()
	}
	g.memfd.Close()
	if g.memory != nil {
		_ = unix.Munmap(g.memory)
	}
}
