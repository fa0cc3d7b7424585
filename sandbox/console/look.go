package console

import (
	"os"
	"strings"

	"ctl/internal/term"
	"ctl/internal/unit"
)

// A Look is what the caller's terminal is changed to while the container has it. The zero Look changes nothing.
type Look struct {
	Background string // parameters of SGR, "44" say
	Title      string // of the window
	Mark       string // comes before titles that the payload sets
	Reset      bool   // at the end, whatever the payload has done to the terminal is undone

	typed []byte // what was read while a colour was asked for, and is for the payload
}

// LookOf is the look for a container. background is the value of --background=, nil if there is none: then the terminal's
// own colour gets a tint, for which the terminal is asked. In a mode that leaves the terminal alone, and where there are
// no colours, there is no look.
func LookOf(env term.Env, mode Mode, in, out, messages *os.File, background *string, machine, host string) Look {
	var l Look
	if mode == Passive || mode == Pipe || !env.Colors(term.IsTerminal(out) && term.IsTerminal(messages)).On() {
		return l
	}
	l.Reset = true
	if b, ok := unit.Boolean(env.Getenv("SYSTEMD_TINT_BACKGROUND")); b || !ok {
		if background != nil {
			l.Background = *background
		} else {
			l.Background, l.typed = tint(env.Getenv("TERM"), in, out)
		}
	}
	if b, ok := unit.Boolean(env.Getenv("SYSTEMD_ADJUST_TERMINAL_TITLE")); b || !ok {
		if env.Emoji() {
			l.Mark = "\U0001f535 " // a blue circle
		}
		l.Title = l.Mark + "Container " + machine + " on " + host
	}
	return l
}

// ValidBackground tells whether --background= takes a value: numbers between semicolons, or nothing.
func ValidBackground(s string) bool {
	return s == "" || strings.Trim(s, "0123456789;") == "" && !strings.Contains(";"+s+";", ";;")
}

func (l Look) paint() string {
	if l.Background == "" {
		return ""
	}
	return "\x1b[" + l.Background + "m"
}

// welcome is written first.
func (l Look) welcome() string {
	s := l.paint()
	if s != "" {
		s += "\x1b[K"
	}
	if l.Title != "" {
		s += "\x1b[22;2t\x1b]2;" + l.Title + "\x1b\\" // the old one is kept by the terminal
	}
	return s
}

// farewell is written last.
func (l Look) farewell() string {
	s := ""
	if l.Title != "" {
		s = "\x1b[23;2t"
	}
	if l.Reset {
		s += "\x1b[!p\x1b]104\x1b\\\x1b[0m\x1b[?7h\x1b[1G\x1b[0J"
	}
	return s
}
