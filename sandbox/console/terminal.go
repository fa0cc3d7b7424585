package console

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// makeRaw lets every key that the caller types through to the container. Where input and output are two terminals, each
// gets the half that is its own.
func (c *Console) makeRaw() {
	same := sameFile(c.cfg.In, c.cfg.Out)
	c.change(c.cfg.In, func(t *unix.Termios) {
		rawInput(t)
		if same {
			rawOutput(t)
		}
	})
	if !same {
		c.change(c.cfg.Out, rawOutput)
	}
}

// change sets the attributes of a terminal until Restore.
func (c *Console) change(f *os.File, how func(*unix.Termios)) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return // no terminal
	}
	t := *old
	how(&t)
	c.undo = append(c.undo, func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, old) })
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, &t)
}

// rawInput and rawOutput do what cfmakeraw(3) does.
func rawInput(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}

func rawOutput(t *unix.Termios) { t.Oflag &^= unix.OPOST }

func sameFile(a, b *os.File) bool {
	var x, y unix.Stat_t
	return unix.Fstat(int(a.Fd()), &x) == nil && unix.Fstat(int(b.Fd()), &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// resize gives the pseudo terminal the size of the caller's. If that is none, it gets what $LINES and $COLUMNS say at
// first and is left alone later.
func (c *Console) resize(first bool) {
	if s := c.cfg.Size; first && s[0] > 0 {
		_ = unix.IoctlSetWinsize(c.master.fd, unix.TIOCSWINSZ, &unix.Winsize{Row: s[0], Col: s[1]})
		return
	}
	size, err := unix.IoctlGetWinsize(int(c.cfg.Out.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		if !first {
			return
		}
		size = &unix.Winsize{Row: c.number("LINES", 24), Col: c.number("COLUMNS", 80)}
	}
	_ = unix.IoctlSetWinsize(c.master.fd, unix.TIOCSWINSZ, size)
}

func (c *Console) number(name string, otherwise uint16) uint16 {
	n, err := strconv.ParseUint(c.cfg.Getenv(name), 10, 16)
	if err != nil || n == 0 {
		return otherwise
	}
	return uint16(n)
}
