// Package console is the host's side of a container's console: it opens the pseudo terminal and carries bytes between
// its master and what the caller has for standard input and output. It knows nothing of containers; `ctl spawn` uses it.
package console

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

// A Mode says what a container has for a console (--console=).
type Mode int

// The modes. In Pipe there is no pseudo terminal, and nothing of this package is needed.
const (
	Interactive Mode = iota // both directions, the caller's terminal is raw
	ReadOnly                // output only, the standard input is never read
	Passive                 // nothing; what the pseudo terminal still holds at the end is written then
	Pipe                    // the payload has the caller's standard input, output and error
)

// Modes are the values of --console= as `--console=help` lists them.
const Modes = "autopipe\ninteractive\nread-only\npassive\npipe\n"

// ParseMode returns the mode for a value of --console=. terminals tells whether standard input and output both are some.
func ParseMode(s string, terminals bool) (Mode, bool) {
	switch s {
	case "interactive":
		return Interactive, true
	case "read-only":
		return ReadOnly, true
	case "passive":
		return Passive, true
	case "pipe":
		return Pipe, true
	case "autopipe":
		if terminals {
			return Interactive, true
		}
		return Pipe, true
	}
	return 0, false
}

// DefaultMode is the mode without --console=.
func DefaultMode(terminals bool) Mode {
	if terminals {
		return Interactive
	}
	return ReadOnly
}

// A Config says what a Console is made of.
type Config struct {
	Mode    Mode
	Master  *os.File // of the pseudo terminal; the Console makes it non-blocking and leaves closing it to the caller
	In, Out *os.File
	Getenv  func(string) string // for $LINES and $COLUMNS
	Look    Look
	Size    [2]uint16 // lines and columns, if they are not to be the caller's
	// Hotkey is called when ^] was typed twice within a second, then a small letter. It may be nil.
	Hotkey func(letter byte)
}

// A Console is a connection of a pseudo terminal and the caller's terminal, pipes or files.
type Console struct {
	cfg             Config
	master, in, out stream
	input, output   []byte // read and not yet written
	typed           byte   // the last byte of the input
	said            byte   // the last byte of the output
	keys            keys
	filter          filter

	restoring sync.Mutex
	undo      []func() // what Restore does, in reverse order
}

// Open sets the size of the pseudo terminal and, in interactive mode, makes the caller's terminal raw. Whoever calls
// it calls Restore on every way out.
func Open(cfg Config) (*Console, error) {
	c := &Console{cfg: cfg, in: stream{fd: -1}, out: stream{fd: -1}, said: '\n', filter: filter{look: cfg.Look}}
	c.master = stream{fd: int(cfg.Master.Fd()), readable: true, writable: true}
	if err := unix.SetNonblock(c.master.fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if cfg.Mode == Passive {
		return c, nil
	}
	c.resize(true)
	if err := c.openStreams(); err != nil {
		c.Restore()
		return nil, err
	}
	if cfg.Mode == Interactive {
		c.makeRaw()
	}
	c.undo = append(c.undo, c.farewell)
	c.output = append(c.output, cfg.Look.welcome()...)
	c.input = append(c.input, cfg.Look.typed...)
	return c, nil
}

func (c *Console) openStreams() error {
	var err error
	if c.cfg.Mode == Interactive {
		if c.in, err = c.open(c.cfg.In, unix.O_RDONLY); err != nil {
			return err
		}
		c.in.readable = true
	}
	c.out, err = c.open(c.cfg.Out, unix.O_WRONLY)
	c.out.writable = true
	return err
}

// open returns a non-blocking descriptor of what f is. Flags belong to the open file, which other processes share, the
// shell for one: so it is opened once more. Where that is refused (sockets, pipes that nobody reads, terminals of other
// users) the flag is set until Restore. A regular file never blocks, and opened again it would lose its position.
func (c *Console) open(f *os.File, flags int) (stream, error) {
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return stream{fd: -1}, os.NewSyscallError("fstat", err)
	}
	if kind := st.Mode & unix.S_IFMT; kind == unix.S_IFREG || kind == unix.S_IFBLK {
		return stream{fd: fd}, nil
	}
	again, err := unix.Open(sys.FDPath(fd), flags|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		return stream{fd: again, own: true}, nil
	}
	old, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && old&unix.O_NONBLOCK == 0 {
		if err = unix.SetNonblock(fd, true); err == nil {
			c.undo = append(c.undo, func() { _ = unix.SetNonblock(fd, false) })
		}
	}
	return stream{fd: fd}, os.NewSyscallError("fcntl", err)
}

// Restore gives the caller its terminal back as it was. It may be called more than once and while Run runs, so that
// whoever handles signals can do it before the process ends.
func (c *Console) Restore() {
	c.restoring.Lock()
	defer c.restoring.Unlock()
	for len(c.undo) > 0 {
		last := len(c.undo) - 1
		c.undo[last]()
		c.undo = c.undo[:last]
	}
}

// farewell ends a line that the payload left open and takes back what the look has done to the terminal.
func (c *Console) farewell() {
	if c.out.fd < 0 {
		return
	}
	var b []byte
	if c.said != '\n' {
		if _, err := unix.IoctlGetTermios(c.out.fd, unix.TCGETS); err == nil {
			b = append(b, '\r')
		}
		b = append(b, '\n')
	}
	if b = append(b, c.cfg.Look.farewell()...); len(b) > 0 {
		_, _ = c.out.write(b)
	}
}

func (c *Console) closeStreams() {
	c.restoring.Lock()
	defer c.restoring.Unlock()
	c.in.close()
	c.out.close()
}
