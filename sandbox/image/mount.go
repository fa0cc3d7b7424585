package image

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// Mounted is an image that is mounted in a mount namespace of its own.
type Mounted struct {
	Place string   // where, in that namespace
	Root  *os.File // its root directory, to be reached from anywhere
	Parts []string // where in it other partitions are mounted

	space *os.File    // the mount namespace
	top   *os.File    // the root directory there
	do    chan func() // for the thread that is there
}

// covered are directories that nobody looks into while a container is made; an image is mounted on the first that is there, for us alone.
var covered = [...]string{"/run/systemd/nspawn/locks", "/sys/kernel/tracing", "/sys/kernel/debug", "/sys/fs/fuse/connections", "/mnt"}

// Mount mounts the image. The mounts last until Close, or we end.
func (m *Image) Mount() (*Mounted, error) {
	done := make(chan error)
	r := &Mounted{do: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace ends with the thread, unless somebody has it open
		err := m.mount(r)
		done <- err
		if err == nil {
			for do := range r.do {
				do()
			}
		}
	}()
	if err := <-done; err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Enter has the calling thread, which shares neither its root directory nor its mounts with others, join the namespace.
func (r *Mounted) Enter() error {
	if err := unix.Setns(int(r.space.Fd()), unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Fchdir(int(r.top.Fd())); err != nil {
		return err
	}
	return unix.Chroot(".")
}

// Clone mounts all once more, and nowhere yet: it can be attached in other namespaces, once.
func (r *Mounted) Clone() (fd int, err error) {
	done := make(chan struct{})
	r.do <- func() {
		fd, err = mount.Clone(int(r.Root.Fd()), "", true)
		close(done)
	}
	<-done
	return fd, err
}

// Path is a path of the root directory, for all threads.
func (r *Mounted) Path() string { return fdPath(r.Root) + "/." }

// Close unmounts the image.
func (r *Mounted) Close() {
	for _, f := range []*os.File{r.Root, r.space, r.top} {
		if f != nil {
			f.Close()
		}
	}
	close(r.do)
}

func fdPath(f *os.File) string { return sys.FDPath(int(f.Fd())) }

// mount mounts all in a new namespace of the calling thread.
func (m *Image) mount(r *Mounted) (err error) {
	if err := privateMounts(); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if r.space, err = os.Open("/proc/thread-self/ns/mnt"); err != nil {
		return err
	}
	if r.top, err = os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return err
	}
	for _, p := range covered {
		if st, err := os.Stat(p); err == nil && st.IsDir() {
			r.Place = p
			break
		}
	}
	if r.Place == "" {
		return fmt.Errorf("find a place for mounts: %w", unix.ENOENT)
	}
	first := m.parts[0]
	if first.role != root {
		err = unix.Mount("rootfs", r.Place, "tmpfs", unix.MS_NODEV, "")
	} else {
		err = m.mountPart(first, r.Place)
	}
	if err != nil {
		return err
	}
	if r.Root, err = os.OpenFile(r.Place, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return err
	}
	t := tree.At(int(r.Root.Fd()), r.Place)
	for _, p := range m.parts {
		if p.role == root {
			continue
		}
		at, dir, err := m.target(t, p.role)
		if err != nil {
			return err
		}
		err = m.mountPart(p, fdPath(dir))
		dir.Close()
		if err != nil {
			return err
		}
		r.Parts = append(r.Parts, at)
	}
	return nil
}

// privateMounts gives the thread mounts of its own, which nobody else sees, in a chroot too.
func privateMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	// In a chroot, whose root directory is no mount: that of the namespace is.
	if err := sys.LeaveChroot(); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// target is the directory that a partition is mounted on. It is made if it can be; links in the image lead nowhere else.
func (m *Image) target(t *tree.Tree, r role) (string, *os.File, error) {
	at := r.place()
	if r == esp {
		if st, err := t.Stat(at); err != nil || st.Kind != tree.Directory {
			at = "/boot"
		}
	}
	if d, err := t.MkdirAll(at, 0o755); err == nil {
		d.Close()
	}
	fd, err := t.Handle(at, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return "", nil, err
	}
	return at, os.NewFile(uintptr(fd), at), nil
}

// mountPart mounts a file system. No device node in it means anything.
func (m *Image) mountPart(p part, target string) error {
	if p.fs == "" {
		return ErrFileSystem
	}
	device, err := m.device(p)
	if err != nil {
		return err
	}
	defer device.Close() // the mount keeps it
	flags, data := uintptr(unix.MS_NODEV), ""
	if p.role == temporary {
		flags |= unix.MS_NOSUID
	}
	switch {
	case readOnlyAlways(p.fs):
		flags |= unix.MS_RDONLY
	case m.readOnly || m.rehearsed || p.fixed():
		flags |= unix.MS_RDONLY
		data = quiet(p.fs)
	}
	for _, o := range m.options {
		if o[0] == p.role.name() {
			attr, rest := mount.Split(o[1], 0)
			rest = slices.DeleteFunc(rest, func(o string) bool { return strings.HasPrefix(o, "x-") }) // of programs, mount(8)
			flags |= attributeFlags(attr)
			data = strings.Trim(data+","+strings.Join(rest, ","), ",")
		}
	}
	return unix.Mount(fdPath(device), target, p.fs, flags, data)
}

// device is a block device with a part of the image, which vanishes when nobody uses it any more.
func (m *Image) device(p part) (*os.File, error) {
	if p.check != nil {
		return m.checked(p)
	}
	return loop(m.file, p.start, p.size, m.readOnly || m.rehearsed || p.fixed())
}

// loop is a block device with size bytes of a file, or all of it if that is 0.
func loop(file *os.File, start, size int64, readOnly bool) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFBLK && size == 0 {
		fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewFile(uintptr(fd), file.Name()), err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(file.Fd()), Size: 512}
	config.Info.Offset, config.Info.Sizelimit = uint64(start), uint64(size)
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	copy(config.Info.File_name[:], file.Name())
	how := os.O_RDWR
	if readOnly {
		config.Info.Flags |= unix.LO_FLAGS_READ_ONLY
		how = os.O_RDONLY
	}
	for range 100 { // others look for free ones too
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		f, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), how, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(f.Fd()), &config)
		if err == nil {
			return f, nil
		}
		f.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("set up a loop device: %w", err)
		}
	}
	return nil, fmt.Errorf("find a free loop device: %w", unix.EBUSY)
}

// attributeFlags are attributes of a mount as mount(2) has them.
func attributeFlags(attr uint64) (flags uintptr) {
	for _, f := range [...]struct {
		attr uint64
		flag uintptr
	}{{unix.MOUNT_ATTR_RDONLY, unix.MS_RDONLY}, {unix.MOUNT_ATTR_NOSUID, unix.MS_NOSUID}, {unix.MOUNT_ATTR_NODEV, unix.MS_NODEV},
		{unix.MOUNT_ATTR_NOEXEC, unix.MS_NOEXEC}, {unix.MOUNT_ATTR_NOATIME, unix.MS_NOATIME}, {unix.MOUNT_ATTR_STRICTATIME, unix.MS_STRICTATIME},
		{unix.MOUNT_ATTR_NODIRATIME, unix.MS_NODIRATIME}, {unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MS_NOSYMFOLLOW}} {
		if attr&f.attr != 0 {
			flags |= f.flag
		}
	}
	return flags
}
