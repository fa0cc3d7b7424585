// Package mount has mounts as file descriptors, which are nowhere until they are attached: the system calls for that, and the table
// of mounts.
package mount

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// New makes a file system that is mounted nowhere yet, fsopen(2) and fsmount(2).
func New(typ, source string, options []string, attr uint64) (int, error) {
	fs, err := unix.Fsopen(typ, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if source == "" {
		source = typ
	}
	if err := unix.FsconfigSetString(fs, "source", source); err != nil {
		return -1, err
	}
	for _, o := range options {
		key, value, has := strings.Cut(o, "=")
		if has {
			err = unix.FsconfigSetString(fs, key, value)
		} else {
			err = unix.FsconfigSetFlag(fs, key)
		}
		if err != nil {
			return -1, fmt.Errorf("option %s: %w", o, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(attr))
}

// Clone is what is at fd, or at path below it, mounted once more and nowhere yet, open_tree(2).
func Clone(fd int, path string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_SYMLINK_NOFOLLOW)
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.OpenTree(fd, path, flags)
}

// Set sets attributes of a mount, mount_setattr(2), and of all below it if recursive.
func Set(fd int, set uint64, recursive bool) error {
	clear := uint64(0)
	if set&unix.MOUNT_ATTR__ATIME != 0 {
		clear = unix.MOUNT_ATTR__ATIME
	}
	return Change(fd, set, clear, recursive)
}

// Change is Set that clears attributes too.
func Change(fd int, set, clear uint64, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	err := unix.MountSetattr(fd, "", flags, &unix.MountAttr{Attr_set: set, Attr_clr: clear})
	if missing(err) {
		if err := remount(fd, set, clear, recursive); err == nil {
			return nil
		}
	}
	return err
}

// Propagate sets how mounts below a mount, and those below it, are told to others: MS_PRIVATE, MS_SLAVE, MS_SHARED.
func Propagate(fd int, how uint64) error {
	err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Propagation: how})
	if missing(err) {
		if err := byPath(fd, func(path string) error { return unix.Mount("", path, "", uintptr(how|unix.MS_REC), "") }); err == nil {
			return nil
		}
	}
	return err
}

// MapIDs has a mount show its files with the owners of a user namespace.
func MapIDs(fd, userNamespace int, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.MountSetattr(fd, "", flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNamespace)})
}

// Attach puts a mount at the place that is open as target.
func Attach(mount, target int) error {
	return unix.MoveMount(mount, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}
