package control

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ctl/control/journal"
	"ctl/internal/term"
)

// lineFields are the fields that a line of the journal is made of.
var lineFields = [...]string{"MESSAGE", "PRIORITY", "_HOSTNAME", "SYSLOG_IDENTIFIER", "_COMM", "_PID", "SYSLOG_PID", "_SOURCE_REALTIME_TIMESTAMP",
	"_TRANSPORT", "CONFIG_FILE", "DOCUMENTATION", "MESSAGE_ID"}

// What is shown of a message where lines may be shortened, and how long other fields may be.
const (
	shownLines = 3
	shownBytes = 300
)

// A journalLine writes entries of the journal as journalctl's "short" output has them.
type journalLine struct {
	strings.Builder
	paint      painter
	columns    int  // beyond which lines are shortened, 0 for none
	all        bool // whatever the bytes are
	ellipsized bool
}

// write writes an entry; one without a message is passed over. What only journalctl(1) knows how to write is an error.
func (l *journalLine) write(e *journal.Entry, fields map[string]string) error {
	message, ok := fields["MESSAGE"]
	if !ok {
		return nil
	}
	name, err := l.name(fields)
	if err == nil && l.paint.host != "" {
		err = l.documented(fields)
	}
	if err != nil || l.paint.colors.On() && fields["_TRANSPORT"] == "audit" {
		return cmp.Or(err, journal.ErrForeign)
	}
	if !l.all {
		message = withoutSequences(message)
	}
	start := stampOf(e, fields)
	if host, ok := fields["_HOSTNAME"]; ok && l.shows(host) {
		start += " " + cut(host)
	}
	start += " " + name
	for _, pid := range [...]string{"_PID", "SYSLOG_PID"} {
		if v, ok := fields[pid]; ok && l.shows(v) {
			start += "[" + cut(v) + "]"
			break
		}
	}
	start += ": "
	l.WriteString(start)
	if !l.all && !printable(message) {
		l.WriteString("[" + term.Bytes(uint64(len(message))) + " blob data]\n")
		return nil
	}
	if file := fields["CONFIG_FILE"]; file != "" && l.paint.host != "" && strings.HasPrefix(message, file) {
		if rest := message[len(file):]; rest == "" || rest[0] == ':' || rest[0] == ' ' {
			message = l.paint.file(file, file) + rest
		}
	}
	l.message(message, len(start), fields["PRIORITY"])
	return nil
}

// name is who logged an entry.
func (l *journalLine) name(fields map[string]string) (string, error) {
	for _, field := range [...]string{"SYSLOG_IDENTIFIER", "_COMM"} {
		if v, ok := fields[field]; ok && l.shows(v) {
			return cut(v), nil
		}
	}
	return "", journal.ErrForeign
}

// documented tells by an error that the line begins with a link to documentation, or has one to a file whose place is to be found.
func (l *journalLine) documented(fields map[string]string) error {
	if f := fields["CONFIG_FILE"]; f != "" && f[0] != '/' || has(fields, "DOCUMENTATION") {
		return journal.ErrForeign
	}
	if id, ok := fields["MESSAGE_ID"]; ok {
		return journal.Undocumented(id)
	}
	return nil
}

func has(fields map[string]string, name string) bool { _, ok := fields[name]; return ok }

// stampOf is when the entry was made: when whoever logged it sent it, if that is known.
func stampOf(e *journal.Entry, fields map[string]string) string {
	at := e.Realtime
	if sent, err := strconv.ParseUint(fields["_SOURCE_REALTIME_TIMESTAMP"], 10, 64); err == nil && sent > 0 && sent < 1<<55 {
		at = sent
	}
	return time.UnixMicro(int64(at)).Format("Jan 02 15:04:05")
}

// shows tells whether a field other than the message can be shown.
func (l *journalLine) shows(s string) bool { return l.all || len(s) < shownBytes && printable(s) }

