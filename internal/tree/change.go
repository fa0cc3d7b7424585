package tree

import (
	"math/rand/v2"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Temporary names begin and end so; no unit is called like that. A run that was
// killed between making one and renaming it leaves it to CleanTemporary of the next.
const (
	temporaryPrefix = ".ctl-"
	temporarySuffix = ".tmp"
)

func isTemporary(name string) bool {
	return strings.HasPrefix(name, temporaryPrefix) && strings.HasSuffix(name, temporarySuffix)
}

func temporary() string {
	return temporaryPrefix + strconv.FormatUint(rand.Uint64(), 36) + temporarySuffix
}

// Mkdir makes a directory in d.
func (d *Dir) Mkdir(name string, mode uint32) error {
	if err := one(name); err != nil {
		return d.fail("mkdir", name, err)
	}
	return d.fail("mkdir", name, unix.Mkdirat(d.fd, name, mode))
}

// Symlink makes a link; EEXIST when there is something of that name.
func (d *Dir) Symlink(target, name string) error {
	if err := one(name); err != nil {
		return d.fail("symlink", name, err)
	}
	return d.fail("symlink", name, unix.Symlinkat(target, d.fd, name))
}

// ReplaceLink puts a link in the place of what is called name, a directory
// excepted, in one step: at any time there is the old or the new.
func (d *Dir) ReplaceLink(target, name string) error {
	if err := one(name); err != nil {
		return d.fail("symlink", name, err)
	}
	return d.replace(name, func(tmp string) error { return unix.Symlinkat(target, d.fd, tmp) })
}

// replace has make create a temporary name and renames that to name.
func (d *Dir) replace(name string, make func(tmp string) error) error {
	tmp := temporary()
	err := make(tmp)
	for tries := 0; err == unix.EEXIST && tries < 16; tries++ {
		tmp = temporary()
		err = make(tmp)
	}
	if err != nil {
		return d.fail("create", name, err)
	}
	if err := unix.Renameat(d.fd, tmp, d.fd, name); err != nil {
		_ = unix.Unlinkat(d.fd, tmp, 0)
		return d.fail("rename", name, err)
	}
	return nil
}

// Remove removes a name that is no directory.
func (d *Dir) Remove(name string) error {
	if err := one(name); err != nil {
		return d.fail("unlink", name, err)
	}
	return d.fail("unlink", name, unix.Unlinkat(d.fd, name, 0))
}

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(name string) error {
	if err := one(name); err != nil {
		return d.fail("rmdir", name, err)
	}
	return d.fail("rmdir", name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))
}

// CleanTemporary removes temporary names that killed runs have left. The caller holds the tree's lock.
func (d *Dir) CleanTemporary() {
	es, err := d.Entries()
	if err != nil {
		return
	}
	for _, e := range es {
		if e.Kind != Directory && isTemporary(e.Name) {
			_ = d.Remove(e.Name)
		}
	}
}

// WriteFile writes the file p, replacing one that is there in one step: there is
// the old, or the whole of the new. The directory must exist.
func (t *Tree) WriteFile(p string, data []byte, mode uint32) error {
	d, err := t.OpenDir(path.Dir(path.Clean("/" + p)))
	if err != nil {
		return err
	}
	defer d.Close()
	name := path.Base(p)
	if err := one(name); err != nil {
		return d.fail("write", name, err)
	}
	return d.replace(name, func(tmp string) error {
		fd, err := d.openat(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
		if err != nil {
			return err
		}
		err = unix.Fchmod(fd, mode)
		for rest := data; err == nil && len(rest) > 0; {
			var n int
			if n, err = eintr(func() (int, error) { return unix.Write(fd, rest) }); err == nil {
				rest = rest[n:]
			}
		}
		if e := unix.Close(fd); err == nil {
			err = e
		}
		if err != nil {
			_ = unix.Unlinkat(d.fd, tmp, 0)
		}
		return err
	})
}

// RemoveAll removes p, and all below it when it is a directory; links are not followed.
func (t *Tree) RemoveAll(p string) error {
	d, err := t.OpenDir(path.Dir(path.Clean("/" + p)))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.removeAll(path.Base(p))
}

func (d *Dir) removeAll(name string) error {
	err := d.Remove(name)
	if !isErrno(err, unix.EISDIR) && !isErrno(err, unix.EPERM) {
		return err
	}
	sub, e := d.OpenDir(name)
	if e != nil {
		return err
	}
	defer sub.Close()
	es, err := sub.Entries()
	if err != nil {
		return err
	}
	for _, e := range es {
		if err := sub.removeAll(e.Name); err != nil && !isErrno(err, unix.ENOENT) {
			return err
		}
	}
	return d.Rmdir(name)
}

// RemoveEmptyParents removes the directories above p that are empty, from the
// lowest up to, and without, stop.
func (t *Tree) RemoveEmptyParents(p, stop string) {
	for dir := path.Dir(p); dir != stop && strings.HasPrefix(dir, stop+"/"); dir = path.Dir(dir) {
		d, err := t.OpenDir(path.Dir(dir))
		if err != nil {
			return
		}
		err = d.Rmdir(path.Base(dir))
		d.Close()
		if err != nil {
			return
		}
	}
}
