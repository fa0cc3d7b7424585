package program

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// room is where all is kept that a process needs in order to run a program. It is no part of Go's heap, so that a fork can copy it alone.
type room struct {
	free []byte
	all  [][]byte
}

// roomStep is how much is mapped at a time; pages that are not used cost nothing.
const roomStep = 256 << 10

// take returns memory, zeroed and aligned for whatever is put there.
func (r *room) take(size uintptr) unsafe.Pointer {
	const align = 16
	size = max(size+align-1, align) &^ (align - 1)
	if uintptr(len(r.free)) < size {
		b, err := unix.Mmap(-1, 0, int(max(size, roomStep)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			panic("program: no memory: " + err.Error()) // as everywhere in Go
		}
		r.free, r.all = b, append(r.all, b)
	}
	at := unsafe.Pointer(&r.free[0])
	r.free = r.free[size:]
	return at
}

// give unmaps it all.
func (r *room) give() {
	for _, b := range r.all {
		_ = unix.Munmap(b)
	}
	r.free, r.all = nil, nil
}

// Place returns a copy of what v points to that the program's process has too.
func Place[T any](p *Program, v *T) *T {
	c := (*T)(p.room.take(unsafe.Sizeof(*v)))
	*c = *v
	return c
}

// Places is Place for all elements of a slice.
func Places[T any](p *Program, l []T) []T {
	if len(l) == 0 {
		return nil
	}
	c := unsafe.Slice((*T)(p.room.take(unsafe.Sizeof(l[0])*uintptr(len(l)))), len(l))
	copy(c, l)
	return c
}

// Address is the address of Place.
func Address[T any](p *Program, v *T) uintptr { return uintptr(unsafe.Pointer(Place(p, v))) }

// Addresses is the address of Places, 0 if there are none.
func Addresses[T any](p *Program, l []T) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(Places(p, l))))
}

// A Heap is the memory of this process that a fork does without: all of Go's. To copy a page later, when one side writes to it, means a page
// fault and an interrupt of each CPU on which a thread of ours runs, and that for hundreds of pages: it would take longer than all that a
// container needs besides.
type Heap struct {
	areas []area
	keep  []area // of the program: where it is now, somebody's heap may have been
	page  uintptr
	into  *Into
}

// Into is the cgroup that a process is forked into, clone3(2).
type Into struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// exitSignal is where clone(2) has the signal.
const exitSignal = 0xff

// NewInto is an open directory as the cgroup that a process is forked into. To move one there later can take the ten milliseconds
// of an RCU grace period. Where that fails, moving may still do: before Linux 5.7, or under a filter.
func NewInto(cgroup int) *Into {
	return &Into{flags: unix.CLONE_INTO_CGROUP, cgroup: uint64(cgroup)}
}

// Into has processes be forked into a cgroup.
func (h *Heap) Into(cgroup int) { h.into = NewInto(cgroup) }

type area struct{ start, size uintptr }

// FindHeap reads where the memory is, proc_pid_maps(5). Where there is no /proc, and with a C library, all is copied.
func FindHeap() *Heap {
	h := &Heap{page: uintptr(os.Getpagesize())}
	if libc {
		return h
	}
	text, _ := sys.ReadFile("/proc/self/maps")
	for line := range bytes.Lines(text) {
		span, rest, _ := bytes.Cut(line, []byte{' '})
		from, to, ok := bytes.Cut(span, []byte{'-'})
		if !ok || !bytes.HasPrefix(rest, []byte("rw-p")) {
			continue
		}
		start, e1 := strconv.ParseUint(string(from), 16, 64)
		end, e2 := strconv.ParseUint(string(to), 16, 64)
		if e1 == nil && e2 == nil {
			h.areas = append(h.areas, area{uintptr(start), uintptr(end - start)})
		}
	}
	return h
}

// forks is held from Hold to Release: of two that are made at the same time, one would miss the other's stack.
var forks sync.Mutex

// Hold gets this thread ready to fork: it blocks all its signals and has forks of other threads wait. What it returns is for Release.
func Hold() (mask uint64) {
	sys.Hurried()
	forks.Lock()
	all := ^uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&mask)), 8, 0, 0)
	return mask
}

// Release ends Hold.
func Release(mask uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
	forks.Unlock()
}

// Fork forks, as the function of that name, a process that has the stack, as far as those who call this need it, the program's memory, and nothing of
// the heap.
//
//go:nosplit
//go:norace
func (h *Heap) Fork(flags uintptr, pidfd *int32) (uintptr, syscall.Errno) {
	if h == nil {
		return Fork(nil, flags, pidfd)
	}
	advise(h.areas, unix.MADV_DONTFORK)
	advise(h.keep, unix.MADV_DOFORK)
	var here byte
	at := uintptr(unsafe.Pointer(&here)) &^ (h.page - 1)
	syscall.RawSyscall(syscall.SYS_MADVISE, at-h.page, 4*h.page, unix.MADV_DOFORK)
	pid, e := Fork(h.into, flags, pidfd)
	if pid != 0 || e != 0 {
		advise(h.areas, unix.MADV_DOFORK)
	}
	return pid, e
}

// Fork is clone(2) without a stack of its own, between Hold and Release. The flags are the signal that the end of the process sends, SIGCHLD or none, and
// what else it takes, such as namespaces to make. With CLONE_PIDFD the descriptor is put where pidfd points, which may be nil otherwise; so may into.
//
//go:nosplit
//go:norace
func Fork(into *Into, flags uintptr, pidfd *int32) (pid uintptr, e syscall.Errno) {
	switch {
	case into != nil:
		into.flags |= uint64(flags &^ exitSignal)
		into.exitSignal = uint64(flags & exitSignal)
		into.pidfd = uint64(uintptr(unsafe.Pointer(pidfd)))
		pid, _, e = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(into)), unsafe.Sizeof(*into), 0)
	case runtime.GOARCH == "s390x": // which has the stack first
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, 0, flags, uintptr(unsafe.Pointer(pidfd)), 0, 0, 0)
	default:
		pid, _, e = syscall.RawSyscall6(syscall.SYS_CLONE, flags, 0, uintptr(unsafe.Pointer(pidfd)), 0, 0, 0)
	}
	return pid, e
}

// advise is madvise(2).
//
//go:nosplit
//go:norace
func advise(l []area, how uintptr) {
	n := len(l)
	for i := 0; i < n; i++ {
		syscall.RawSyscall(syscall.SYS_MADVISE, l[i].start, l[i].size, how)
	}
}
