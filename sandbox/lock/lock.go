// Package lock locks directory trees and images against double use, as systemd-nspawn(1) locks them, which ctl and it
// therefore keep out of each other's trees: open file description locks, fcntl(2), on a file beside the tree and on one in /run.
package lock

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// A Mode says who else may hold the locks of an image.
type Mode int

const (
	Shared    Mode = unix.F_RDLCK // those who do not change it either
	Exclusive Mode = unix.F_WRLCK // nobody
)

// globalDir is where files stand for inodes and devices, whatever path leads there.
const globalDir = "/run/systemd/nspawn/locks"

// ErrBusy says that somebody else holds a lock of the image.
var ErrBusy = errors.New("in use")

// A Lock is held until Release or, by a process that has got its descriptors, until that has closed them too. The zero Lock
// holds nothing.
type Lock struct {
	files   []*file
	skipped error
}

// A file is one that is locked.
type file struct {
	path string
	fd   int
	mode Mode
}

// Image takes the two locks of the image at p, an absolute path without links, without waiting: ErrBusy says
// that somebody has one. "/" takes no locks, and may be used only Shared. SYSTEMD_NSPAWN_LOCK=0 takes none.
//
// Where a lock file cannot be made, on a read-only file system or in somebody else's directory, the other lock has to do;
// Skipped tells. A tree is not unusable because of that, for whoever may not write there is alone in not doing it.
func Image(p string, mode Mode, getenv func(string) string) (*Lock, error) {
	if on, ok := unit.Boolean(getenv("SYSTEMD_NSPAWN_LOCK")); ok && !on {
		return &Lock{}, nil
	}
	p = filepath.Clean(p)
	if !path.IsAbs(p) {
		return nil, &fs.PathError{Op: "lock", Path: p, Err: unix.EINVAL}
	}
	if p == "/" {
		if mode == Exclusive {
			return nil, ErrBusy
		}
		return &Lock{}, nil
	}
	global, err := globalPath(p)
	if err != nil {
		return nil, err
	}
	l := &Lock{}
	if !under(p, "/dev") { // a device is this host's alone
		if err := l.add(Beside(p), mode); err != nil {
			return nil, err
		}
	}
	if global != "" {
		_ = unix.Mkdir("/run/systemd", 0o755)
		_ = unix.Mkdir(path.Dir(globalDir), 0o755)
		_ = unix.Mkdir(globalDir, 0o700)
		if err := l.add(global, mode); err != nil {
			l.Release()
			return nil, err
		}
	}
	return l, nil
}

// Busy tells, without taking or making any, which lock files Image would take, and ErrBusy if somebody else has one.
func Busy(p string, mode Mode, getenv func(string) string) (files []string, err error) {
	if on, ok := unit.Boolean(getenv("SYSTEMD_NSPAWN_LOCK")); ok && !on || p == "/" {
		return nil, nil
	}
	if !under(p, "/dev") {
		files = append(files, Beside(p))
	}
	global, err := globalPath(p)
	if err != nil {
		return nil, err
	}
	if global != "" {
		files = append(files, global)
	}
	for _, f := range files {
		if held(f, mode) {
			return files, ErrBusy
		}
	}
	return files, nil
}

// Free tells whether File would not find p busy.
func Free(p string, mode Mode) bool { return !held(p, mode) }

// held tells whether somebody has a lock of a file that keeps us from taking one.
func held(p string, mode Mode) bool {
	fd, err := unix.Open(p, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	l := unix.Flock_t{Type: int16(mode)}
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &l) == nil && l.Type != unix.F_UNLCK
}

// Beside is the lock file beside p.
func Beside(p string) string { return path.Join(path.Dir(p), ".#"+path.Base(p)+".lck") }

