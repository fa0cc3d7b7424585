package sandbox

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/container"
)

// A group is the cgroup that a container is put into, below ours or that of its scope, if there can be one.
type group struct {
	path string
	all  bool     // what is above it is the container's too, with its controllers
	dir  *os.File // locked until the process is in it, before when it looks like one that was left
}

// owned are the files of a cgroup that whoever it is delegated to may write.
var owned = [...]string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cgroup.controllers", "cgroup.events", "cgroup.stat",
	"memory.oom.group", "memory.reclaim"}

// make makes it, below that of a process, which is a scope or not, where it can be made.
func (g *group) make(of string, d *container.Container, scope bool) {
	parent, ok := cgroup.Of(of)
	if !ok {
		return
	}
	if p, ok := strings.CutSuffix(parent, "/supervisor"); ok && !scope { // DelegateSubgroup=, systemd.resource-control(5)
		parent, scope = p, true
	}
	g.all = scope
	p := parent + "/payload"
	err := os.Mkdir(p, 0o755)
	if errors.Is(err, os.ErrExist) {
		removeLeft(p)
		err = os.Mkdir(p, 0o755)
	}
	if errors.Is(err, os.ErrExist) { // somebody is there
		p += "-" + strconv.Itoa(os.Getpid())
		err = os.Mkdir(p, 0o755)
	}
	if err != nil {
		return
	}
	g.path = p
	if fd, err := lockCgroup(p); err == nil {
		g.dir = os.NewFile(uintptr(fd), p)
	}
	if d.Limit.Hardened {
		_ = d.RestrictDevices(p) // its tree has none that could be opened either
	}
	if d.Users != nil {
		for _, f := range owned {
			_ = os.Chown(path.Join(p, f), int(d.Users.Base), int(d.Users.Base))
		}
	}
}

// add puts a process into it that is not in it from the start. Where that cannot be done, the process stays where it is.
func (g *group) add(pid int) {
	if g.path == "" {
		return
	}
	id := strconv.Itoa(pid)
	if procs, _ := sys.ReadFile(g.path + "/cgroup.procs"); !slices.Contains(strings.Fields(string(procs)), id) {
		if err := os.WriteFile(g.path+"/cgroup.procs", []byte(id), 0); err != nil {
			g.remove()
			return
		}
	}
	g.unlock()
	if g.all {
		delegate(path.Dir(g.path))
	}
}

// sweep removes those that others have left.
func (g *group) sweep() {
	if g.path == "" {
		return
	}
	stale, _ := filepath.Glob(path.Dir(g.path) + "/payload*")
	for _, p := range stale {
		removeLeft(p)
	}
}

func (g *group) unlock() {
	if g.dir != nil {
		g.dir.Close()
		g.dir = nil
	}
}

// delegate lets the cgroups below one, which is ours, have all the controllers that it has, cgroups(7).
func delegate(cgroup string) {
	list, _ := sys.ReadFile(cgroup + "/cgroup.controllers")
	for name := range strings.FieldsSeq(string(list)) {
		_ = os.WriteFile(cgroup+"/cgroup.subtree_control", []byte("+"+name), 0)
	}
}

// remove removes the cgroup with those that the container has made in it.
func (g *group) remove() {
	g.unlock()
	if g.path != "" {
		(&cgroup.Group{Path: g.path}).Remove()
		g.path = ""
	}
}

// lockCgroup takes a lock of a cgroup, which who looks for those that were left takes too.
func lockCgroup(p string) (int, error) {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// removeLeft removes a cgroup that was left by a supervisor that was killed.
func removeLeft(p string) {
	fd, err := lockCgroup(p)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if events, err := sys.ReadFile(p + "/cgroup.events"); err == nil && strings.Contains(string(events), "populated 0") {
		(&cgroup.Group{Path: p}).Remove()
	}
}
