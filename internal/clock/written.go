package clock

import (
	"strconv"
	"strings"
)

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
