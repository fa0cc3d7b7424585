// Package cgroup makes cgroups of the unified hierarchy, cgroups(7), for services, and sets in them what systemd.resource-control(5) has settings
// for: limits, where the controller is at hand, and programs that decide which devices may be used and which addresses talked to.
package cgroup

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// A Home is the cgroup that we were started in, below which groups can be made.
type Home struct {
	path string
	leaf string // where we are while it has controllers for its children, "" for in it
	own  []string
	note func(text string) // see Note
}

// Note has f called with what Restore, in another process, makes undone of what Close would have; before it is done.
func (h *Home) Note(f func(text string)) {
	if h != nil {
		h.note = f
	}
}

// Restore is Close for a process that was killed.
func Restore(note string) {
	l := strings.Split(strings.TrimSuffix(note, "\n"), "\n")
	if len(l) < 2 {
		return
	}
	(&Home{path: l[0], leaf: l[1], own: l[2:]}).Close()
}

func (h *Home) noted() {
	if h.note != nil {
		h.note(strings.Join(append([]string{h.path, h.leaf}, h.own...), "\n") + "\n")
	}
}

// Root is where the unified hierarchy is mounted, "" for nowhere.
func Root() string {
	for _, p := range [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var st unix.Statfs_t
		if unix.Statfs(p, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return p
		}
	}
	return ""
}

// Of is the directory of the cgroup of a process, which is a PID or "self"; of one above our cgroup namespace nothing is seen.
func Of(pid string) (string, bool) {
	root := Root()
	if root == "" {
		return "", false
	}
	data, _ := sys.ReadFile("/proc/" + pid + "/cgroup")
	for line := range strings.Lines(string(data)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			if strings.HasPrefix(own, "/..") {
				return "", false
			}
			return filepath.Join(root, own), true
		}
	}
	return "", false
}

// Find finds the Home; nil where no groups can be made: there is no unified hierarchy, or it is not ours to write.
func Find() *Home {
	if p, ok := Of("self"); ok && unix.Access(p, unix.W_OK) == nil {
		return &Home{path: p}
	}
	return nil
}

func (h *Home) words(file string) []string {
	data, _ := os.ReadFile(h.path + "/" + file)
	return strings.Fields(string(data))
}

// Has tells whether groups can have a controller: it is given on already, or can be, for nobody else is in our cgroup. In one with
// processes no controllers can be given to the groups below, but in the topmost of all, cgroups(7) "no internal processes".
func (h *Home) Has(controller string) bool {
	if h == nil {
		return false
	}
	if slices.Contains(h.words("cgroup.subtree_control"), controller) {
		return true
	}
	if !slices.Contains(h.words("cgroup.controllers"), controller) || unix.Access(h.path+"/cgroup.subtree_control", unix.W_OK) != nil {
		return false
	}
	return h.topmost() || h.leaf != "" || !slices.ContainsFunc(h.words("cgroup.procs"), func(pid string) bool { return !ours(pid) })
}

// topmost tells whether our cgroup is that of all, which alone lacks a type.
func (h *Home) topmost() bool {
	_, err := os.Stat(h.path + "/cgroup.type")
	return errors.Is(err, fs.ErrNotExist)
}

// ours tells whether a process is we, or a child of ours.
func ours(pid string) bool {
	self := strconv.Itoa(os.Getpid())
	if pid == self {
		return true
	}
	data, _ := os.ReadFile("/proc/" + pid + "/stat")
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	return len(f) > 1 && f[1] == self
}

// move moves us and our children from one cgroup to another.
func move(from, to string) (err error) {
	data, _ := os.ReadFile(from + "/cgroup.procs")
	for pid := range strings.FieldsSeq(string(data)) {
		if ours(pid) {
			err = errors.Join(err, write(to, "cgroup.procs", pid))
		}
	}
	return err
}

