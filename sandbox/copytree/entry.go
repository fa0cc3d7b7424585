package copytree

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// errChanged says that a name is something else than it was a moment ago.
var errChanged = errors.New("changed meanwhile")

// entry copies one entry of a directory; of a directory it makes an empty one.
func (w *worker) entry(d *dir, name string) (isDir bool, err error) {
	for range 10 {
		var st unix.Statx_t
		if err = statx(d.from, name, &st); err == unix.ENOENT {
			return false, errGone
		} else if err != nil {
			return false, err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			if w.mounted(&st) || identityOf(&st) == w.self {
				return false, errGone
			}
			return true, unix.Mkdirat(d.to, name, 0o700)
		}
		if st.Nlink > 1 {
			err = w.linked(d, name, &st)
		} else {
			err = w.single(d, name, &st)
		}
		if err != errChanged {
			break
		}
	}
	if err == nil {
		w.files.Add(1)
	}
	return false, err
}

// mounted tells whether a directory is where something is mounted. A file is copied all the same, as the reference does.
func (c *copier) mounted(st *unix.Statx_t) bool {
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 { // Linux before 5.8
		return identityOf(st).dev != c.dev
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// single copies what is no directory.
func (w *worker) single(d *dir, name string, st *unix.Statx_t) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return w.file(d, name)
	case unix.S_IFLNK:
		n, err := unix.Readlinkat(d.from, name, w.buf)
		if err == unix.ENOENT || err == unix.EINVAL {
			return errChanged
		} else if err != nil {
			return err
		}
		err = unix.Symlinkat(string(w.buf[:n]), d.to, name)
		if err != nil {
			return err
		}
	default:
		dev := unix.Mkdev(st.Rdev_major, st.Rdev_minor)
		if err := unix.Mknodat(d.to, name, uint32(st.Mode&unix.S_IFMT|0o600), int(dev)); err != nil {
			return err
		}
	}
	if err := unix.Fchownat(d.to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if err := namedXattrs(d, name); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(d.to, name, uint32(st.Mode&0o7777), 0); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(d.to, name, times(st), unix.AT_SYMLINK_NOFOLLOW)
}

// file copies a regular file.
func (w *worker) file(d *dir, name string) error {
	from, err := openFile(d.from, name)
	switch err {
	case nil:
	case unix.ENOENT, unix.ELOOP, unix.ENXIO: // gone, a link, a socket
		return errChanged
	default:
		return err
	}
	defer unix.Close(from)
	var st unix.Statx_t
	if err := statx(from, "", &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errChanged
	}
	to, err := unix.Openat(d.to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	err = w.contents(to, from, &st)
	if err == nil {
		err = attributes(to, from, &st)
	}
	if closed := unix.Close(to); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(d.to, name, times(&st), unix.AT_SYMLINK_NOFOLLOW)
}

// links are the files with several names that have a copy.
type links struct {
	sync.Mutex
	m map[identity]*link
}

// A link is the copy of a file with several names under the first of them.
type link struct {
	dir  *dir
	name string
	done chan struct{}
	err  error
}

// linked copies a file with several names, or makes one more name for the copy.
func (w *worker) linked(d *dir, name string, st *unix.Statx_t) error {
	id := identityOf(st)
	w.links.Lock()
	if w.links.m == nil {
		w.links.m = make(map[identity]*link)
	}
	first, found := w.links.m[id]
	if !found {
		first = &link{dir: d, name: name, done: make(chan struct{})}
		w.links.m[id] = first
	}
	w.links.Unlock()
	if !found {
		first.err = w.single(d, name, st)
		close(first.done)
		if first.err == errChanged {
			w.links.Lock()
			delete(w.links.m, id)
			w.links.Unlock()
		}
		return first.err
	}
	<-first.done // whoever copies it waits for nobody
	if first.err != nil {
		return first.err
	}
	dir := d.to
	if first.dir != d {
		var err error
		if dir, err = openDeep(w.to, first.dir.path()); err != nil {
			return err
		}
		defer unix.Close(dir)
	}
	err := unix.Linkat(dir, first.name, d.to, name, 0)
	if err == unix.EMLINK || err == unix.EPERM || err == unix.EXDEV {
		return w.single(d, name, st) // the file system has a limit, or the user may not link it
	}
	return err
}

// openDeep opens a directory of the copy, whose path may be longer than the kernel takes at once.
func openDeep(top int, p string) (int, error) {
	const limit = 3000
	fd, err := top, error(nil)
	for {
		step, rest := p, ""
		if len(p) > limit {
			cut := strings.IndexByte(p[limit:], '/') // a name has at most 255 bytes
			if cut >= 0 {
				step, rest = p[:limit+cut], p[limit+cut+1:]
			}
		}
		if step == "" {
			step = "."
		}
		var next int
		next, err = unix.Openat(fd, step, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if fd != top {
			_ = unix.Close(fd)
		}
		if err != nil || rest == "" {
			return next, err
		}
		fd, p = next, rest
	}
}

// namedXattrs copies the extended attributes of what cannot be opened. There are no system calls for that relative to a
// directory before Linux 6.13; a path through /proc is one.
func namedXattrs(d *dir, name string) error {
	from := sys.FDPath(d.from) + "/" + name
	to := sys.FDPath(d.to) + "/" + name
	return copyXattrs(
		func(b []byte) (int, error) { return unix.Llistxattr(from, b) },
		func(attr string, b []byte) (int, error) { return unix.Lgetxattr(from, attr, b) },
		func(attr string, b []byte) error { return unix.Lsetxattr(to, attr, b, 0) })
}
