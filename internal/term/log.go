package term

import (
	"io"
	"os"
	"strconv"
	"strings"

	"ctl/internal/unit"
)

// Level is a message's importance, syslog(3).
type Level int

const (
	Err     Level = 3
	Warning Level = 4
	Notice  Level = 5
	Info    Level = 6
	Debug   Level = 7
)

var levelNames = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// A Log writes messages to standard error, one a line, as the reference's logger does on a
// console: plain, or with carriage returns on a terminal, in colours if Out is one too.
type Log struct {
	Err    *os.File
	Out    *os.File
	Env    Env
	ready  bool
	max    Level
	tty    bool
	colors bool
	prefix bool
	silent bool
	ascii  bool
}

func (l *Log) setUp() {
	l.ready = true
	l.max = Info
	l.tty = IsTerminal(l.Err) && l.Env.Getenv("TERM") != "dumb"
	l.colors = l.Env.Colors(IsTerminal(l.Err) && IsTerminal(l.Out))
	if b, ok := unit.Boolean(l.Env.Getenv("SYSTEMD_LOG_COLOR")); ok && !b {
		l.colors = false
	}
	l.ascii = !l.Env.UTF8()
	switch t := l.Env.Getenv("SYSTEMD_LOG_TARGET"); t {
	case "", "console", "auto", "journal-or-kmsg", "journal", "kmsg", "syslog", "syslog-or-kmsg":
	case "console-prefixed":
		l.prefix = true
	case "null":
		l.silent = true
	default:
		l.Print(Warning, "Failed to parse log target '"+t+"', ignoring.")
	}
	if v := l.Env.Getenv("SYSTEMD_LOG_LEVEL"); v != "" {
		if max, ok := parseLevel(v); ok {
			l.max = max
		} else {
			l.Print(Warning, "Failed to parse log level '"+v+"', ignoring: Invalid argument")
		}
	}
}

func parseLevel(v string) (Level, bool) {
	for i, n := range levelNames {
		if v == n {
			return Level(i), true
		}
	}
	n, err := strconv.Atoi(v)
	return Level(n), err == nil && n >= 0 && n <= 7
}

// Print writes one message, which may have several lines.
func (l *Log) Print(level Level, text string) {
	if !l.ready {
		l.setUp()
	}
	if level > l.max || l.silent {
		return
	}
	if l.ascii {
		text = ASCII(text)
	}
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		if l.prefix {
			b.WriteString("<" + strconv.Itoa(24+int(level)) + ">")
		}
		color := ""
		if l.colors {
			color = levelColor(level)
		}
		b.WriteString(color)
		b.WriteString(line)
		if color != "" {
			b.WriteString(Plain)
		}
		if l.tty {
			b.WriteByte('\r')
		}
		b.WriteByte('\n')
	}
	_, _ = io.WriteString(l.Err, b.String())
}

func levelColor(l Level) string {
	switch {
	case l <= Err:
		return Red
	case l == Warning:
		return Yellow
	case l == Notice:
		return Bold
	case l == Debug:
		return Grey
	}
	return ""
}

// ASCII replaces the characters that messages and tables use beyond ASCII by those of the reference.
func ASCII(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.NewReplacer("→", "->", "•", "*", "…", "...", "├─", "|-", "└─", "`-", "│", "|", "●", "*", "○", "*", "×", "x").Replace(s)
		}
	}
	return s
}
