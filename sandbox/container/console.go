package container

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openConsole opens a pseudo terminal of the container's own file system of terminals, which is open as pts, pty(7).
func (b *builder) openConsole(pts int) error {
	if !b.c.Console {
		return nil
	}
	fd, err := unix.Openat(pts, "ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	b.master = os.NewFile(uintptr(fd), "console")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("unlock a terminal: %w", err)
	}
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("number of a terminal: %w", err)
	}
	// TIOCGPTPEER opens the other end whatever lies at its path by now.
	peer, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		n, err := unix.Openat(pts, strconv.Itoa(int(number)), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return fmt.Errorf("open a terminal: %w", err)
		}
		peer = uintptr(n)
	}
	b.slave = os.NewFile(peer, "terminal")
	s := b.c.shift()
	group := s
	if b.c.ttyGroup() {
		group += ttyGroup
	}
	if err := unix.Fchown(int(peer), s, group); err != nil {
		return fmt.Errorf("own a terminal: %w", err)
	}
	return nil
}
