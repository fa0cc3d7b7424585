package lifecycle

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// Bereaved kills what a call that was killed has left running. It is called in the process that was the call's guardian, whose argument is what it
// has been told; it returns the call's Config.Runtime, "" if it had none or nothing can be learnt.
func Bereaved(arg string) string {
	fd, err := strconv.Atoi(arg)
	if err != nil {
		return ""
	}
	f := os.NewFile(uintptr(fd), "guardian")
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	var h hunt
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil {
		h.inode = " " + strconv.FormatUint(st.Ino, 10) + " "
	}
	data, err := io.ReadAll(f)
	if err != nil || copy(unsafe.Slice((*byte)(unsafe.Pointer(&h.wards)), unsafe.Sizeof(h.wards)), data) < int(unsafe.Sizeof(h.wards)) {
		return ""
	}
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&h.name)), 0, 0, 0)
	h.begin(strings.Fields(string(data[unsafe.Sizeof(h.wards):])))
	h.kill()
	dir, _, _ := bytes.Cut(h.dir[:], []byte{0})
	return string(dir)
}

// A hunt is for the processes of services whose ctl was killed.
type hunt struct {
	wards
	self   relative
	cgroup []byte
	inode  string // of what ctl has shared, as in proc_pid_maps(5)
	found  map[int]relative
	known  map[int]bool // sessions and process groups of theirs
	since  uint64       // in ticks: when all had stopped
}

// begin takes those who are known, and those who were ctl's children when it was killed.
func (h *hunt) begin(heirs []string) {
	h.self, _ = lookAt(os.Getpid())
	h.cgroup, _ = sys.ReadFile("/proc/self/cgroup")
	h.found, h.known = make(map[int]relative), make(map[int]bool)
	for _, pid := range h.pids {
		if r, ok := h.look(int(pid)); ok {
			h.take(r)
		}
		if pid > 0 {
			h.known[int(pid)] = true // the first of a session, which may be no more
		}
	}
	var l []int
	for _, s := range heirs {
		pid, _ := strconv.Atoi(s)
		l = append(l, pid)
	}
	h.orphans(l)
}

// look looks at a process that can be one of ours: it is younger than we are.
func (h *hunt) look(pid int) (relative, bool) {
	if pid <= 0 || pid == h.self.pid {
		return relative{}, false
	}
	r, ok := lookAt(pid)
	return r, ok && !r.zombie && h.younger(r)
}

func (h *hunt) younger(r relative) bool {
	return r.started > h.self.started || r.started == h.self.started && r.pid > h.self.pid
}

// likely tells whether an orphan in whose place one of ours would be is none that has just lost other parents: all of ours are in our cgroup, or in one
// that is emptied anyway, and in sessions that are younger than we are.
func (h *hunt) likely(r relative) bool {
	if s, ok := lookAt(r.session); ok && !s.zombie && !h.younger(s) {
		return false
	}
	cgroup, err := sys.ReadFile("/proc/" + decimal(r.pid) + "/cgroup")
	return err == nil && bytes.Equal(cgroup, h.cgroup)
}

// belongs tells whether a process is one of ours by what it has inherited.
func (h *hunt) belongs(r relative) bool {
	if h.known[r.session] || h.known[r.group] {
		return true
	}
	return h.has(r.pid) || h.unborn(r.pid) || h.has(r.pid)
}

// unborn tells whether a process is yet to execute its command: it has the memory that ctl has shared with us.
func (h *hunt) unborn(pid int) bool {
	maps, _ := sys.ReadFile("/proc/" + decimal(pid) + "/maps")
	return h.inode != "" && bytes.Contains(maps, []byte(h.inode))
}

// has tells whether a process has an INVOCATION_ID of a service of ours.
func (h *hunt) has(pid int) bool {
	env, _ := sys.ReadFile("/proc/" + decimal(pid) + "/environ")
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if id, ok := bytes.CutPrefix(v, []byte("INVOCATION_ID=")); ok && len(id) == len(h.ids[0]) && slices.Contains(h.ids[:], [32]byte(id)) {
			return true
		}
	}
	return false
}

// take has a process be killed. It may not fork meanwhile.
func (h *hunt) take(r relative) {
	if _, ok := h.found[r.pid]; ok {
		return
	}
	h.found[r.pid] = r
	if r.session != int(h.session) {
		h.known[r.session], h.known[r.group] = true, true
	}
	_ = unix.Kill(r.pid, unix.SIGSTOP)
}

// kill kills those who were found, with those they have, until there is nobody any more.
func (h *hunt) kill() {
	for again := true; again; again = len(h.found) > 0 {
		h.stop()
		h.since = now()
		var fds []unix.PollFd
		for pid := range h.found {
			if fd, err := unix.PidfdOpen(pid, 0); err == nil {
				fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
			}
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		for _, fd := range fds {
			for {
				if _, err := unix.Poll([]unix.PollFd{fd}, 10000); err != unix.EINTR { // what the kernel holds is not waited for
					break
				}
			}
			unix.Close(int(fd.Fd))
		}
		clear(h.found)
		h.orphans(h.children(int(h.reaper)))
	}
	for _, pid := range h.pids {
		if pid < 0 {
			if _, ok := h.look(int(-pid)); ok {
				_ = unix.Kill(int(-pid), unix.SIGKILL)
			}
		}
	}
}

// stop has all of them stop, who may fork until they do. One that cannot, in the midst of a system call, is not waited for much longer.
func (h *hunt) stop() {
	for limit := time.Now().Add(time.Second); ; time.Sleep(100 * time.Microsecond) {
		before, moving := len(h.found), false
		for pid := range h.found {
			for _, child := range h.children(pid) {
				if r, ok := h.look(child); ok {
					h.take(r)
				}
			}
			if r, ok := lookAt(pid); ok && !r.stopped && !r.zombie {
				moving = true
				_ = unix.Kill(pid, unix.SIGSTOP) // again, for the kernel sends SIGCONT to a process group whose last parent has ended
			}
		}
		h.orphans(h.children(int(h.reaper)))
		if len(h.found) == before && (!moving || time.Now().After(limit)) {
			return
		}
	}
}

// children are those of a process.
func (h *hunt) children(pid int) []int {
	l, ok := children(pid)
	if ok && pid != 0 {
		return l
	}
	for _, p := range everybody() { // the kernel does not say
		if r, ok := lookAt(p); ok && r.parent == pid {
			l = append(l, p)
		}
	}
	return l
}

// orphans takes those of a list of children who are ours by what they have inherited, and those who are likely to be ours by their place in it: after
// us. Once all have stopped only new ones, of those whom the kernel has continued. Right before us may be who became an orphan when the first of
// ctl's threads had ended, as one does just after it was forked.
func (h *hunt) orphans(l []int) {
	at := slices.Index(l, h.self.pid)
	take := func(pid int, since uint64) (some bool) {
		r, ok := h.look(pid)
		if !ok || r.parent != int(h.reaper) {
			return !ok
		}
		if h.belongs(r) || at >= 0 && !h.spares && r.started >= since && h.likely(r) {
			h.take(r)
			return true
		}
		return false
	}
	const never = 1<<64 - 1
	near := max(h.since, ticks(h.died)-3)
	for i := at - 1; i >= 0; i-- {
		if !take(l[i], near) {
			near = never
		}
	}
	for _, pid := range l[at+1:] {
		take(pid, h.since)
	}
}

// ticks is a time as relatives have it.
func ticks(t unix.Timespec) uint64 { return uint64(t.Nano()) / 1e7 }

func now() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return ticks(t)
}