// cut is what is before the first null byte.
func cut(s string) string {
	s, _, _ = strings.Cut(s, "\x00")
	return s
}

// printable tells whether s is text without control characters, except tabs and ends of lines.
func printable(s string) bool {
	for i, r := range s {
		switch {
		case r == '\t', r == '\n', r >= ' ' && r < 0x7f:
		case r < 0xa0, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
			return false
		case r == utf8.RuneError:
			if !strings.HasPrefix(s[i:], "\uFFFD") {
				return false
			}
		}
	}
	return true
}

// withoutSequences removes the escape sequences that colour text and make links, puts blanks for tabs, and removes the carriage returns that end lines.
func withoutSequences(s string) string {
	if !strings.ContainsAny(s, "\t\r\x1b") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\t':
			b.WriteString("        ")
		case '\r':
			if rest := strings.TrimLeft(s[i:], "\r"); rest != "" && rest[0] != '\n' {
				b.WriteByte('\r')
			}
		case '\x1b':
			n, removed := sequence(s[i:])
			if !removed {
				b.WriteString(s[i : i+n])
			}
			i += n - 1
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// sequence is how long the escape sequence at the beginning of s is, and whether it is one that is removed; of others it is what begins them.
func sequence(s string) (length int, removed bool) {
	switch {
	case strings.HasPrefix(s, "\x1b["):
		rest := strings.TrimLeft(s[2:], "0123456789;:")
		if strings.HasPrefix(rest, "m") {
			return len(s) - len(rest) + 1, true
		}
	case strings.HasPrefix(s, "\x1b]"):
		rest := strings.TrimLeftFunc(s[2:], func(r rune) bool { return r >= ' ' && r < 0x7f })
		for _, end := range [...]string{"\a", "\x1b\\"} {
			if strings.HasPrefix(rest, end) {
				return len(s) - len(rest) + len(end), true
			}
		}
	}
	return min(2, len(s)), false
}

// message writes a message, of which the lines after the first one are indented.
func (l *journalLine) message(text string, indent int, priority string) {
	if text == "" {
		l.WriteByte('\n')
	}
	on, first, off := l.colors(priority)
	margin := ""
	n := 0
	rest := text
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		end := len(text) - len(rest) + len(line) // of the line in the text
		rest = after
		n++
		last := n == shownLines || end+1 >= shownBytes
		switch {
		case l.columns == 0 || indent+len(line)+1 < l.columns && !last:
			if first != "" && n == 1 && line != "" {
				l.WriteString(first)
			} else {
				l.WriteString(margin + on)
			}
			l.WriteString(cut(line) + off + "\n")
		default:
			l.ellipsized = true
			l.shortened(line, margin, indent, on, off, last)
			if last {
				return
			}
		}
		margin = strings.Repeat(" ", indent)
	}
}

// shortened writes as much of a line as fits, of the last one its beginning and of others some of the end too.
func (l *journalLine) shortened(line, margin string, indent int, on, off string, last bool) {
	room := l.columns - indent
	if room < 3 {
		l.WriteString("...\n")
		return
	}
	if room > len(line)+3 {
		line += "..."
	} else {
		share := 90
		if last {
			share = 100
		}
		line = term.EllipsizeAt(line, room, share, !l.paint.utf8)
	}
	l.WriteString(margin + on + line + off + "\n")
}

// colors are what switches the colour of a priority on, what does so in a first line, and what ends it.
func (l *journalLine) colors(priority string) (on, first, off string) {
	mark := ""
	switch priority {
	case "0", "1", "2", "3":
		on, mark = term.Red, term.Bold
	case "4":
		on, mark = term.Yellow, term.Bold
	case "5":
		on, mark = term.Bold, term.Red
	case "7":
		on, mark = term.Grey, term.Red
	}
	if on == "" || !l.paint.colors.On() {
		return "", "", ""
	}
	on = l.paint.colors.Sequence(on)
	return on, on + mark + on, term.Plain
}
