package launch

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/sandbox/service"
)

// streams are the standard descriptors that a command gets.
type streams struct {
	fd       [3]int // to be duplicated
	own      []int  // those that were opened for the command
	terminal string // the terminal that the input is, "" for none
	control  bool   // it becomes the controlling one
}

// ownTerminal is the path of a terminal that is the one we were started on.
const ownTerminal = "/dev/tty"

func virtualTerminal(p string) bool {
	name := strings.TrimPrefix(p, "/dev/tty")
	return name != p && name != "" && strings.Trim(name, "0123456789") == "" || p == "/dev/console"
}

func (t *streams) close() {
	for _, fd := range t.own {
		unix.Close(fd)
	}
}

func (t *streams) open(p string, flags int) (int, error) { return t.openAt(unix.AT_FDCWD, p, flags) }

func (t *streams) openAt(dir int, p string, flags int) (int, error) {
	fd, err := unix.Openat(dir, p, flags|unix.O_NOCTTY|unix.O_CLOEXEC, 0o666)
	if err == nil {
		t.own = append(t.own, fd)
	}
	return fd, err
}

// null opens the host's /dev/null, for a tree need not have one.
func (c *command) null(flags int) (int, error) {
	if c.host == nil {
		return c.std.open("/dev/null", flags)
	}
	return c.std.openAt(int(c.host.Fd()), "dev/null", flags)
}

// standard opens the standard streams of a command, in the host's root directory.
func (c *command) standard() error {
	old := unix.Umask(int(c.s.UMask))
	defer unix.Umask(old)
	t := &c.std
	input := c.s.Stdin
	kind := input.Kind
	if isTerminal(kind) && !c.q.Terminal || kind == "socket" && c.q.Socket == nil {
		kind = "null"
	}
	var err error
	switch kind {
	case "", "null":
		t.fd[0], err = c.null(unix.O_RDONLY)
	case "inherit":
		t.fd[0], t.control = int(c.o.Stdio[0].Fd()), c.o.Terminal
	case "data":
		t.fd[0], err = t.data(c.s.StdinData)
	case "file", "append", "truncate":
		flags := unix.O_RDONLY
		if samePath(input, c.s.Stdout) || samePath(input, c.s.Stderr) {
			flags = unix.O_RDWR
		}
		t.fd[0], err = t.openFile(input.Path, flags)
	case "socket":
		t.fd[0] = int(c.q.Socket.Fd())
	case "fd":
		t.fd[0], err = c.named(input.Name, "stdin")
	default:
		t.fd[0], err = c.openTerminal(kind)
	}
	if err != nil {
		return at(stdin, err)
	}
	if t.fd[1], err = c.output(1, c.s.Stdout, kind, nil); err != nil {
		return at(stdout, err)
	}
	if t.fd[2], err = c.output(2, c.s.Stderr, kind, &c.s.Stdout); err != nil {
		return at(stderr, err)
	}
	return nil
}

func isTerminal(kind string) bool { return strings.HasPrefix(kind, "tty") }

func samePath(a, b service.Stdio) bool {
	switch b.Kind {
	case "file", "append", "truncate":
		return a.Path == b.Path
	}
	return false
}

// output opens standard output or, with what that is given, standard error.
func (c *command) output(n int, o service.Stdio, input string, out *service.Stdio) (int, error) {
	t := &c.std
	if out != nil && (o.Kind == "inherit" || o.Kind == "") {
		switch kind := out.Kind; {
		case o.Kind == "" && (kind == "" || logged(kind)): // a log for both; ours has two streams
			return int(c.o.Stdio[2].Fd()), nil
		case kind == "inherit" && o.Kind == "inherit" && (input == "" || input == "null" || input == "data"):
			return int(c.o.Stdio[2].Fd()), nil
		case logged(kind):
			return int(c.o.Stdio[2].Fd()), nil
		}
		return t.fd[1], nil
	}
	if out != nil && o.Kind == out.Kind && o.Kind != "fd" && samePath(o, *out) {
		return t.fd[1], nil
	}
	if n > 0 && samePath(c.s.Stdin, o) && o.Kind == "file" {
		return t.fd[0], nil
	}
	switch o.Kind {
	case "inherit":
		if input == "" || input == "null" || input == "data" {
			return int(c.o.Stdio[n].Fd()), nil
		}
		return t.fd[0], nil
	case "null":
		return c.null(unix.O_WRONLY)
	case "tty":
		if t.terminal != "" {
			return t.fd[0], nil
		}
		fd, _, err := c.terminalFile(unix.O_WRONLY)
		return fd, err
	case "file":
		return t.openFile(o.Path, unix.O_WRONLY|unix.O_CREAT)
	case "append":
		return t.openFile(o.Path, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND)
	case "truncate":
		return t.openFile(o.Path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	case "socket":
		if c.q.Socket != nil {
			return int(c.q.Socket.Fd()), nil
		}
		return c.null(unix.O_WRONLY)
	case "fd":
		return c.named(o.Name, [...]string{"", "stdout", "stderr"}[n])
	}
	return int(c.o.Stdio[n].Fd()), nil // the journal and the kernel's log: it is the caller who looks
}

func logged(kind string) bool {
	return strings.HasPrefix(kind, "journal") || strings.HasPrefix(kind, "kmsg") || strings.HasPrefix(kind, "syslog")
}

// named is a passed descriptor by its name.
func (c *command) named(name, otherwise string) (int, error) {
	if name == "" {
		name = otherwise
	}
	for i, n := range c.q.Names {
		if n == name && i < len(c.q.Files) {
			return int(c.q.Files[i].Fd()), nil
		}
	}
	return -1, unix.ENOENT
}

// openFile opens a file or connects to a socket.
func (t *streams) openFile(p string, flags int) (int, error) {
	fd, err := t.open(p, flags)
	if err != unix.ENXIO { // not a socket
		return fd, err
	}
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	t.own = append(t.own, fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: p}); err != nil {
		return -1, err
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		err = unix.Shutdown(fd, unix.SHUT_WR)
	} else if flags&unix.O_ACCMODE == unix.O_WRONLY {
		err = unix.Shutdown(fd, unix.SHUT_RD)
	}
	return fd, err
}