// Give gives controllers to the groups below. We leave our cgroup for one below it, if need be.
func (h *Home) Give(controllers []string) error {
	for _, c := range controllers {
		if slices.Contains(h.words("cgroup.subtree_control"), c) {
			continue
		}
		// Before: the kernel would give on pids and cpu, and then take no processes in the groups below, which are threaded.
		if h.leaf == "" && !h.topmost() {
			h.leaf = h.path + "/run-" + strconv.Itoa(os.Getpid())
			h.noted()
			if err := os.Mkdir(h.leaf, 0o755); err != nil {
				h.leaf = ""
				return err
			}
			if err := move(h.path, h.leaf); err != nil {
				return err
			}
		}
		h.own = append(h.own, c)
		h.noted()
		if err := write(h.path, "cgroup.subtree_control", "+"+c); err != nil {
			h.own = h.own[:len(h.own)-1]
			return err
		}
	}
	return nil
}

// Close leaves our cgroup as it was found.
func (h *Home) Close() {
	if h == nil {
		return
	}
	for _, c := range h.own {
		_ = write(h.path, "cgroup.subtree_control", "-"+c)
	}
	if h.leaf != "" && move(h.leaf, h.path) == nil {
		_ = unix.Rmdir(h.leaf)
	}
	h.own, h.leaf = nil, ""
}

// A Group is a cgroup of a service's own.
type Group struct {
	Path string
	// Killed says that Kill was called: since Linux 6.14 whoever is forked into the group later is killed too, while who is moved there is not.
	Killed bool
}

// New makes a group, nil where that cannot be done. Its path is told to leaves before there is one.
func (h *Home) New(name string, leaves func(path string)) *Group {
	if h == nil {
		return nil
	}
	g := &Group{Path: filepath.Join(h.path, "run-"+strconv.Itoa(os.Getpid())+"-"+name)}
	leaves(g.Path)
	if err := os.Mkdir(g.Path, 0o755); err != nil {
		return nil
	}
	return g
}

// write writes a file of a cgroup, which has to be there.
func write(dir, file, text string) error {
	f, err := os.OpenFile(dir+"/"+file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// PIDs are the processes in the group and in groups that they have made.
func (g *Group) PIDs() []int {
	var pids []int
	for _, dir := range g.all() {
		data, err := os.ReadFile(dir + "/cgroup.procs")
		if err != nil { // of a threaded one, EOPNOTSUPP: the one above tells
			continue
		}
		for f := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// all are the directories of the group and of groups below, those above first.
func (g *Group) all() (dirs []string) {
	_ = filepath.WalkDir(g.Path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	return dirs
}

// Kill kills all processes in the group at once, those that are just forked among them, Linux 5.14.
func (g *Group) Kill() error {
	g.Killed = true
	return write(g.Path, "cgroup.kill", "1")
}

// Clear kills whoever is in the group, and removes it when they have ended.
func (g *Group) Clear() {
	if g.Kill() != nil {
		for _, pid := range g.PIDs() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	events, err := os.Open(g.Path + "/cgroup.events")
	if err != nil {
		return
	}
	defer events.Close()
	for range 10 {
		var text [256]byte
		n, _ := events.ReadAt(text[:], 0)
		if !strings.Contains(string(text[:n]), "populated 1") {
			break
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}, 100)
	}
	g.Remove()
}

// OOMKills is how many processes of the group the kernel has killed for lack of memory.
func (g *Group) OOMKills() uint64 {
	data, _ := os.ReadFile(g.Path + "/memory.events")
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			kills, _ := strconv.ParseUint(n, 10, 64)
			return kills
		}
	}
	return 0
}

// Delegate gives the group to a user, who may make groups in it: what https://systemd.io/CGROUP_DELEGATION lists. With a name, one of that
// name is made in it, for processes to be in.
func (g *Group) Delegate(uid, gid int, name string) error {
	own := func(dir string) error {
		for _, f := range [...]string{"", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads", "/memory.oom.group", "/memory.reclaim"} {
			if err := os.Chown(dir+f, uid, gid); err != nil && (!errors.Is(err, fs.ErrNotExist) || f == "") {
				return err
			}
		}
		return nil
	}
	if err := own(g.Path); err != nil || name == "" {
		return err
	}
	sub := g.Path + "/" + name
	if err := os.Mkdir(sub, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return own(sub)
}

// Remove removes the group when nobody is in it any more.
func (g *Group) Remove() {
	if g == nil {
		return
	}
	dirs := g.all()
	for _, d := range slices.Backward(dirs) {
		_ = unix.Rmdir(d)
	}
}
