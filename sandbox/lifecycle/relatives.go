package lifecycle

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// A relative is a process with those that matter for whose it is.
type relative struct {
	pid, parent, group, session int
	started                     uint64 // in ticks since the machine was
	zombie, stopped             bool
}

// descendants are those of a process, without one of its children. Other processes, of which a machine may have thousands, are looked at only
// where the kernel does not list children (CONFIG_PROC_CHILDREN), and then they are all that is returned.
func descendants(pid, without int) []relative {
	pids, ok := children(pid)
	if !ok {
		pids = everybody()
	}
	var l []relative
	for len(pids) > 0 {
		if r, ok := lookAt(pids[0]); ok && pids[0] != without {
			l = append(l, r)
		}
		if ok {
			more, _ := children(pids[0])
			pids = append(pids, more...)
		}
		pids = pids[1:]
	}
	return l
}

// children are those that a process has by any of its threads; false if the kernel does not say. A thread that ends leaves its children to another
// one, and a child that is taken from the list while that is read can hide the next, so it counts when it is the same twice.
func children(pid int) ([]int, bool) {
	dir := "/proc/" + decimal(pid) + "/task"
	last := []int{-1}
	for threads := entries(dir); ; {
		var l []int
		for _, t := range threads {
			data, err := sys.ReadFile(dir + "/" + t + "/children")
			if errors.Is(err, unix.ENOENT) && unix.Access(dir+"/"+t, unix.F_OK) == nil {
				return nil, false
			}
			for f := range bytes.FieldsSeq(data) {
				if n, err := strconv.Atoi(string(f)); err == nil {
					l = append(l, n)
				}
			}
		}
		now := entries(dir)
		if slices.Equal(now, threads) && slices.Equal(l, last) {
			return l, true
		}
		threads, last = now, l
	}
}

// everybody is all processes that can be seen.
func everybody() []int {
	var l []int
	for _, n := range entries("/proc") {
		if pid, err := strconv.Atoi(n); err == nil {
			l = append(l, pid)
		}
	}
	return l
}

func entries(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	return names
}

// lookAt reads what the kernel says of a process, proc_pid_stat(5).
func lookAt(pid int) (relative, bool) {
	data, err := sys.ReadFile("/proc/" + decimal(pid) + "/stat")
	if err != nil {
		return relative{}, false
	}
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 20 {
		return relative{}, false
	}
	r := relative{pid: pid, zombie: f[0][0] == 'Z' || f[0][0] == 'X', stopped: f[0][0] == 'T'}
	r.parent, _ = strconv.Atoi(string(f[1]))
	r.group, _ = strconv.Atoi(string(f[2]))
	r.session, _ = strconv.Atoi(string(f[3]))
	r.started, _ = strconv.ParseUint(string(f[19]), 10, 64)
	return r, true
}

// commandName is what the manager calls a process in messages.
func commandName(pid int) string {
	data, err := sys.ReadFile("/proc/" + decimal(pid) + "/comm")
	if err != nil {
		return "n/a"
	}
	return strings.TrimSpace(string(data))
}