func under(p, dir string) bool { return len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/' }

// globalPath is the lock file that stands for the inode or the device, "" if nothing is there yet.
func globalPath(p string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(p, &st); err == unix.ENOENT {
		return "", nil
	} else if err != nil {
		return "", &fs.PathError{Op: "lock", Path: p, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		return globalDir + "/block-" + number(uint64(unix.Major(uint64(st.Rdev)))) + ":" + number(uint64(unix.Minor(uint64(st.Rdev)))), nil
	case unix.S_IFDIR, unix.S_IFREG:
		return globalDir + "/inode-" + number(uint64(st.Dev)) + ":" + number(st.Ino), nil
	}
	return "", &fs.PathError{Op: "lock", Path: p, Err: unix.ENOTTY}
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// add takes the lock of one more file, or notes that there can be none.
func (l *Lock) add(p string, mode Mode) error {
	f, err := File(p, mode)
	switch {
	case err == nil:
		l.files = append(l.files, f.files...)
	case errors.Is(err, ErrBusy):
		return err
	case hopeless(err):
		l.skipped = errors.Join(l.skipped, err)
	default:
		return err
	}
	return nil
}

// hopeless tells whether an error says that no lock can be in this place, not that somebody has it.
func hopeless(err error) bool {
	for _, e := range [...]unix.Errno{unix.EROFS, unix.EACCES, unix.EPERM, unix.ENOENT, unix.ENOTDIR, unix.ENOSPC, unix.EDQUOT,
		unix.ENOLCK, unix.EOPNOTSUPP, unix.EOVERFLOW} { // EOVERFLOW: our user is none of the file system's
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// File takes the lock of one file, which is made if need be; no link is followed.
func File(p string, mode Mode) (*Lock, error) { return take(p, mode, unix.F_OFD_SETLK) }

// Await takes the lock of one file as File does, but waits for it.
func Await(p string, mode Mode) (*Lock, error) { return take(p, mode, unix.F_OFD_SETLKW) }

func take(p string, mode Mode, command int) (*Lock, error) {
	for range 1000 { // whoever deletes the file between two steps has got it and is done
		const flags = unix.O_RDWR | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_CLOEXEC
		fd, err := unix.Open(p, flags, 0)
		if err == unix.ENOENT { // in two steps: fs.protected_regular forbids O_CREAT of another user's file in /tmp
			fd, err = unix.Open(p, flags|unix.O_CREAT|unix.O_EXCL, 0o600)
		}
		if err == unix.EINTR || err == unix.EEXIST {
			continue
		} else if err != nil {
			return nil, &fs.PathError{Op: "lock", Path: p, Err: err}
		}
		f := &file{p, fd, mode}
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.FcntlFlock(uintptr(fd), command, &unix.Flock_t{Type: int16(mode)})
		}
		if err == nil {
			if f.current() {
				return &Lock{files: []*file{f}}, nil
			}
			_ = unix.Close(fd)
			continue
		}
		_ = unix.Close(fd)
		if err == unix.EAGAIN || err == unix.EACCES {
			return nil, ErrBusy
		}
		return nil, &fs.PathError{Op: "lock", Path: p, Err: err}
	}
	return nil, ErrBusy
}

// set takes the lock, or makes it another one, without waiting.
func (f *file) set(mode Mode) error {
	return unix.FcntlFlock(uintptr(f.fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: int16(mode)})
}

// current tells whether the file has the name still, for a lock on a file that was deleted locks nothing.
func (f *file) current() bool {
	var named, open unix.Stat_t
	return unix.Fstat(f.fd, &open) == nil && unix.Lstat(f.path, &named) == nil && open.Ino == named.Ino && open.Dev == named.Dev
}

// FDs are the descriptors by which the locks are held. A process that inherits them holds the locks too, until it ends.
func (l *Lock) FDs() []int {
	fds := make([]int, len(l.files))
	for i, f := range l.files {
		fds[i] = f.fd
	}
	return fds
}

// Skipped is why a lock was not taken that should have been, nil if all were.
func (l *Lock) Skipped() error { return l.skipped }

// Release gives the locks back and deletes their files, unless somebody shares them. Processes that have got the
// descriptors must have ended before, since what they hold would be a file without a name. It may be called more than once.
func (l *Lock) Release() {
	for _, f := range l.files {
		if (f.mode == Exclusive || f.set(Exclusive) == nil) && f.current() {
			_ = unix.Unlink(f.path)
		}
		_ = unix.Close(f.fd)
	}
	l.files = nil
}
