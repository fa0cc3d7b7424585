package clock

import (
	"strconv"
	"time"
)

// Now is the present, microseconds since 1970.
func Now() uint64 { return uint64(time.Now().UnixMicro()) }

// Relative says how long before now a point in time was, or how much is left until it: "2h 5min ago".
// Both are microseconds since the same point. It is "" for no time.
func Relative(t, now uint64) string {
	if t == 0 || t == Infinity {
		return ""
	}
	suffix, d := " ago", now-t
	if t > now {
		suffix, d = " left", t-now
	}
	switch {
	case d >= Year:
		return counted(d/Year, "year") + " " + counted(d%Year/Month, "month") + suffix
	case d >= Month:
		return counted(d/Month, "month") + " " + counted(d%Month/Day, "day") + suffix
	case d >= Week:
		return counted(d/Week, "week") + " " + counted(d%Week/Day, "day") + suffix
	case d >= 2*Day:
		return decimal(d/Day) + " days" + suffix
	case d >= 25*Hour:
		return "1 day " + decimal((d-Day)/Hour) + "h" + suffix
	case d >= 6*Hour:
		return decimal(d/Hour) + "h" + suffix
	case d >= Hour:
		return decimal(d/Hour) + "h " + decimal(d%Hour/Minute) + "min" + suffix
	case d >= 5*Minute:
		return decimal(d/Minute) + "min" + suffix
	case d >= Minute:
		return decimal(d/Minute) + "min " + decimal(d%Minute/Second) + "s" + suffix
	case d >= Second:
		return decimal(d/Second) + "s" + suffix
	case d >= Msec:
		return decimal(d/Msec) + "ms" + suffix
	case d > 0:
		return decimal(d) + "us" + suffix
	}
	return "now"
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func counted(n uint64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return decimal(n) + " " + unit + "s"
}
