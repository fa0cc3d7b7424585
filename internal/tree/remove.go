package tree

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// RemoveAll removes p, and all below it when it is a directory; links are not
// followed. What is mounted below p is left alone and makes it ENOTEMPTY. What can be removed
// is, whatever fails; the error is the first one.
func (t *Tree) RemoveAll(p string) error {
	dir, name := split(strings.TrimRight(p, "/"))
	if err := one(name); err != nil {
		return t.fail("remove", p, err)
	}
	d, err := t.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	st, err := d.Lstat(name)
	if err != nil {
		return err
	}
	if st.Kind != Directory {
		return d.Remove(name)
	}
	return d.removeTree(name)
}

// removeTree removes the directory name and all below it.
func (d *Dir) removeTree(name string) error {
	sub, err := d.OpenDir(name)
	if err != nil {
		return err
	}
	first := sub.removeEntries()
	sub.Close()
	if err := d.Rmdir(name); err != nil && first == nil {
		first = err
	}
	if isErrno(first, unix.EACCES) {
		// The reference opens what it empties without a change of the access time, which only the owner may:
		// its error is this one.
		fd, err := d.openat(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK|unix.O_NOATIME, 0)
		if err == unix.EPERM {
			return d.fail("remove", name, err)
		}
		_ = closeFd(&fd)
	}
	return first
}

func (d *Dir) removeEntries() (first error) {
	es, err := d.Entries()
	if err != nil {
		return err
	}
	for _, e := range es {
		if e.Kind == Directory {
			// Only a directory that rmdir(2) finds full is gone into: it looks for a
			// mount, EBUSY, before that, but for permission, EROFS too, before both.
			err = d.Rmdir(e.Name)
			switch {
			case isErrno(err, unix.EBUSY):
				continue // somebody's files
			case isErrno(err, unix.ENOTEMPTY), isErrno(err, unix.EEXIST):
				err = d.removeTree(e.Name)
			}
		} else {
			err = d.Remove(e.Name)
		}
		if err != nil && !isErrno(err, unix.ENOENT) && first == nil {
			first = err
		}
	}
	return first
}

// RemoveEmptyParents removes the directories above p that are empty, from the
// lowest up to, and without, stop.
func (t *Tree) RemoveEmptyParents(p, stop string) {
	stop = strings.TrimRight(stop, "/")
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
