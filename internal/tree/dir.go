package tree

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A Dir is a directory of a tree, held open: what is done through it is done
// there, wherever it may be moved. Names are single components, everything else is EINVAL.
type Dir struct {
	t    *Tree
	fd   int
	path string // as it was asked for
	read bool   // the file position has moved
}

// OpenDir opens the directory p, links followed inside the tree.
func (t *Tree) OpenDir(p string) (*Dir, error) {
	fd, err := t.open(p, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, t.fail("open", p, err)
	}
	return &Dir{t: t, fd: fd, path: p}, nil
}

// MkdirAll opens the directory p after making it and its missing parents; mode
// is subject to umask(2). Links on the way are followed. One that leads nowhere is
// not filled with a directory: that is ENOENT, as it is for mkdir(2).
func (t *Tree) MkdirAll(p string, mode uint32) (*Dir, error) {
	at := p
	d, err := t.OpenDir(at)
	for isErrno(err, unix.ENOENT) {
		i := strings.LastIndexByte(strings.TrimRight(at, "/"), '/')
		if i < 0 {
			if at == "" {
				return nil, err
			}
			i = 0
		}
		at = at[:i]
		d, err = t.OpenDir(at)
	}
	if err != nil {
		return nil, err
	}
	for rest := p[len(at):]; ; {
		var name string
		if name, rest = cutComponent(rest); name == "" {
			d.path = p
			return d, nil
		}
		sub, err := d.descend(name, mode)
		d.Close()
		if err != nil {
			return nil, err
		}
		d = sub
	}
}

// descend opens the directory name in d, made if need be, with links followed and ".." as the tree has it.
func (d *Dir) descend(name string, mode uint32) (*Dir, error) {
	at := d.path + "/" + name
	if one(name) == nil {
		if err := d.Mkdir(name, mode); err == nil {
			return d.OpenDir(name)
		} else if !isErrno(err, unix.EEXIST) {
			return nil, err
		}
	}
	return d.t.OpenDir(at)
}

func isErrno(err error, e unix.Errno) bool {
	p, ok := err.(*os.PathError)
	return ok && p.Err == e
}

// Path is the directory's path in the tree, as it was asked for.
func (d *Dir) Path() string { return d.path }

// Close releases the directory.
func (d *Dir) Close() error { return closeFd(&d.fd) }

func (d *Dir) fail(op, name string, err error) error {
	return d.t.fail(op, d.path+"/"+name, err)
}

// one refuses what is not a single component.
func one(name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, '/') >= 0 || strings.IndexByte(name, 0) >= 0 {
		return unix.EINVAL
	}
	return nil
}

// OpenDir opens a directory in d; a link is ELOOP or ENOTDIR.
func (d *Dir) OpenDir(name string) (*Dir, error) {
	fd, err := d.openat(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	return &Dir{t: d.t, fd: fd, path: d.path + "/" + name}, nil
}

func (d *Dir) openat(name string, flags int, mode uint32) (int, error) {
	if err := one(name); err != nil {
		return -1, err
	}
	return eintr(func() (int, error) {
		return unix.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	})
}

// Lstat tells of a name in d, links not followed.
func (d *Dir) Lstat(name string) (Stat, error) {
	if err := one(name); err != nil {
		return Stat{}, d.fail("stat", name, err)
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return Stat{}, d.fail("stat", name, err)
	}
	return newStat(&st), nil
}

// Readlink returns the target of a link in d as it is written.
func (d *Dir) Readlink(name string) (string, error) {
	if err := one(name); err != nil {
		return "", d.fail("readlink", name, err)
	}
	target, err := readlinkat(d.fd, name)
	return target, d.fail("readlink", name, err)
}

// ReadFile is Tree.ReadFile for a name in d; a link is ELOOP.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, Stat, error) {
	st, err := d.Lstat(name) // no device is opened to find out that it is one: a watchdog would start
	if err != nil {
		return nil, st, err
	}
	if err := readable(st.Kind); err != nil || st.Kind != Regular {
		return nil, st, d.fail("read", name, err)
	}
	fd, err := d.openat(name, readFlags, 0)
	if err != nil {
		return nil, Stat{}, d.fail("open", name, err)
	}
	defer unix.Close(fd)
	data, st, err := readAll(fd, limit)
	return data, st, d.fail("read", name, err)
}

// An Entry is one name in a directory and its type.
type Entry struct {
	Name string
	Kind Kind
}

// Entries lists d in the order of the file system, getdents64(2). The file position is d's own.
func (d *Dir) Entries() ([]Entry, error) {
	if d.read {
		if _, err := unix.Seek(d.fd, 0, 0); err != nil {
			return nil, d.fail("read", "", err)
		}
	}
	d.read = true
	var out []Entry
	buf := d.t.buffer()
	for {
		n, err := eintr(func() (int, error) { return unix.Getdents(d.fd, buf) })
		if err != nil {
			return nil, d.fail("read", "", err)
		}
		if n == 0 {
			return out, nil
		}
		out = d.parse(out, buf[:n])
	}
}

// parse reads records of struct linux_dirent64: inode and offset of 8 bytes, length
// of 2, type of 1, name up to a NUL.
func (d *Dir) parse(out []Entry, b []byte) []Entry {
	for len(b) >= 19 {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size < 19 || size > len(b) {
			return out
		}
		typ, name := b[18], b[19:size]
		b = b[size:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if s := string(name); s != "." && s != ".." {
			out = append(out, Entry{s, d.kind(typ, s)})
		}
	}
	return out
}

// kind is what the directory says of a name; not every file system says it there.
func (d *Dir) kind(typ byte, name string) Kind {
	if typ == unix.DT_UNKNOWN {
		st, err := d.Lstat(name)
		if err != nil {
			return Unknown
		}
		return st.Kind
	}
	return kindOf(uint32(typ) << 12)
}