// data is a file in memory that nobody can change.
func (t *streams) data(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("exec-input", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate("exec-input", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, err
	}
	t.own = append(t.own, fd)
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err != nil {
			return -1, err
		}
		b = b[n:]
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		return -1, err
	}
	_, err = unix.Seek(fd, 0, 0)
	return fd, err
}

// terminalFile opens TTYPath=. The console of a service that we are to run in the foreground is our own terminal.
func (c *command) terminalFile(flags int) (int, string, error) {
	p := c.s.TTY.Path
	if p == "" {
		p = "/dev/console"
		if own := int(c.o.Stdio[0].Fd()); isTTY(own) {
			return own, ownTerminal, nil
		}
	}
	fd, err := c.std.open(p, flags)
	return fd, p, err
}

func isTTY(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// openTerminal opens the terminal that is standard input, and resets it as TTYReset= and its kin want it.
func (c *command) openTerminal(kind string) (int, error) {
	fd, p, err := c.terminalFile(unix.O_RDWR)
	if err != nil {
		return -1, err
	}
	t, s := &c.std, &c.s.TTY
	t.terminal = p
	if p == ownTerminal {
		return fd, nil
	}
	if !isTTY(fd) {
		return -1, unix.ENOTTY
	}
	t.control = true
	if s.VHangup {
		_ = unix.IoctlSetInt(fd, unix.TIOCVHANGUP, 0)
		if fd, err = t.open(p, unix.O_RDWR); err != nil {
			return -1, err
		}
	}
	if s.Reset {
		resetTerminal(fd)
	}
	if s.Rows > 0 || s.Columns > 0 {
		if w, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
			if s.Rows > 0 {
				w.Row = uint16(s.Rows)
			}
			if s.Columns > 0 {
				w.Col = uint16(s.Columns)
			}
			_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, w)
		}
	}
	return fd, nil
}

// resetTerminal gives a terminal the settings that people expect of one, termios(3).
func resetTerminal(fd int) {
	_ = unix.IoctlSetInt(fd, unix.TIOCNXCL, 0)
	a, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	a.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.IUCLC
	a.Iflag |= unix.ICRNL | unix.IMAXBEL | unix.IUTF8
	a.Oflag |= unix.ONLCR | unix.OPOST
	a.Cflag |= unix.CREAD
	a.Lflag = unix.ISIG | unix.ICANON | unix.IEXTEN | unix.ECHO | unix.ECHOE | unix.ECHOK | unix.ECHOCTL | unix.ECHOKE
	for i, v := range map[int]uint8{unix.VINTR: 3, unix.VQUIT: 28, unix.VERASE: 127, unix.VKILL: 21, unix.VEOF: 4, unix.VSTART: 17, unix.VSTOP: 19,
		unix.VSUSP: 26, unix.VLNEXT: 22, unix.VWERASE: 23, unix.VREPRINT: 18, unix.VEOL: 0, unix.VEOL2: 0, unix.VTIME: 0, unix.VMIN: 1} {
		a.Cc[i] = v
	}
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, a)
}

// files are the descriptors that are passed from 3 on.
func (c *command) files() (l []int) {
	for _, f := range c.q.Files {
		l = append(l, int(f.Fd()))
	}
	return l
}

// openFiles opens what OpenFile= lists, and passes it after all others.
func (c *command) openFiles() error {
	for _, o := range c.q.Open {
		flags := unix.O_RDWR
		switch {
		case o.ReadOnly:
			flags = unix.O_RDONLY
		case o.Append:
			flags |= unix.O_APPEND
		case o.Truncate:
			flags |= unix.O_TRUNC
		}
		fd, err := c.std.openFile(o.Path, flags)
		if err == nil {
			fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		}
		if err != nil {
			if o.Graceful {
				continue
			}
			return at(fds, err)
		}
		f := os.NewFile(uintptr(fd), o.Path)
		c.opened = append(c.opened, f)
		c.q.Files, c.q.Names = append(slices.Clip(c.q.Files), f), append(slices.Clip(c.q.Names), o.Name)
	}
	return nil
}
