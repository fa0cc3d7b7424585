package lifecycle

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A relative is a process with those that matter for whose it is.
type relative struct {
	pid, parent, session int
	zombie               bool
}

// descendants are those of a process that is us. Other processes, of which a machine may have thousands, are looked at only where the kernel
// does not list children (CONFIG_PROC_CHILDREN), and then they are all that is returned.
func descendants(pid int) []relative {
	if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); errors.Is(err, unix.ECHILD) {
		return nil
	}
	pids, ok := children(pid)
	if !ok {
		return table()
	}
	var l []relative
	for len(pids) > 0 {
		if r, ok := lookAt(pids[0]); ok {
			l = append(l, r)
		}
		more, _ := children(pids[0])
		pids = append(pids[1:], more...)
	}
	return l
}

// children are those that a process has by any of its threads; false if the kernel does not say.
func children(pid int) ([]int, bool) {
	dir := "/proc/" + decimal(pid) + "/task"
	threads := entries(dir)
	var l []int
	for _, t := range threads {
		data, err := read(dir + "/" + t + "/children")
		if errors.Is(err, unix.ENOENT) && unix.Access(dir+"/"+t, unix.F_OK) == nil {
			return nil, false
		}
		for f := range bytes.FieldsSeq(data) {
			if n, err := strconv.Atoi(string(f)); err == nil {
				l = append(l, n)
			}
		}
	}
	return l, true
}

// table are the processes that can be seen.
func table() []relative {
	var l []relative
	for _, n := range entries("/proc") {
		if pid, err := strconv.Atoi(n); err == nil {
			if r, ok := lookAt(pid); ok {
				l = append(l, r)
			}
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

// read reads a file of /proc, without what package os does for files that one may have to wait for.
func read(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 0, 512)
	for {
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return buf, err
		}
		if buf = buf[:len(buf)+n]; len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// lookAt reads what the kernel says of a process, proc_pid_stat(5).
func lookAt(pid int) (relative, bool) {
	data, err := read("/proc/" + decimal(pid) + "/stat")
	if err != nil {
		return relative{}, false
	}
	f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(f) < 4 {
		return relative{}, false
	}
	parent, _ := strconv.Atoi(string(f[1]))
	session, _ := strconv.Atoi(string(f[3]))
	return relative{pid, parent, session, f[0][0] == 'Z' || f[0][0] == 'X'}, true
}

// commandName is what the manager calls a process in messages.
func commandName(pid int) string {
	data, err := read("/proc/" + decimal(pid) + "/comm")
	if err != nil {
		return "n/a"
	}
	return strings.TrimSpace(string(data))
}
