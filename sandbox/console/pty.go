package console

import (
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// testOnlyNoPeer makes NewPair do without TIOCGPTPEER, as before Linux 4.13.
var testOnlyNoPeer bool

// NewPair opens a new pseudo terminal of the devpts file system whose root directory is open as root. The slave is
// given to uid and gid; -1 leaves what the file system was mounted with.
//
// Whoever can write in the container's /dev/pts could put something else under these names (CVE-2025-52565): what is
// opened is of that file system and a terminal, or it is not used.
func NewPair(root, uid, gid int) (master, slave *os.File, err error) {
	m, err := openTerminal(root, "ptmx")
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(m), "ptmx")
	defer func() {
		if err != nil {
			master.Close()
		}
	}()
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, os.NewSyscallError("ioctl TIOCGPTN", err)
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, os.NewSyscallError("ioctl TIOCSPTLCK", err)
	}
	s, err := openSlave(root, m, n)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Fchown(s, uid, gid); err != nil {
		unix.Close(s)
		return nil, nil, os.NewSyscallError("fchown", err)
	}
	return master, os.NewFile(uintptr(s), "pts/"+strconv.Itoa(n)), nil
}

// openSlave opens the other side of the master m, without a path where the kernel can.
func openSlave(root, m, n int) (int, error) {
	if !testOnlyNoPeer {
		// The flags are the file's for good, and whoever is given it sees them: as an open(2) of it would have set them.
		s, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(m), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|largeFile)
		if errno == 0 {
			unix.CloseOnExec(int(s))
			return int(s), nil
		}
		if errno != unix.ENOTTY && errno != unix.EINVAL && errno != unix.ENOSYS {
			return -1, os.NewSyscallError("ioctl TIOCGPTPEER", errno)
		}
	}
	return openTerminal(root, strconv.Itoa(n))
}

// largeFile is O_LARGEFILE, which unix has as nothing where open(2) adds it by itself.
const largeFile = 0x8000

// openTerminal opens a terminal in the root directory of a devpts file system.
func openTerminal(root int, name string) (int, error) {
	fd, err := unix.Openat(root, name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: name, Err: err}
	}
	var fs unix.Statfs_t
	var st unix.Stat_t
	if err = unix.Fstatfs(fd, &fs); err == nil {
		err = unix.Fstat(fd, &st)
	}
	switch {
	case err != nil:
	case fs.Type != unix.DEVPTS_SUPER_MAGIC || st.Mode&unix.S_IFMT != unix.S_IFCHR:
		err = syscall.ENOTTY
	default:
		return fd, nil
	}
	unix.Close(fd)
	return -1, fmt.Errorf("%s is no terminal of its file system: %w", name, err)
}
