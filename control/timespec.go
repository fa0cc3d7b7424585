package control

import (
	"strings"
	"time"
)

// spanUnits are the units of systemd.time(7).
var spanUnits = [...]string{"seconds", "second", "sec", "s", "minutes", "minute", "min", "months", "month", "M",
	"msec", "ms", "m", "hours", "hour", "hr", "h", "days", "day", "d", "weeks", "week", "w", "years", "year", "y",
	"usec", "us", "µs", "μs", "nsec", "ns"}

// isTimeSpan tells whether s is a time span, systemd.time(7).
func isTimeSpan(s string) bool {
	s = strings.TrimSpace(s)
	if s == "infinity" {
		return true
	}
	if s == "" {
		return false
	}
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
		if digits == 0 || strings.Count(s[:digits], ".") > 1 {
			return false
		}
		s = strings.TrimLeft(s[digits:], " \t")
		for _, u := range spanUnits {
			if strings.HasPrefix(s, u) {
				s = s[len(u):]
				break
			}
		}
		rest := strings.TrimLeft(s, " \t")
		if rest != "" && (rest[0] < '0' || rest[0] > '9') {
			return false
		}
		s = rest
	}
	return true
}

// isTime tells whether s is a point in time, systemd.time(7).
func isTime(s string) bool {
	switch s {
	case "now", "today", "yesterday", "tomorrow":
		return true
	}
	s = strings.TrimSuffix(s, " UTC")
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") {
		return isTimeSpan(s[1:])
	}
	if strings.HasPrefix(s, "@") {
		return isTimeSpan(s[1:])
	}
	for _, suffix := range [...]string{" left", " ago"} {
		if span, ok := strings.CutSuffix(s, suffix); ok {
			return isTimeSpan(span)
		}
	}
	for _, layout := range [...]string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "15:04:05", "15:04",
		"Mon 2006-01-02 15:04:05", "Mon 2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05Z"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
