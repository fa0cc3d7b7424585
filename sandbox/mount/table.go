package mount

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
)

// An Entry is a line of the table of mounts, proc_pid_mountinfo(5).
type Entry struct {
	ID, Parent uint64
	Root       string // of the file system
	Point      string // where it is mounted, as seen from the root directory of who opened the table
	Type       string
}

// A Table is the table of the mounts of a namespace, open.
type Table struct {
	file *os.File
	buf  []byte
}

// OpenTable opens the table of the calling thread's mount namespace, of a /proc that nobody sees where there is none.
func OpenTable() (*Table, error) {
	f, err := os.Open("/proc/thread-self/mountinfo")
	if err == nil {
		return &Table{file: f}, nil
	}
	proc, e := New("proc", "", nil, 0)
	if e != nil {
		return nil, err
	}
	defer unix.Close(proc)
	fd, e := unix.Openat(proc, "thread-self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if e != nil {
		return nil, err
	}
	return &Table{file: os.NewFile(uintptr(fd), "mountinfo")}, nil
}

// Close closes the table.
func (t *Table) Close() error { return t.file.Close() }

// Read reads the table as it is now.
func (t *Table) Read() ([]Entry, error) {
	data, err := t.text()
	if err != nil {
		return nil, err
	}
	var l []Entry
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) < 7 {
			continue
		}
		e := Entry{Root: unescape(f[3]), Point: unescape(f[4])}
		e.ID, _ = strconv.ParseUint(f[0], 10, 64)
		e.Parent, _ = strconv.ParseUint(f[1], 10, 64)
		for i := 6; i+1 < len(f); i++ {
			if f[i] == "-" {
				e.Type = f[i+1]
				break
			}
		}
		l = append(l, e)
	}
	return l, nil
}

// text is all of it. The kernel writes it anew for each read(2), which is why there are to be few.
func (t *Table) text() (string, error) {
	if t.buf == nil {
		t.buf = make([]byte, 16<<10)
	}
	for n := 0; ; {
		if n == len(t.buf) {
			t.buf = append(t.buf, t.buf...)
		}
		more, err := t.file.ReadAt(t.buf[n:], int64(n))
		if n += more; err == io.EOF {
			return string(t.buf[:n]), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// Below are, of the mounts of a table, one and those that are mounted on it and on these, in the order of the table.
func Below(l []Entry, id uint64) []Entry {
	in := map[uint64]bool{id: true}
	for more := true; more; { // a mount can be listed before the one it is on
		more = false
		for i := range l {
			if !in[l[i].ID] && in[l[i].Parent] {
				in[l[i].ID], more = true, true
			}
		}
	}
	var below []Entry
	for _, e := range l {
		if in[e.ID] {
			below = append(below, e)
		}
	}
	return below
}

// unescape takes out the octal escapes of white space and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Is tells the number of the mount that what is open as fd is in, and whether it is its root directory, statx(2).
func Is(fd int) (id uint64, top bool, err error) {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st); err != nil {
		return 0, false, err
	}
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// Unmount unmounts what is mounted at a path of a tree last, with what is on it, and tells whether it has; not the mount with the number that is kept.
func Unmount(t *tree.Tree, p string, kept uint64) bool {
	fd, err := t.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	id, top, err := Is(fd)
	return err == nil && top && id != kept && unix.Unmount(sys.FDPath(fd), unix.MNT_DETACH) == nil
}
