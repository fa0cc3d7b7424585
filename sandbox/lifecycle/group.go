package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A group is a cgroup of a service's own, which tells its processes from those of other services. It limits nothing.
type group struct{ path, parent string }

// newGroup makes a group below our own cgroup, nil where that cannot be done.
func newGroup(name string) *group {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok || strings.HasPrefix(own, "/..") { // which we cannot see
			continue
		}
		for _, top := range [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			var st unix.Statfs_t
			if unix.Statfs(top, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
				continue
			}
			g := &group{parent: filepath.Join(top, own)}
			g.path = filepath.Join(g.parent, "run-"+decimal(os.Getpid())+"-"+name)
			if os.Mkdir(g.path, 0o755) == nil {
				return g
			}
		}
	}
	return nil
}

// within calls f while we are in the group, so that who is started by it is in it from the first moment on.
func (g *group) within(f func()) {
	if g == nil || move(g.path) != nil {
		f()
		return
	}
	f()
	_ = move(g.parent)
}

func move(group string) error {
	return os.WriteFile(group+"/cgroup.procs", []byte("0"), 0)
}

// processes are those in the group and in groups that they have made.
func (g *group) processes() []int {
	var pids []int
	_ = filepath.WalkDir(g.path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(p + "/cgroup.procs")
		if errors.Is(err, unix.EOPNOTSUPP) { // threaded
			return nil
		}
		for f := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				if r, ok := lookAt(pid); ok && !r.zombie {
					pids = append(pids, pid)
				}
			}
		}
		return nil
	})
	return pids
}

// remove removes the group when nobody is in it any more.
func (g *group) remove() {
	if g == nil {
		return
	}
	var dirs []string
	_ = filepath.WalkDir(g.path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		_ = unix.Rmdir(dirs[i])
	}
}
