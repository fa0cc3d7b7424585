package unit

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// Interest is what a reader of a unit file wants of a section.
type Interest int

const (
	Unknown Interest = iota // worth a warning
	Skip                    // known, and somebody else's
	Want
)

// maxLine is the longest line of a configuration file, in bytes.
const maxLine = 1 << 20

// A SyntaxError ends the reading of a file. Line is where, Text what the
// reference logs about it, if anything; the errno is in its chain.
type SyntaxError struct {
	Line int
	Text string
	Err  syscall.Errno
}

func (e *SyntaxError) Error() string { return "line " + strconv.Itoa(e.Line) + ": " + e.Err.Error() }
func (e *SyntaxError) Unwrap() error { return e.Err }

// InstallSections is the Interest of the install operations: [Install] alone.
func InstallSections(section string) Interest {
	switch section {
	case "Install":
		return Want
	case "Unit", "Automount", "Device", "Mount", "Path", "Scope", "Service",
		"Slice", "Socket", "Swap", "Target", "Timer":
		return Skip
	}
	if strings.HasPrefix(section, "X-") {
		return Skip
	}
	return Unknown
}

// Parse reads a unit file, systemd.syntax(7): visit is called for each assignment
// of a wanted section, warn for each line that is passed over. A line that a
// backslash continues counts by its last line's number, or by the one after the
// last when the file ends in it. Errors are *SyntaxError: EBADMSG for a section
// header, EINVAL for a line that is not UTF-8, ENOBUFS for a line of 1 MiB.
func Parse(data []byte, interest func(section string) Interest,
	visit func(section, key, value string, line int), warn func(line int, text string)) error {
	p := parser{interest: interest, visit: visit, warn: warn}
	var joined []byte // the start of a continued line
	number, marked := 0, false
	for len(data) > 0 {
		var l []byte
		l, data = cutLine(data)
		number++
		if len(l) >= maxLine {
			return &SyntaxError{number, "", syscall.ENOBUFS}
		}
		if t := trimLeft(l); len(t) > 0 && (t[0] == '#' || t[0] == ';') {
			continue
		}
		// One byte order mark goes, at the start of whatever line has the first.
		if !marked && len(l) >= len(byteOrderMark) && string(l[:len(byteOrderMark)]) == byteOrderMark {
			l, marked = l[len(byteOrderMark):], true
		}
		if len(joined)+len(l) > maxLine {
			return &SyntaxError{number, "", syscall.ENOBUFS}
		}
		if continues(l) {
			joined = append(append(joined, l[:len(l)-1]...), ' ')
			continue
		}
		if joined != nil {
			l = append(joined, l...)
			joined = nil
		}
		if err := p.line(l, number); err != nil {
			return err
		}
	}
	if joined != nil {
		return p.line(joined, number+1)
	}
	return nil
}

const blanks = " \t\n\r"

const byteOrderMark = "\xef\xbb\xbf" // U+FEFF

// replacement stands for each byte that is no part of a character, U+FFFD.
const replacement = "\xef\xbf\xbd"

// cutLine splits off the first line. A newline, a carriage return or a NUL ends it,
// or several of these in a row as long as they differ; after a NUL a new line begins.
func cutLine(data []byte) (line, rest []byte) {
	i := lineLength(data)
	line = data[:i]
	for lf, cr := false, false; i < len(data); i++ {
		switch c := data[i]; {
		case c == '\n' && !lf:
			lf = true
		case c == '\r' && !cr:
			cr = true
		case c == 0:
			return line, data[i+1:]
		default:
			return line, data[i:]
		}
	}
	return line, nil
}

// lineLength searches piece by piece, so that a file where one of the ends of
// lines never comes is not gone through for each line.
func lineLength(data []byte) int {
	const piece = 256
	for from := 0; from < len(data); from += piece {
		d := data[from:min(from+piece, len(data))]
		n := len(d)
		for _, c := range [...]byte{'\n', '\r', 0} {
			if i := bytes.IndexByte(d[:n], c); i >= 0 {
				n = i
			}
		}
		if n < len(d) {
			return from + n
		}
	}
	return len(data)
}

