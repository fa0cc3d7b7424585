package mount

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Kernels before 5.12 have no mount_setattr(2), and some filters know none: attributes are then set by mount(2), which takes only what
// is attached in the caller's namespace, by a path.

// Settable tells whether the attributes of mounts can be set wherever they are, mount_setattr(2).
func Settable() bool {
	return !missing(unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
}

// missing tells that there is no such system call.
func missing(err error) bool { return errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) }

// remount is Change by mount(2).
func remount(fd int, set, clear uint64, recursive bool) error {
	if err := byPath(fd, func(path string) error { return remountOne(path, fd, set, clear) }); err != nil || !recursive {
		return err
	}
	below, err := mountsOn(fd)
	if err != nil {
		return err
	}
	for _, rel := range below {
		sub, err := unix.Openat2(fd, rel, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_SYMLINKS})
		if err != nil {
			return err
		}
		err = remountOne(pathOf(sub), sub, set, clear)
		_ = unix.Close(sub)
		if err != nil {
			return err
		}
	}
	return nil
}

// flags are the attributes of a mount and their names in mount(2) and statfs(2), which are the same but for relatime.
var flags = [...]struct{ attr, ms, st uint64 }{
	{unix.MOUNT_ATTR_RDONLY, unix.MS_RDONLY, unix.ST_RDONLY}, {unix.MOUNT_ATTR_NOSUID, unix.MS_NOSUID, unix.ST_NOSUID},
	{unix.MOUNT_ATTR_NODEV, unix.MS_NODEV, unix.ST_NODEV}, {unix.MOUNT_ATTR_NOEXEC, unix.MS_NOEXEC, unix.ST_NOEXEC},
	{unix.MOUNT_ATTR_NODIRATIME, unix.MS_NODIRATIME, unix.ST_NODIRATIME},
}

// Flags are attributes as mount(2) takes them.
func Flags(attr uint64) (ms uintptr) {
	for _, f := range flags {
		if attr&f.attr != 0 {
			ms |= uintptr(f.ms)
		}
	}
	return ms
}

// remountOne sets the attributes of the mount at path, which is open as fd. What mount(2) is not told to keep is gone.
func remountOne(path string, fd int, set, clear uint64) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return err
	}
	has := uint64(st.Flags)
	ms := uint64(unix.MS_REMOUNT | unix.MS_BIND)
	for _, f := range flags {
		if (has&f.st != 0 && clear&f.attr == 0) || set&f.attr != 0 {
			ms |= f.ms
		}
	}
	switch {
	case clear&unix.MOUNT_ATTR__ATIME != 0 && set&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR_NOATIME, clear&unix.MOUNT_ATTR__ATIME == 0 && has&unix.ST_NOATIME != 0:
		ms |= unix.MS_NOATIME
	case clear&unix.MOUNT_ATTR__ATIME != 0 && set&unix.MOUNT_ATTR__ATIME == unix.MOUNT_ATTR_STRICTATIME, clear&unix.MOUNT_ATTR__ATIME == 0 && has&unix.ST_RELATIME == 0:
		ms |= unix.MS_STRICTATIME
	}
	return unix.Mount("", path, "", uintptr(ms), "")
}

// byPath calls do with a path of a mount that is attached: as long as it is nowhere, it is put where nobody comes
// across it, on the root directory or a file without use for us. It stays there until it is moved to its place.
func byPath(fd int, do func(path string) error) error {
	path := pathOf(fd)
	err := do(path)
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	for _, place := range [...]string{"/", "/proc/version"} { // a directory goes on a directory, what is none on what is none
		if unix.MoveMount(fd, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH) == nil {
			return do(path)
		}
	}
	return err // it was attached
}

// mountsOn are the mounts on the one whose root is open as fd and those on them, by their paths from there.
func mountsOn(fd int) ([]string, error) {
	id, err := mountID(fd)
	if err != nil {
		return nil, err
	}
	table, err := OpenTable()
	if err != nil {
		return nil, err
	}
	defer table.Close()
	l, err := table.Read()
	if err != nil {
		return nil, err
	}
	var paths []string
	top := ""
	for _, e := range Below(l, id) {
		if e.ID == id {
			top = strings.TrimSuffix(e.Point, "/") + "/"
		}
	}
	for _, e := range Below(l, id) {
		if rel, ok := strings.CutPrefix(e.Point, top); ok && rel != "" && e.ID != id {
			paths = append(paths, rel)
		}
	}
	return paths, nil
}

// mountID is the number of the mount that fd is in, proc_pid_fdinfo(5): statx(2) tells it only since 5.8.
func mountID(fd int) (uint64, error) {
	info, err := unix.Open("/proc/thread-self/fdinfo/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(info)
	buf := make([]byte, 1024)
	n, err := unix.Read(info, buf)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(buf[:n])) {
		if value, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, unix.EINVAL
}

// pathOf is a path of what is open in this thread, proc_pid_fd(5).
func pathOf(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }
