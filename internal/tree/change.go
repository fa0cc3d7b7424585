package tree

import (
	"math/rand/v2"
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
	return d.change("mkdir", name, func() error { return unix.Mkdirat(d.fd, name, mode) })
}

// Symlink makes a link; EEXIST when there is something of that name.
func (d *Dir) Symlink(target, name string) error {
	return d.change("symlink", name, func() error { return unix.Symlinkat(target, d.fd, name) })
}

// Remove removes a name that is no directory; EISDIR.
func (d *Dir) Remove(name string) error {
	return d.change("unlink", name, func() error { return unix.Unlinkat(d.fd, name, 0) })
}

// Rmdir removes an empty directory.
func (d *Dir) Rmdir(name string) error {
	return d.change("rmdir", name, func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) })
}

// change makes a system call about one name in d.
func (d *Dir) change(op, name string, call func() error) error {
	err := one(name)
	if err == nil {
		err = retry(call)
	}
	return d.fail(op, name, err)
}

// ReplaceLink puts a link in the place of what is called name, a directory
// excepted, in one step: at any time there is the old or the new.
func (d *Dir) ReplaceLink(target, name string) error {
	if err := one(name); err != nil {
		return d.fail("symlink", name, err)
	}
	return d.replace(name, func(tmp string) error { return unix.Symlinkat(target, d.fd, tmp) })
}

// replace has create put something under a temporary name and renames that to name.
func (d *Dir) replace(name string, create func(tmp string) error) error {
	var op string
	var err error
	for range 16 {
		tmp := temporary()
		op = "create"
		if err = retry(func() error { return create(tmp) }); err == unix.EEXIST {
			continue
		}
		if err != nil {
			break
		}
		op = "rename"
		if err = retry(func() error { return unix.Renameat(d.fd, tmp, d.fd, name) }); err == nil {
			return nil
		}
		_ = retry(func() error { return unix.Unlinkat(d.fd, tmp, 0) })
		if err != unix.ENOENT {
			break
		}
		// Somebody took it for a leftover, on a file system where we cannot lock each other out.
	}
	return d.fail(op, name, err)
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

// split cuts p before its last component. Nothing is taken out of the text: "..",
// after a link, is not where the text has it.
func split(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/') + 1
	return p[:i], p[i:]
}

// WriteFile writes the file p, replacing a file or a link that is there in one step: there
// is the old, or the whole of the new. The directory must exist. mode is not subject to umask(2).
func (t *Tree) WriteFile(p string, data []byte, mode uint32) error {
	dir, name := split(p)
	if err := one(name); err != nil {
		return t.fail("write", p, err)
	}
	d, err := t.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if fd, err := d.unnamed(data, mode); err == nil {
		defer unix.Close(fd)
		// Before Linux 6.10 this takes CAP_DAC_READ_SEARCH, and without it is ENOENT.
		link := func(as string) error { return unix.Linkat(fd, "", d.fd, as, unix.AT_EMPTY_PATH) }
		if err = retry(func() error { return link(name) }); err == unix.EEXIST {
			return d.replace(name, link)
		}
		if err == nil {
			return nil
		}
	}
	// Many file systems have no files without names. If it failed for another reason, this says so.
	return d.replace(name, func(tmp string) error { return d.writeNew(tmp, data, mode) })
}

// unnamed opens a new file in d that has no name yet, O_TMPFILE of open(2), and fills it. A run
// that is killed before there is a name leaves nothing.
func (d *Dir) unnamed(data []byte, mode uint32) (int, error) {
	fd, err := eintr(func() (int, error) {
		return unix.Openat(d.fd, ".", unix.O_WRONLY|unix.O_TMPFILE|unix.O_CLOEXEC, mode)
	})
	if err != nil {
		return -1, err
	}
	if err := fill(fd, data, mode); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// writeNew makes the file name. One that cannot be completed is removed.
func (d *Dir) writeNew(name string, data []byte, mode uint32) error {
	fd, err := d.openat(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = fill(fd, data, mode)
	if e := unix.Close(fd); err == nil {
		err = e // some file systems find out only now that there is no space
	}
	if err != nil {
		_ = retry(func() error { return unix.Unlinkat(d.fd, name, 0) })
	}
	return err
}

// fill gives a new file its mode and contents.
func fill(fd int, data []byte, mode uint32) error {
	if err := retry(func() error { return unix.Fchmod(fd, mode) }); err != nil {
		return err
	}
	for len(data) > 0 {
		n, err := eintr(func() (int, error) { return unix.Write(fd, data) })
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
