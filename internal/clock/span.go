// Package clock reads and writes time spans and points in time, systemd.time(7). All are
// microseconds, as D-Bus has them.
package clock

import (
	"math"
	"strconv"
	"strings"
	"syscall"
)

// The units in which time is counted here.
const (
	Usec   uint64 = 1
	Msec          = 1000 * Usec
	Second        = 1000 * Msec
	Minute        = 60 * Second
	Hour          = 60 * Minute
	Day           = 24 * Hour
	Week          = 7 * Day
	Month         = 2629800 * Second
	Year          = 31557600 * Second
	// Infinity is never, or for ever.
	Infinity uint64 = math.MaxUint64
)

// A length is a unit of time and one of its names.
type length struct {
	name string
	usec uint64
}

// lengths has the longest names first, so that the first that fits is the right one.
var lengths = [...]length{{"seconds", Second}, {"second", Second}, {"sec", Second}, {"s", Second},
	{"minutes", Minute}, {"minute", Minute}, {"min", Minute},
	{"months", Month}, {"month", Month}, {"M", Month},
	{"msec", Msec}, {"ms", Msec}, {"m", Minute},
	{"hours", Hour}, {"hour", Hour}, {"hr", Hour}, {"h", Hour},
	{"days", Day}, {"day", Day}, {"d", Day}, {"weeks", Week}, {"week", Week}, {"w", Week},
	{"years", Year}, {"year", Year}, {"y", Year}, {"usec", Usec}, {"us", Usec}, {"µs", Usec}, {"μs", Usec}}

// ParseSpan reads a time span such as "1h 30min" or "2.5"; numbers without a unit count in unit.
// EINVAL: it is none; ERANGE: it is too long or negative.
func ParseSpan(s string, unit uint64) (uint64, error) {
	const space = " \t\n\r"
	s = strings.Trim(s, space)
	if s == "infinity" {
		return Infinity, nil
	}
	if s == "" {
		return 0, syscall.EINVAL
	}
	total := uint64(0)
	for s != "" {
		if s[0] == '-' {
			return 0, syscall.ERANGE
		}
		s = strings.TrimPrefix(s, "+")
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		whole, rest := s[:digits], s[digits:]
		fraction := ""
		if strings.HasPrefix(rest, ".") {
			n := len(rest) - len(strings.TrimLeft(rest[1:], "0123456789"))
			fraction, rest = rest[1:n], rest[n:]
		}
		if whole == "" && fraction == "" {
			return 0, syscall.EINVAL
		}
		rest = strings.TrimLeft(rest, space)
		each := unit
		for _, l := range lengths {
			if after, ok := strings.CutPrefix(rest, l.name); ok {
				each, rest = l.usec, after
				break
			}
		}
		after := strings.TrimLeft(rest, space)
		if after == rest && rest != "" && (rest[0] < '0' || rest[0] > '9') {
			return 0, syscall.EINVAL
		}
		part, err := times(whole, fraction, each)
		if err != nil || part > Infinity-1-total {
			return 0, syscall.ERANGE
		}
		total, s = total+part, after
	}
	return total, nil
}

// times multiplies a decimal number.
func times(whole, fraction string, each uint64) (uint64, error) {
	n := uint64(0)
	if whole != "" {
		var err error
		if n, err = strconv.ParseUint(whole, 10, 63); err != nil || n > (Infinity-1)/each {
			return 0, syscall.ERANGE
		}
	}
	n *= each
	for i := 0; i < len(fraction); i++ {
		each /= 10
		if each == 0 {
			break
		}
		n += uint64(fraction[i]-'0') * each
	}
	return n, nil
}

// written are the units that Span writes, longest first.
var written = [...]length{{"y", Year}, {"month", Month}, {"w", Week}, {"d", Day}, {"h", Hour}, {"min", Minute},
	{"s", Second}, {"ms", Msec}, {"us", Usec}}

// Span writes a time span, leaving out what is shorter than accuracy: "1h 2min 3.456s".
func Span(t, accuracy uint64) string {
	switch t {
	case Infinity:
		return "infinity"
	case 0:
		return "0"
	}
	var b strings.Builder
	something := false
	for _, l := range written {
		if t == 0 || t < accuracy && something {
			break
		}
		if t < l.usec {
			continue
		}
		if something {
			b.WriteByte(' ')
		}
		whole, rest := t/l.usec, t%l.usec
		// Below a minute there is one number with as many places as the accuracy allows.
		if t < Minute && rest > 0 {
			places := 0
			for u := l.usec; u > 1; u /= 10 {
				places++
			}
			for a := accuracy; a > 1; a /= 10 {
				rest /= 10
				places--
			}
			if places > 0 {
				f := strconv.FormatUint(rest, 10)
				f = strings.Repeat("0", max(0, places-len(f))) + f
				b.WriteString(strconv.FormatUint(whole, 10) + "." + f + l.name)
				return b.String()
			}
		}
		b.WriteString(strconv.FormatUint(whole, 10) + l.name)
		t, something = rest, true
	}
	return b.String()
}
