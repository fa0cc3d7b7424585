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
		var whole, fraction string
		whole, s = digits(strings.TrimPrefix(s, "+"))
		if rest, ok := strings.CutPrefix(s, "."); ok {
			if fraction, s = digits(rest); fraction == "" {
				return 0, syscall.EINVAL
			}
		}
		if whole == "" && fraction == "" {
			return 0, syscall.EINVAL
		}
		rest := strings.TrimLeft(s, space)
		each, after := lengthOf(rest)
		if each == 0 {
			if rest == s && s != "" {
				return 0, syscall.EINVAL // something stands at the number that is no unit
			}
			each = unit
		}
		part, err := times(whole, fraction, each)
		if err != nil || part >= Infinity-total {
			return 0, syscall.ERANGE
		}
		total, s = total+part, strings.TrimLeft(after, space)
	}
	return total, nil
}

// digits cuts s behind the digits that it begins with.
func digits(s string) (number, rest string) {
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	return s[:n], s[n:]
}

// lengthOf is the unit that s begins with, and what stands behind it; 0 if it is none.
func lengthOf(s string) (usec uint64, rest string) {
	for _, l := range lengths {
		if after, ok := strings.CutPrefix(s, l.name); ok {
			return l.usec, after
		}
	}
	return 0, s
}

// times multiplies a decimal number.
func times(whole, fraction string, each uint64) (uint64, error) {
	n := uint64(0)
	if whole != "" {
		var err error
		if n, err = strconv.ParseUint(whole, 10, 63); err != nil || n >= Infinity/each {
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
