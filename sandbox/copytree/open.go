package copytree

import (
	"time"

	"golang.org/x/sys/unix"
)

// openDir opens a directory, not through a link, and without changing when it was read.
func openDir(at int, name string) (int, error) {
	return open(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NOATIME)
}

// openFile opens a file for reading. It does not wait for the other end of a fifo.
func openFile(at int, name string) (int, error) {
	return open(at, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOATIME)
}

func open(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags, 0)
		switch {
		case err == unix.EPERM && flags&unix.O_NOATIME != 0: // that is for owners
			flags &^= unix.O_NOATIME
		case err != unix.EINTR:
			return fd, err
		}
	}
}

// statx asks for what is at a name, or for the open file at itself if that is "".
func statx(at int, name string, st *unix.Statx_t) error {
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return unix.Statx(at, name, flags, unix.STATX_BASIC_STATS, st)
}

// times are when something was read and changed.
func times(st *unix.Statx_t) []unix.Timespec {
	return []unix.Timespec{timespec(st.Atime), timespec(st.Mtime)}
}

func timespec(t unix.StatxTimestamp) unix.Timespec {
	ts, err := unix.TimeToTimespec(time.Unix(t.Sec, int64(t.Nsec)))
	if err != nil {
		return unix.Timespec{Nsec: unix.UTIME_NOW} // this architecture's clock ends in 2038
	}
	return ts
}

// entries are the names in an open directory, but for "." and "..". What is read goes through buf.
func entries(fd int, buf []byte) ([]string, error) {
	if len(buf) == 0 {
		buf = make([]byte, 32<<10)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return nil, err
	}
	var names []string
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err == unix.EINTR {
			continue
		} else if err != nil || n <= 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// The flags of inodes that forbid changes, FS_IOC_SETFLAGS.
const (
	immutable  = 0x10
	appendOnly = 0x20
)

// changeFlags sets and clears flags of an open inode.
func changeFlags(fd int, set, clear uint32) error {
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	if want := flags&^clear | set; want != flags {
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(want))
	}
	return nil
}
