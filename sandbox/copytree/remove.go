package copytree

import (
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Remove removes a tree, subvolumes and what is immutable too; no link is followed and what is mounted in it is left
// alone and makes it fail. That nothing is there is no error. What can be removed is, whatever fails.
func Remove(p string) error {
	parent, err := openDir(unix.AT_FDCWD, filepath.Dir(p))
	if err == unix.ENOENT {
		return nil
	} else if err != nil {
		return fail("remove", p, err)
	}
	defer unix.Close(parent)
	return fail("remove", p, removeAt(parent, filepath.Base(p)))
}

// removeAt is Remove of a name in an open directory.
func removeAt(parent int, name string) error {
	r := remover{free: make(chan struct{}, runtime.NumCPU()), top: -1}
	if err := r.entry(parent, name, 0); err != nil && err != unix.ENOENT {
		return err
	}
	return nil
}

// depthLimit is how deep directories are gone into, for each level takes a descriptor. What is deeper is moved to the top.
const depthLimit = 64

// A remover removes a tree with several goroutines.
type remover struct {
	free  chan struct{} // has room for those that may run besides the first
	top   int           // the top of the tree, once it is open
	moved atomic.Int64  // directories that were moved up
}

// entry removes what has a name in an open directory.
func (r *remover) entry(parent int, name string, depth int) error {
	err := unix.Unlinkat(parent, name, 0)
	if err == unix.EISDIR {
		err = unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
	}
	switch err {
	case unix.ENOTEMPTY, unix.EEXIST:
		return r.directory(parent, name, depth)
	case unix.EPERM, unix.EACCES: // one of the two may be immutable, and unlink(2) of a directory says EPERM in POSIX
		_ = changeFlags(parent, 0, immutable|appendOnly)
		if fd, e := openFile(parent, name); e == nil {
			var st unix.Statx_t
			if statx(fd, "", &st) == nil && (st.Mode&unix.S_IFMT == unix.S_IFREG || st.Mode&unix.S_IFMT == unix.S_IFDIR) {
				_ = changeFlags(fd, 0, immutable|appendOnly)
			}
			_ = unix.Close(fd)
		}
		switch err = unix.Unlinkat(parent, name, 0); err {
		case unix.EISDIR, unix.EPERM, unix.EACCES:
			if e := r.directory(parent, name, depth); e != unix.ENOTDIR {
				return e
			}
		}
	}
	return err
}

// directory removes a directory and all in it.
func (r *remover) directory(parent int, name string, depth int) error {
	if depth > depthLimit {
		up := ".#" + strconv.FormatInt(r.moved.Add(1), 10)
		if unix.Renameat2(parent, name, r.top, up, unix.RENAME_NOREPLACE) == nil {
			return nil
		}
	}
	fd, err := openNoMount(parent, name)
	if err == unix.EXDEV {
		return unix.EBUSY
	} else if err != nil {
		return err
	}
	defer unix.Close(fd)
	if isSubvolume(fd) && destroy(parent, name, fd) == nil {
		return nil
	}
	if depth == 0 {
		r.top = fd
	}
	first := r.entries(fd, depth)
	for moved := int64(0); depth == 0 && moved != r.moved.Load(); {
		moved = r.moved.Load()
		first = r.entries(fd, depth)
	}
	err = unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
	if first != nil && err != nil {
		return first
	}
	return err
}

// entries removes all that is in an open directory. The error is the first one.
func (r *remover) entries(fd, depth int) error {
	names, err := entries(fd, nil)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var first error
	note := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil && err != unix.ENOENT {
			first = err
		}
	}
	var all sync.WaitGroup
	for _, name := range names {
		err := unix.Unlinkat(fd, name, 0)
		if err != unix.EISDIR {
			if err != nil {
				err = r.entry(fd, name, depth+1)
			}
			note(err)
			continue
		}
		select {
		case r.free <- struct{}{}:
			all.Go(func() {
				note(r.entry(fd, name, depth+1))
				<-r.free
			})
		default:
			note(r.entry(fd, name, depth+1))
		}
	}
	all.Wait()
	return first
}

// openNoMount opens a directory, unless something is mounted there.
func openNoMount(parent int, name string) (int, error) {
	fd, err := openBelow(parent, name)
	if err == unix.ENOSYS || err == unix.EPERM { // a kernel before 5.6, or a filter; rmdir(2) has seen that nothing is mounted
		return openDir(parent, name)
	}
	return fd, err
}