// trimBlanks is bytes.Trim of the blanks, which is called for each line.
func trimBlanks(l []byte) []byte {
	l = trimLeft(l)
	for len(l) > 0 && isBlank(l[len(l)-1]) {
		l = l[:len(l)-1]
	}
	return l
}

func trimLeft(l []byte) []byte {
	for len(l) > 0 && isBlank(l[0]) {
		l = l[1:]
	}
	return l
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// continues tells whether the line ends in a backslash that is not escaped itself.
func continues(l []byte) bool {
	n := 0
	for n < len(l) && l[len(l)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

type parser struct {
	interest func(string) Interest
	visit    func(section, key, value string, line int)
	warn     func(line int, text string)

	section string
	within  Interest
	started bool // some section has begun
}

func (p *parser) line(l []byte, number int) error {
	l = trimBlanks(l)
	if len(l) == 0 {
		return nil
	}
	if !cleanUTF8(l) {
		p.warn(number, "String is not UTF-8 clean, ignoring assignment: "+replaceInvalid(l))
		return &SyntaxError{number, "", syscall.EINVAL}
	}
	if l[0] == '[' {
		return p.header(string(l), number)
	}
	if !p.started {
		p.warn(number, "Assignment outside of section. Ignoring.")
		return nil
	}
	if p.within != Want {
		return nil
	}
	key, value, ok := strings.Cut(string(l), "=")
	switch {
	case !ok:
		p.warn(number, "Missing '=', ignoring line.")
	case key == "":
		p.warn(number, "Missing key name before '=', ignoring line.")
	default:
		p.visit(p.section, strings.Trim(key, blanks), strings.Trim(value, blanks), number)
	}
	return nil
}

func (p *parser) header(l string, number int) error {
	if l[len(l)-1] != ']' {
		return &SyntaxError{number, "Invalid section header '" + l + "'", syscall.EBADMSG}
	}
	if l == "[]" || strings.IndexFunc(l[1:len(l)-1], noSectionRune) >= 0 {
		return &SyntaxError{number, "Section header invalid '" + l + "'", syscall.EBADMSG}
	}
	p.section, p.started = l[1:len(l)-1], true
	p.within = p.interest(p.section)
	if p.within == Unknown {
		p.warn(number, "Unknown section '"+p.section+"'. Ignoring.")
		p.within = Skip
	}
	return nil
}

// noSectionRune tells whether r may not stand in a section's name.
func noSectionRune(r rune) bool {
	return r < ' ' || r == 0x7f || r == '"' || r == '\'' || r == '\\' || r == '*' || r == '?' || r == '['
}

// cleanUTF8 tells whether l is UTF-8 without the code points that Unicode keeps
// from ever being characters.
func cleanUTF8(l []byte) bool {
	const high = 0x8080808080808080
	for len(l) > 0 {
		if len(l) >= 8 && binary.LittleEndian.Uint64(l)&high == 0 {
			l = l[8:]
			continue
		}
		r, size := utf8.DecodeRune(l)
		if r == utf8.RuneError && size == 1 || nonCharacter(r) {
			return false
		}
		l = l[size:]
	}
	return true
}

func nonCharacter(r rune) bool { return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef }

// replaceInvalid makes l printable, byte by byte where it is not clean.
func replaceInvalid(l []byte) string {
	var b strings.Builder
	for len(l) > 0 {
		r, size := utf8.DecodeRune(l)
		if r == utf8.RuneError && size == 1 || nonCharacter(r) {
			for range size {
				b.WriteString(replacement)
			}
		} else {
			b.Write(l[:size])
		}
		l = l[size:]
	}
	return b.String()
}
