package term

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/clock"
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
// SYSTEMD_LOG_TARGET may send them elsewhere.
type Log struct {
	Err  *os.File
	Out  *os.File
	Env  Env
	Name string // of the program, for those who collect the messages of many

	max    Level
	own    [len(sinkNames)]Level // what SYSTEMD_LOG_LEVEL says of one sink
	target string
	sink   sink
	time   bool
	thread bool

	plain  bool // no colours, whatever the terminal
	ready  bool
	tty    bool
	ascii  bool
	colors Colors
}

// Open reads SYSTEMD_LOG_*. What cannot be understood is ignored, which is said as far as the variables before allow.
func (l *Log) Open() {
	l.max, l.target = Info, "auto"
	for i := range l.own {
		l.own[i] = Debug
	}
	if v, set := l.Env.LookUp("SYSTEMD_LOG_TARGET"); set {
		switch v {
		case "null", "console", "console-prefixed", "auto", "journal", "journal-or-kmsg", "kmsg", "syslog", "syslog-or-kmsg":
			l.target = v
		default:
			l.Print(Warning, "Failed to parse log target '"+v+"', ignoring.")
		}
	}
	if v := l.Env.Getenv("SYSTEMD_LOG_LEVEL"); v != "" && !l.setLevels(v) {
		l.Print(Warning, "Failed to parse log level '"+v+"', ignoring: Invalid argument")
	}
	colors := true
	l.flag("SYSTEMD_LOG_COLOR", "color", &colors)
	l.plain = !colors
	l.flag("SYSTEMD_LOG_LOCATION", "location", new(bool))
	l.flag("SYSTEMD_LOG_TIME", "time", &l.time)
	l.flag("SYSTEMD_LOG_TID", "tid", &l.thread)
	l.flag("SYSTEMD_LOG_RATELIMIT_KMSG", "ratelimit kmsg boolean", new(bool))
	l.sink = openSink(l.target)
}

func (l *Log) flag(variable, what string, value *bool) {
	v, set := l.Env.LookUp(variable)
	if b, ok := unit.Boolean(v); ok {
		*value = b
	} else if set {
		l.Print(Warning, "Failed to parse log "+what+" '"+v+"', ignoring.")
	}
}

// setLevels reads a list of levels with commas between them, each for all messages or, after the name of a sink and a
// colon, for what goes there. It stops at the first that is none.
func (l *Log) setLevels(list string) bool {
	if strings.HasSuffix(strings.ReplaceAll(list, `\\`, ""), `\`) {
		return false
	}
	for _, word := range splitEscaped(list) {
		name, level, one := strings.Cut(word, ":")
		if !one {
			level = name
		}
		n, ok := parseLevel(level)
		if !ok {
			return false
		}
		if !one {
			l.max = n
			continue
		}
		known := false
		for i, s := range sinkNames {
			if s == name {
				l.own[i], known = n, true
			}
		}
		if !known {
			return false
		}
	}
	return true
}

// splitEscaped splits a list at its commas, except those after a backslash; backslashes go, and so do empty entries.
func splitEscaped(list string) []string {
	var words []string
	word, escaped := "", false
	for i := range len(list) {
		switch {
		case escaped:
			word, escaped = word+list[i:i+1], false
		case list[i] == '\\':
			escaped = true
		case list[i] == ',':
			words, word = append(words, word), ""
		default:
			word += list[i : i+1]
		}
	}
	words = append(words, word)
	kept := words[:0]
	for _, w := range words {
		if w != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// parseLevel reads a level's name or number, which may be as strtoul(3) takes it.
func parseLevel(v string) (Level, bool) {
	for i, n := range levelNames {
		if v == n {
			return Level(i), true
		}
	}
	v = strings.TrimLeft(v, " \t\n\r")
	if strings.Contains(v, "_") {
		return 0, false
	}
	n, err := strconv.ParseInt(v, 0, 64)
	return Level(n), err == nil && n >= 0 && n <= 7
}

// Print writes one message, which may have several lines.
func (l *Log) Print(level Level, text string) {
	if level > l.max || l.target == "null" {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || l.sink.kind != console && level <= l.own[l.sink.kind] && l.sink.write(l.Name, level, line) {
			continue
		}
		l.line(level, line)
	}
}

// line writes a line of a message to standard error.
func (l *Log) line(level Level, text string) {
	if level > l.own[console] {
		return
	}
	if !l.ready {
		l.ready = true
		l.tty = IsTerminal(l.Err) && !l.Env.Dumb()
		l.colors = l.Env.Colors(IsTerminal(l.Err) && IsTerminal(l.Out))
		l.ascii = !l.Env.UTF8()
	}
	if l.ascii {
		text = ASCII(text)
	}
	if !l.plain {
		text = l.colors.Paint(levelColor(level), text)
	}
	if l.thread {
		text = "(" + strconv.Itoa(unix.Getpid()) + ") " + text
	}
	if l.time {
		text = clock.Stamp(uint64(time.Now().UnixMicro()), clock.Pretty) + " " + text
	}
	if l.target == "console-prefixed" {
		text = prefix(level) + text
	}
	if l.tty {
		text += "\r"
	}
	_, _ = io.WriteString(l.Err, text+"\n")
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
			return strings.NewReplacer("→", "->", "•", "*", "…", "...", "├─", "|-", "└─", "`-", "│", "|", "●", "*", "○", "*", "×", "x", "░", "-").Replace(s)
		}
	}
	return s
}
