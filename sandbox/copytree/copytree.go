// Package copytree copies directory trees for containers: a snapshot where the file system is btrfs, else files that share
// their blocks where it can do that, else plain copies. A copy has everything that the tree has: owners, modes, access control lists
// and all other extended attributes, hard links, holes, devices, fifos, sockets and times; but not what is mounted in the
// tree, nor inode flags. Everything is done relative to open directories, and no link is ever followed.
package copytree

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Options are how a copy is made.
type Options struct {
	ReadOnly bool           // makes the copy read-only, if it is a subvolume; a template's copy that is none becomes immutable
	Progress func(Progress) // is told now and then, by one goroutine, how far the copy is
}

// Copy copies the tree at the directory src to dst, which must not exist, in a directory that does. When it fails or
// ctx ends, nothing of dst is left. Nobody but its maker gets into dst before it is complete.
func Copy(ctx context.Context, src, dst string, o Options) error {
	return copyTree(ctx, src, dst, o, nil)
}

// copyTree is Copy without the entries of the top for which skip holds.
func copyTree(ctx context.Context, src, dst string, o Options, skip func(name string) bool) (err error) {
	from, err := openDir(unix.AT_FDCWD, src)
	if err != nil {
		return fail("copy", src, err)
	}
	defer unix.Close(from)
	name := filepath.Base(dst)
	parent, err := openDir(unix.AT_FDCWD, filepath.Dir(dst))
	if err != nil {
		return fail("copy to", dst, err)
	}
	defer unix.Close(parent)
	if isSubvolume(from) {
		switch err := snapshot(parent, name, from, skip); err {
		case nil:
			return readOnly(parent, name, o.ReadOnly, dst)
		case unix.EEXIST, unix.ENOSPC, unix.EDQUOT, unix.EROFS:
			return fail("copy to", dst, err)
		} // else it is another file system, or not ours to take snapshots of
	}
	if err := createSubvolume(parent, name); err == unix.EEXIST {
		return fail("copy to", dst, err)
	} else if err != nil {
		if err := unix.Mkdirat(parent, name, 0o700); err != nil {
			return fail("copy to", dst, err)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAt(parent, name))
		}
	}()
	to, err := openDir(parent, name)
	if err != nil {
		return fail("copy to", dst, err)
	}
	defer unix.Close(to)
	if err := unix.Fchmod(to, 0o700); err != nil {
		return fail("copy to", dst, err)
	}
	for _, acl := range [...]string{"system.posix_acl_access", "system.posix_acl_default"} {
		_ = unix.Fremovexattr(to, acl) // else all that is made below would inherit the parent's
	}
	c := newCopier(ctx, from, to, skip)
	if o.Progress != nil {
		defer c.report(o.Progress, from)()
	}
	if err := c.run(); err != nil {
		return err
	}
	return readOnly(parent, name, o.ReadOnly, dst)
}

// readOnly makes a subvolume read-only, if it is to be.
func readOnly(parent int, name string, wanted bool, dst string) error {
	if !wanted {
		return nil
	}
	fd, err := openDir(parent, name)
	if err != nil {
		return fail("copy to", dst, err)
	}
	defer unix.Close(fd)
	if !isSubvolume(fd) {
		return nil
	}
	return fail("copy to", dst, setReadOnly(fd, true))
}

// Template makes a tree at dst that is a copy of the tree at src. It is made under a temporary name beside dst, so that dst is
// there as a whole or not at all. If dst is there, that is fs.ErrExist.
func Template(ctx context.Context, src, dst string, o Options) error {
	dst = filepath.Clean(dst)
	if err := unix.Faccessat(unix.AT_FDCWD, dst, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return fail("copy to", dst, unix.EEXIST)
	}
	t, err := newTemporary(path.Dir(dst), path.Base(dst))
	if err != nil {
		return err
	}
	defer t.lock.Release()
	late := o
	late.ReadOnly = false // a read-only tree could not be renamed
	if err := copyTree(ctx, src, t.Path, late, nil); err != nil {
		return err
	}
	if err := rename(t.Path, dst); err != nil {
		return errors.Join(fail("copy to", dst, err), Remove(t.Path))
	}
	if !o.ReadOnly {
		return nil
	}
	fd, err := openDir(unix.AT_FDCWD, dst)
	if err != nil {
		return fail("copy to", dst, err)
	}
	defer unix.Close(fd)
	if isSubvolume(fd) {
		return fail("copy to", dst, setReadOnly(fd, true))
	}
	if err := changeFlags(fd, immutable, 0); err != unix.ENOTTY && err != unix.EOPNOTSUPP {
		return fail("copy to", dst, err)
	}
	return nil
}

// rename gives old another name, which must be free.
func rename(old, name string) error {
	err := unix.Renameat2(unix.AT_FDCWD, old, unix.AT_FDCWD, name, unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS { // the file system cannot; a tree with anything in it is not replaced anyhow
		err = unix.Rename(old, name)
	}
	return err
}

// fail says what could not be done where, nil if err is.
func fail(op, where string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: where, Err: err}
}
