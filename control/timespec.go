package control

import (
	"strings"
	"time"

	"ctl/internal/clock"
)

// isTime tells whether s is a point in time, systemd.time(7).
func isTime(s string) bool {
	switch s {
	case "now", "today", "yesterday", "tomorrow":
		return true
	}
	s = strings.TrimSuffix(s, " UTC")
	if s != "" && strings.IndexByte("+-@", s[0]) >= 0 {
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

func isTimeSpan(s string) bool {
	_, err := clock.ParseSpan(s, clock.Second)
	return err == nil
}
