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
	if style == Us || style == UsUTC {
		layout += ".000000"
	}
	zone, _ := at.Zone()
	if zone == "" {
		return at.Format(layout)
	}
	return at.Format(layout) + " " + zone
}
