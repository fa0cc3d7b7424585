package clock

import (
	"strconv"
	"time"
)

// A Style is a way to write a point in time, the values of --timestamp=.
type Style string

const (
	Pretty  Style = "pretty"
	Us      Style = "us"
	UTC     Style = "utc"
	UsUTC   Style = "us+utc"
	Unix    Style = "unix"
	Date    Style = "date"
	weekday       = "Mon 2006-01-02 15:04:05"
)

// last is the end of the year 9999, after which nothing is written.
const last = 253402300799 * Second

// Stamp writes a point in time, microseconds since 1970; "" for none (0 or Infinity).
func Stamp(t uint64, style Style) string {
	if t == 0 || t == Infinity {
		return ""
	}
	if style == Unix {
		return "@" + strconv.FormatUint(t/Second, 10)
	}
	if t > last {
		return "--- XXXX-XX-XX XX:XX:XX"
	}
	at := time.UnixMicro(int64(t))
	if style == UTC || style == UsUTC {
		at = at.UTC()
	}
	layout := weekday
	switch style {
	case Us, UsUTC:
		layout += ".000000"
	case Date:
		return at.Format("Mon 2006-01-02")
	}
	zone, _ := at.Zone()
	if zone == "" {
		return at.Format(layout)
	}
	return at.Format(layout) + " " + zone
}

// Relative says how long ago a point in time was, or how much is left until it: "2h 5min ago".
// It is "" for no time.
func Relative(t, now uint64) string {
	if t == 0 || t == Infinity {
		return ""
	}
	suffix, d := " ago", now-t
	if t > now {
		suffix, d = " left", t-now
	}
	n := func(d uint64) string { return strconv.FormatUint(d, 10) }
	plural := func(d uint64, unit string) string {
		if d == 1 {
			return "1 " + unit
		}
		return n(d) + " " + unit + "s"
	}
	switch {
	case d >= Year:
		years, months := d/Year, d%Year/Month
		return plural(years, "year") + " " + plural(months, "month") + suffix
	case d >= Month:
		return plural(d/Month, "month") + " " + plural(d%Month/Day, "day") + suffix
	case d >= Week:
		return plural(d/Week, "week") + " " + plural(d%Week/Day, "day") + suffix
	case d >= 2*Day:
		return n(d/Day) + " days" + suffix
	case d >= 25*Hour:
		return "1 day " + n((d-Day)/Hour) + "h" + suffix
	case d >= 6*Hour:
		return n(d/Hour) + "h" + suffix
	case d >= Hour:
		return n(d/Hour) + "h " + n(d%Hour/Minute) + "min" + suffix
	case d >= 5*Minute:
		return n(d/Minute) + "min" + suffix
	case d >= Minute:
		return n(d/Minute) + "min " + n(d%Minute/Second) + "s" + suffix
	case d >= Second:
		return n(d/Second) + "s" + suffix
	case d >= Msec:
		return n(d/Msec) + "ms" + suffix
	case d > 0:
		return n(d) + "us" + suffix
	}
	return "now"
}

// Now is the present, microseconds since 1970.
func Now() uint64 { return uint64(time.Now().UnixMicro()) }
