package console

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
)

// A Context tells terminals that know OSC 3008 where a container's output begins and ends.
type Context struct {
	id      string
	machine string
}

// NewContext is the context of a machine in a mode, nil where there is no terminal to tell.
func NewContext(env term.Env, mode Mode, out, messages *os.File, machine string) *Context {
	if t := env.Getenv("TERM"); t == "" || t == "dumb" || mode == Passive || mode == Pipe || !term.IsTerminal(out) || !term.IsTerminal(messages) {
		return nil
	}
	var id [16]byte
	_, _ = unix.Getrandom(id[:], 0)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // it is a UUID
	return &Context{hex.EncodeToString(id[:]), machine}
}

// Start is what is written before the console is opened. user is the caller's name, host the machine's that it is on,
// machineID its own; what is "" is left out.
func (c *Context) Start(user, host, machineID string) string {
	if c == nil {
		return ""
	}
	pidfdID := ""
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			pidfdID = strconv.FormatUint(st.Ino, 10)
		}
		unix.Close(fd)
	}
	var b strings.Builder
	b.WriteString("\x1b]3008;start=" + c.id)
	for _, f := range [][2]string{{"user", user}, {"hostname", host}, {"machineid", machineID},
		{"bootid", strings.ReplaceAll(line("/proc/sys/kernel/random/boot_id"), "-", "")}, {"pid", strconv.Itoa(os.Getpid())},
		{"pidfdid", pidfdID}, {"comm", line("/proc/self/comm")}, {"container", c.machine}, {"type", "container"}} {
		if f[1] != "" {
			b.WriteString(";" + f[0] + "=" + plain(f[1]))
		}
	}
	return b.String() + "\x1b\\"
}

// End is what is written when all has been said.
func (c *Context) End() string {
	if c == nil {
		return ""
	}
	return "\x1b]3008;end=" + c.id + "\x1b\\"
}

// line is a file of one line.
func line(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// plain leaves out what would end a field or the sequence.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == ';' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
