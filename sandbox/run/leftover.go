package run

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/launch"
	"ctl/sandbox/lifecycle"
	"ctl/sandbox/mount"
)

// runtimePrefix is how the directories of calls begin.
const runtimePrefix = "run-"

// A lease is a directory for what lives as long as the call, which services may look through but not list. Its lock tells others that the call
// lives; of calls that were killed it has a list of what else they have left.
type lease struct {
	dir  string
	lock *os.File
}

// take makes the directory, and removes what calls that were killed have left.
func (c *Call) take(user bool) (lease, error) {
	top := "/run/ctl"
	if user {
		top = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "ctl")
		if !filepath.IsAbs(top) {
			top = filepath.Join(os.TempDir(), "ctl-"+os.Getenv("USER"))
		}
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return lease{}, err
	}
	all, err := lock(top, unix.LOCK_EX) // until the directory has its own
	if err != nil {
		return lease{}, err
	}
	defer all.Close()
	if names, err := all.Readdirnames(-1); err == nil && ours(all) {
		for _, name := range names {
			if strings.HasPrefix(name, runtimePrefix) {
				c.removeLeft(filepath.Join(top, name))
			}
		}
	}
	dir, err := os.MkdirTemp(top, runtimePrefix)
	if err != nil {
		return lease{}, err
	}
	l := lease{dir: dir}
	if l.lock, err = lock(dir, unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = l.lock.Chmod(0o711)
	}
	if err != nil {
		return lease{}, errors.Join(err, l.end())
	}
	return l, nil
}

// end removes the directory.
func (l lease) end() error {
	err := os.RemoveAll(l.dir)
	if l.lock != nil {
		l.lock.Close()
	}
	return err
}

// lock opens a directory and locks it, flock(2).
func lock(dir string, how int) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "flock", Path: dir, Err: err}
		}
		return f, nil
	}
}

// ours tells whether nobody else can have put anything into a directory.
func ours(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && int(st.Uid) == os.Geteuid() && st.Mode&0o022 == 0
}

// removeLeft removes the directory of a call that was killed, and what its services have left elsewhere.
func (c *Call) removeLeft(dir string) {
	f, err := lock(dir, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return // it lives
	}
	defer f.Close()
	if !ours(f) {
		return
	}
	if text, err := os.ReadFile(filepath.Join(dir, lifecycle.Groups)); err == nil {
		for path := range strings.Lines(string(text)) {
			(&cgroup.Group{Path: strings.TrimSpace(path)}).Clear()
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, lifecycle.Home)); err == nil {
		cgroup.Restore(string(text))
	}
	if text, err := os.ReadFile(filepath.Join(dir, launch.Left)); err == nil {
		for _, l := range launch.Leftovers(string(text)) {
			t, err := tree.Open(l.Tree)
			if err != nil {
				continue
			}
			if l.Mounted {
				mount.Unmount(t, l.Path, 0)
			}
			if d, err := t.OpenDir(l.Path); err == nil { // of credentials, whose owner may not write there
				_ = unix.Fchmod(d.Fd(), 0o700)
				d.Close()
			}
			_ = t.RemoveAll(l.Path)
			t.Close()
		}
	}
	if err := os.RemoveAll(dir); err == nil && !c.Opt.quiet {
		c.say(term.Notice, "Removed "+dir+", which a call that was killed has left.")
	}
}

// Bereaved is what becomes of the guardian of a call that was killed: it kills the services, and removes what is left.
func Bereaved(argv []string) int {
	c := &Call{Opt: settings{quiet: true}}
	if len(argv) != 2 {
		return exitFailure
	}
	if dir := lifecycle.Bereaved(argv[1]); dir != "" {
		c.removeLeft(dir)
	}
	return 0
}
