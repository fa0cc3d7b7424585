package copytree

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/lock"
)

// prefix begins the names of temporary copies; the name of the tree and 16 hexadecimal digits follow.
const prefix = ".#snapshot."

// A Temporary is a copy for a while. It is alive as long as somebody holds the lock of the file beside it, Lock, for which
// reason a process that has to outlive this one takes over the descriptors of it.
type Temporary struct {
	Path string
	lock *lock.Lock
}

// FDs are the descriptors that keep the copy from being taken for a leftover.
func (t *Temporary) FDs() []int { return t.lock.FDs() }

// Remove removes the copy, when nobody uses it any more.
func (t *Temporary) Remove() error {
	defer t.lock.Release() // last, for what nobody holds is anybody's to remove
	return Remove(t.Path)
}

// Ephemeral makes a temporary copy of the tree at the absolute path src, beside it or, if it is a mount point, in it.
func Ephemeral(ctx context.Context, src string, o Options) (*Temporary, error) {
	dir, name := place(src)
	t, err := newTemporary(dir, name)
	if err != nil {
		return nil, err
	}
	var skip func(string) bool
	if name == "" {
		skip = func(n string) bool { return isTemporary(n, "") || isTemporary(lockOf(n), "") }
	}
	if err := copyTree(ctx, src, t.Path, o, skip); err != nil {
		t.lock.Release()
		return nil, err
	}
	return t, nil
}

// EphemeralAt is Ephemeral with the copy beside another path, by whose name it is called.
func EphemeralAt(ctx context.Context, src, beside string, o Options) (*Temporary, error) {
	t, err := newTemporary(path.Split(beside))
	if err != nil {
		return nil, err
	}
	if err := copyTree(ctx, src, t.Path, o, nil); err != nil {
		t.lock.Release()
		return nil, err
	}
	return t, nil
}

// place is where the temporary copies of a tree are, and the name of the tree in theirs.
func place(tree string) (dir, name string) {
	tree = filepath.Clean(tree)
	var st, above unix.Statx_t
	if tree == "/" {
		return tree, ""
	}
	if statx(unix.AT_FDCWD, tree, &st) == nil && statx(unix.AT_FDCWD, path.Dir(tree), &above) == nil {
		if st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 ||
			st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 && identityOf(&st).dev != identityOf(&above).dev {
			return tree, ""
		}
	}
	return path.Dir(tree), path.Base(tree)
}

// isTemporary tells whether a name is that of a temporary copy of a tree.
func isTemporary(name, tree string) bool {
	digits, ok := strings.CutPrefix(name, prefix+tree)
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// lockOf is the name of which a name is the lock file's, "" if it is none's.
func lockOf(name string) string {
	name, begins := strings.CutPrefix(name, ".#")
	name, ends := strings.CutSuffix(name, ".lck")
	if !begins || !ends {
		return ""
	}
	return name
}

// newTemporary finds a free name for a temporary copy and takes its lock.
func newTemporary(dir, name string) (*Temporary, error) {
	for {
		var digits [8]byte
		sys.Random(digits[:])
		p := path.Join(dir, prefix+name+hex.EncodeToString(digits[:]))
		l, err := lock.File(lock.Beside(p), lock.Exclusive)
		switch {
		case err == nil:
			return &Temporary{p, l}, nil
		case errors.Is(err, lock.ErrBusy): // somebody looks whether it is a leftover
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return &Temporary{p, &lock.Lock{}}, nil // no locks here; nobody will take it for a leftover
		default:
			return nil, err
		}
	}
}

// Clean removes the temporary copies of the tree at an absolute path that were left by whoever was killed: nobody has their locks,
// and no process has its root directory there. What it could not remove it tells; removed are the paths of the rest.
func Clean(tree string) (removed []string, err error) {
	dir, name := place(tree)
	names, err := os.ReadDir(dir)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	for _, n := range names {
		what := n.Name()
		alone := lockOf(what)
		if alone != "" {
			what = alone
		}
		if !isTemporary(what, name) {
			continue
		}
		p := path.Join(dir, what)
		l, e := lock.File(lock.Beside(p), lock.Exclusive)
		if e != nil {
			continue // alive, or not ours
		}
		if alone == "" && !used(p) {
			if e := Remove(p); e != nil {
				err = errors.Join(err, e)
			} else {
				removed = append(removed, p)
			}
		}
		l.Release()
	}
	return removed, err
}

// used tells whether the root directory of a process is at p, whose lock was lost: that of the reference, when it is killed, while its
// container lives on.
func used(p string) bool {
	var want, st unix.Statx_t
	if statx(unix.AT_FDCWD, p, &want) != nil {
		return false
	}
	processes, _ := os.ReadDir("/proc")
	for _, d := range processes {
		if n := d.Name(); n[0] < '0' || n[0] > '9' {
			continue
		}
		err := unix.Statx(unix.AT_FDCWD, "/proc/"+d.Name()+"/root", unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, &st)
		if err == nil && identityOf(&st) == identityOf(&want) {
			return true
		}
	}
	return false
}
