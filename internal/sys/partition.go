package sys

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenBelow opens a file below a directory to read it, where a link is followed nowhere: ELOOP.
func OpenBelow(root, p string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	fd, err := unix.Open(root, flags, 0)
	for part := range strings.FieldsFuncSeq(p, func(r rune) bool { return r == '/' }) {
		if err != nil {
			break
		}
		above := fd
		fd, err = unix.Openat(above, part, flags|unix.O_NOFOLLOW, 0)
		unix.Close(above)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// An Inode is a file under any of its names.
type Inode struct{ Dev, Ino uint64 }

// InodeOf is that of an open file or a file that was looked at.
func InodeOf(i fs.FileInfo) Inode {
	s, ok := i.Sys().(*syscall.Stat_t)
	if !ok {
		return Inode{}
	}
	return Inode{uint64(s.Dev), s.Ino}
}

// IsMountRoot tells whether something is mounted at a directory, statx(2).
func IsMountRoot(dir string) bool {
	var x unix.Statx_t
	return unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &x) == nil && x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// IsFAT tells whether a directory is on a file system that EFI reads.
func IsFAT(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.MSDOS_SUPER_MAGIC
}

// BlockDevice is where sysfs(5) has a device.
func BlockDevice(dev uint64) string {
	return "/sys/dev/block/" + strconv.FormatUint(uint64(unix.Major(dev)), 10) + ":" + strconv.FormatUint(uint64(unix.Minor(dev)), 10)
}

// MemoryFile is a new file that has no name.
func MemoryFile(comment string) (*os.File, error) {
	fd, err := unix.MemfdCreate(comment, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), comment), nil
}
