package container

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// volatileLimits bound the parts of a tree that are in memory.
var volatileLimits = [...]string{"mode=0755", "size=25%", "nr_inodes=1m"}

// volatile makes of a tree, mounted nowhere yet and open as fd, the root directory, mounts that at root
// and returns it open. fd is closed if it is not that.
func (b *builder) volatile(fd, root int) (int, error) {
	switch b.c.Volatile {
	case VolatileYes:
		return b.onlyUsr(fd, root)
	case VolatileOverlay:
		return b.overlaid(fd, root)
	case VolatileState:
		if err := mount.Set(fd, readOnly, true); err != nil {
			return -1, fmt.Errorf("make %s read-only: %w", b.c.Tree, err)
		}
	}
	return fd, mount.Attach(fd, root)
}

// memory is a new file system for what of the tree is not kept.
func (b *builder) memory() (int, error) {
	return mount.New("tmpfs", "", b.c.owned(volatileLimits[:]...), strict)
}

// onlyUsr is a root directory in memory with the tree's /usr.
func (b *builder) onlyUsr(fd, root int) (int, error) {
	defer unix.Close(fd)
	for _, name := range [...]string{"bin", "sbin", "lib", "lib64"} {
		var st unix.Stat_t
		if unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return -1, errNotMerged
		}
	}
	m, err := b.memory() // before what is mounted in it, for mounts are listed in the order in which they were made
	if err != nil {
		return -1, err
	}
	usr, err := mount.Clone(fd, "usr", true)
	if err != nil {
		return -1, fmt.Errorf("mount /usr of %s: %w", b.c.Tree, err)
	}
	defer unix.Close(usr)
	if err := mount.Set(usr, readOnly, true); err != nil {
		return -1, fmt.Errorf("make /usr read-only: %w", err)
	}
	if err := mount.Attach(m, root); err != nil {
		return -1, err
	}
	if err := b.own(m, "usr", unix.Mkdirat(m, "usr", 0o755)); err != nil {
		return -1, err
	}
	place, err := unix.Openat(m, "usr", unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(place)
	if err := mount.Attach(usr, place); err != nil {
		return -1, err
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		var buf [unix.PathMax]byte
		n, err := unix.Readlinkat(fd, name, buf[:])
		if err != nil {
			continue // the tree has none
		}
		if err := b.own(m, name, unix.Symlinkat(string(buf[:n]), m, name)); err != nil {
			return -1, err
		}
	}
	return m, b.parts(fd, m)
}

// errNotMerged are programs outside /usr, which a root directory with nothing else would lack.
var errNotMerged = errors.New("Sorry, --volatile=yes mode is not supported with OS images that have not merged /bin/, /sbin/, /lib/, /lib64/ into /usr/. " +
	"Please work with your distribution and help them adopt the merged /usr scheme.")

// overlaid is the tree with a layer in memory over it that takes all changes.
func (b *builder) overlaid(fd, root int) (int, error) {
	defer unix.Close(fd)
	if err := mount.Attach(fd, root); err != nil {
		return -1, err
	}
	m, err := b.memory()
	if err != nil {
		return -1, err
	}
	defer unix.Close(m)
	if err := mount.Attach(m, root); err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	for _, name := range [...]string{"upper", "work"} {
		if err := b.own(m, name, unix.Mkdirat(m, name, st.Mode&0o7777)); err != nil {
			return -1, err
		}
	}
	o, err := overlay(fd, m, nil)
	if err != nil {
		return -1, fmt.Errorf("lay memory over %s: %w", b.c.Tree, err)
	}
	if err := mount.Attach(o, root); err != nil {
		return -1, err
	}
	return o, b.parts(fd, o)
}

// layered is the tree with a directory of the host over it that takes all changes.
func (b *builder) layered(fd, root int) (int, error) {
	defer unix.Close(fd)
	changes, err := unix.Open(b.c.Changes, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(changes)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	// The owners of the tree may be mapped, but not those of what is changed.
	if err := unix.Fchownat(changes, "upper", int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return -1, err
	}
	if err := unix.Fchmodat(changes, "upper", st.Mode&0o7777, 0); err != nil {
		return -1, err
	}
	if err := mount.Attach(fd, root); err != nil {
		return -1, err
	}
	o, err := wholeOverlay(fd, changes)
	if err != nil {
		return -1, fmt.Errorf("lay %s over %s: %w", b.c.Changes, b.c.Tree, err)
	}
	return o, mount.Attach(o, root)
}

// overlay lays the directory upper of an open directory, which has work too, over another one, and returns what is not mounted anywhere yet.
func overlay(lower, changes int, options []string) (fd int, err error) {
	dir := sys.FDPath(changes)
	return mount.New("overlay", "overlay", append(options, "lowerdir="+sys.FDPath(lower), "upperdir="+dir+"/upper", "workdir="+dir+"/work"), 0)
}

// wholeOverlay is overlay where what is called by several names stays one file, and directories can be renamed, as far as the file systems allow.
func wholeOverlay(lower, changes int) (fd int, err error) {
	for _, options := range [...][]string{{"redirect_dir=on", "index=on"}, {"redirect_dir=on"}, nil} {
		if fd, err = overlay(lower, changes, options); err == nil {
			break
		}
	}
	return fd, err
}

// CanLayer tells whether what is changed of the tree at a path can be kept in a directory, as Changes wants it.
func CanLayer(tree, changes string) bool {
	var fds [2]int
	for i, p := range [...]string{tree, changes} {
		fd, err := unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return false
		}
		defer unix.Close(fd)
		fds[i] = fd
	}
	fd, err := wholeOverlay(fds[0], fds[1])
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// parts mounts what belongs to the tree, but for /usr, once more below another root directory.
func (b *builder) parts(from, root int) error {
	b.root = tree.At(root, b.c.Tree)
	for _, p := range b.c.Parts {
		if p == "/usr" && b.c.Volatile == VolatileYes {
			continue
		}
		m, err := mount.Clone(from, p[1:], true)
		if err != nil {
			return err
		}
		err = b.attachAt(m, p)
		unix.Close(m)
		if err != nil {
			return fmt.Errorf("mount %s: %w", p, err)
		}
	}
	return nil
}

// temporary is what Volatile adds to the steps.
func (c *Container) temporary() []Step {
	var l []Step
	if c.Volatile == VolatileState {
		l = append(l, Step{Do: Mount, Target: "/var", Type: "tmpfs", Attr: strict, Options: c.owned(volatileLimits[:]...), Why: "the state is temporary"})
	}
	if c.Volatile != VolatileNo && c.Journal {
		l = append(l, Step{Do: Directory, Target: "/var/log", Mode: 0o755}, Step{Do: Directory, Target: "/var/log/journal", Mode: 0o755, Why: "the journal is kept"})
	}
	return l
}
