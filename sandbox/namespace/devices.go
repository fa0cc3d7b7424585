package namespace

import (
	"errors"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ctl/sandbox/mount"
)

// devices makes a /dev with those devices only that cannot do harm.
func (b *builder) devices(m *Mount) error {
	d, err := b.directory(m.Path)
	if err != nil {
		return err
	}
	d.Close()
	fd, err := mount.New("tmpfs", "", []string{"mode=0755", "size=4m", "nr_inodes=64k"}, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC|strict)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b.clear(m.Path)
	if err := b.attach(fd, m.Path); err != nil {
		return err
	}
	for _, name := range [...]string{"pts", "shm", "mqueue", "hugepages"} {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			return err
		}
		from, err := unix.Open("/dev/"+name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = b.cover(from, path.Join(m.Path, name), false)
			unix.Close(from)
		}
		if err != nil && (name == "pts" || name == "shm") {
			return err
		}
	}
	for _, name := range [...]string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := b.device(fd, m.Path, name); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if unix.Lstat("/dev/ptmx", &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		err = b.device(fd, m.Path, "ptmx")
	} else {
		err = unix.Symlinkat("pts/ptmx", fd, "ptmx")
	}
	if err != nil {
		return err
	}
	for _, l := range [...][2]string{{"log", "/run/systemd/journal/dev-log"}, {"core", "/proc/kcore"}, {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}} {
		if l[0] == "core" && unix.Access(l[1], unix.F_OK) != nil {
			continue
		}
		if err := unix.Symlinkat(l[1], fd, l[0]); err != nil {
			return err
		}
	}
	return nil
}

// device makes a device as the host has it, or mounts the host's where none may be made.
func (b *builder) device(dir int, at, name string) error {
	var st unix.Stat_t
	host := "/dev/" + name
	if err := unix.Stat(host, &st); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR && st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return unix.EINVAL
	}
	err := unix.Mknodat(dir, name, st.Mode, int(st.Rdev))
	if errors.Is(err, unix.EPERM) {
		if err := unix.Mknodat(dir, name, unix.S_IFREG, 0); err != nil {
			return err
		}
		from, err := unix.Open(host, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(from)
		return b.cover(from, path.Join(at, name), false)
	}
	if err != nil {
		return err
	}
	_ = unix.Mkdirat(dir, "char", 0o755)
	number := strconv.Itoa(int(unix.Major(st.Rdev))) + ":" + strconv.Itoa(int(unix.Minor(st.Rdev)))
	return unix.Symlinkat("../"+name, dir, "char/"+number)
}
