package service

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ctl/internal/clock"
	"ctl/internal/sys"
	"ctl/internal/unit"
)

// Readers of values that many settings have. A value that is none is noted and changes nothing.

func (l *line) boolean(p *bool) {
	if b, ok := unit.Boolean(l.value); ok {
		*p = b
	} else {
		l.bad(syscall.EINVAL)
	}
}

// tristate reads a yes or no whose default is neither.
func (l *line) tristate(p **bool) {
	if l.value == "" {
		*p = nil
	} else if b, ok := unit.Boolean(l.value); ok {
		*p = &b
	} else {
		l.bad(syscall.EINVAL)
	}
}

// word reads one of some words into p.
func (l *line) word(p *string, words ...string) {
	if slices.Contains(words, l.value) {
		*p = l.value
	} else {
		l.bad(syscall.EINVAL)
	}
}

// wordOrBoolean reads one of some words, of which the first is "no" and the second what "yes" is.
func (l *line) wordOrBoolean(p *string, words ...string) {
	switch b, ok := unit.Boolean(l.value); {
	case ok && b:
		*p = words[1]
	case ok:
		*p = words[0]
	default:
		l.word(p, words...)
	}
}

// choice reads one of some words, by its number.
func choice[T ~int](l *line, p *T, words ...string) {
	if i := slices.Index(words, l.value); i >= 0 {
		*p = T(i)
	} else {
		l.bad(syscall.EINVAL)
	}
}

// span is a time of the clock as a duration.
func span(usec uint64) time.Duration {
	if usec > math.MaxInt64/1000 {
		return Forever
	}
	return time.Duration(usec) * time.Microsecond
}

// seconds reads a time span.
func (l *line) seconds(p *time.Duration) {
	v, err := clock.ParseSpan(l.value, clock.Second)
	if err != nil {
		l.bad(err)
		return
	}
	*p = span(v)
}

func (l *line) unsigned(p *uint) {
	n, err := unit.Unsigned(l.value, 32)
	if err != nil {
		l.bad(err)
		return
	}
	*p = uint(n)
}

func (l *line) mode(p *uint32) {
	m, err := strconv.ParseUint(l.value, 8, 32)
	if err != nil || l.value[0] == '+' {
		l.bad(syscall.EINVAL)
	} else if m > 0o7777 {
		l.bad(syscall.ERANGE)
	} else {
		*p = uint32(m)
	}
}

func (l *line) signal(p *syscall.Signal) {
	if n, err := unit.Signed(l.value, 32); err == nil && (n < 1 || n > unit.RTMax) {
		l.bad(syscall.ERANGE)
		return
	}
	if !unit.IsSignal(l.value) {
		l.bad(syscall.EINVAL)
		return
	}
	*p = syscall.Signal(unit.SignalNumber(l.value))
}

const longest = 4096 // of a path and of a text with specifiers

// expand replaces the specifiers in s.
func (l *line) expand(s string) (string, bool) { return l.expandIn("unit specifiers in '", s, "'") }

// expandBare is expand for settings of which the manager says it without quotes.
func (l *line) expandBare(s string) (string, bool) { return l.expandIn("unit specifiers in ", s, "") }

func (l *line) expandIn(before, s, after string) (string, bool) {
	e, err := l.specified(s)
	if err != nil {
		l.warn("Failed to resolve " + before + s + after + ", ignoring: " + strerror(err))
	}
	return e, err == nil
}

func strerror(err error) string { return sys.Strerror(sys.Errno(err)) }

func (l *loader) specified(s string) (string, error) { return unit.Expand(s, maxText, l.specifier) }

const maxText = 1 << 20

// text reads a text with specifiers.
func (l *line) text(p *string) {
	if s, ok := l.expand(l.value); ok {
		*p = s
	}
}

// absolute checks and cleans a path. Fatal says that the unit is not started if it is none.
func (l *line) absolute(p string, fatal bool) (string, bool) {
	wrong := func(what string) (string, bool) {
		if fatal {
			l.refuse(l.key + "= path " + what + ": " + p)
		} else {
			l.warn(l.key + "= path " + what + ", ignoring: " + p)
		}
		return "", false
	}
	switch {
	case !clean(p):
		return wrong("is not valid")
	case !path.IsAbs(p):
		return wrong("is not absolute")
	}
	c := simplified(p)
	switch {
	case !normalized(c):
		p = c
		return wrong("is not normalized")
	case len(c) >= longest:
		return wrong("too long")
	}
	return c, true
}

// clean tells whether s is UTF-8 of which nothing is a control character.
func clean(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
			return false
		}
	}
	return true
}

// simplified is a path without repeated slashes, "." and one at its end; ".." stays.
func simplified(p string) string {
	var b strings.Builder
	for c := range strings.SplitSeq(p, "/") {
		if c == "" || c == "." {
			continue
		}
		if b.Len() > 0 || strings.HasPrefix(p, "/") {
			b.WriteByte('/')
		}
		b.WriteString(c)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

func normalized(p string) bool {
	for c := range strings.SplitSeq(p, "/") {
		if c == ".." {
			return false
		}
	}
	return true
}

// path reads a path with specifiers; an empty value takes it away.
func (l *line) path(p *string, fatal bool) {
	if l.value == "" {
		*p = ""
		return
	}
	s, err := l.specified(l.value)
	if err != nil {
		l.unresolved(l.value, err, fatal)
		return
	}
	if s, ok := l.absolute(s, fatal); ok {
		*p = s
	}
}

// unresolved notes a specifier that is none.
func (l *line) unresolved(s string, err error, fatal bool) {
	if fatal {
		l.refuse("Failed to resolve unit specifiers in '" + s + "': " + strerror(err))
	} else {
		l.warn("Failed to resolve unit specifiers in '" + s + "', ignoring: " + strerror(err))
	}
}
