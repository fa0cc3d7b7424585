package clock

import (
	"strings"
	"syscall"
	"time"
)

// ParsePoint reads a point in time, systemd.time(7): a word such as "tomorrow", a date, a time of day or both, in local
// time or UTC, seconds since 1970 after an @, a span after + or before "left", or, in the past, after - or before "ago".
// The result is microseconds since 1970. EINVAL: s is none of those.
func ParsePoint(s string, now time.Time) (uint64, error) {
	at, err := parsePoint(s, now)
	if err != nil {
		return 0, err
	}
	return uint64(max(at.UnixMicro(), 0)), nil
}

func parsePoint(s string, now time.Time) (time.Time, error) {
	text, utc := strings.CutSuffix(s, " UTC")
	if utc {
		now = now.UTC()
	}
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "now":
		return now, nil
	case "today":
		return day, nil
	case "yesterday":
		return day.AddDate(0, 0, -1), nil
	case "tomorrow":
		return day.AddDate(0, 0, 1), nil
	case "":
		return now, syscall.EINVAL
	}
	if rest := text[1:]; text[0] == '@' {
		return shifted(time.Unix(0, 0), rest, 1)
	} else if text[0] == '+' {
		return shifted(now, rest, 1)
	} else if text[0] == '-' {
		return shifted(now, rest, -1)
	}
	if span, ok := strings.CutSuffix(text, " left"); ok {
		return shifted(now, span, 1)
	}
	if span, ok := strings.CutSuffix(text, " ago"); ok {
		return shifted(now, span, -1)
	}
	return dated(text, now, day)
}

// shifted is a span after a point in time, or before it.
func shifted(from time.Time, span string, sign time.Duration) (time.Time, error) {
	d, err := ParseSpan(span, Second)
	if err != nil {
		return from, err
	}
	return time.UnixMicro(from.UnixMicro() + int64(sign)*int64(d)), nil
}

// dated reads a date, a time of day of today, or both.
func dated(s string, now, day time.Time) (time.Time, error) {
	if weekday, rest, found := strings.Cut(s, " "); found && isWeekday(weekday) {
		at, err := dated(rest, now, day)
		if err == nil && !strings.EqualFold(at.Weekday().String()[:3], weekday[:3]) {
			err = syscall.EINVAL
		}
		return at, err
	}
	for _, layout := range [...]string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01-02T15:04:05",
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05 MST", "15:04:05", "15:04"} {
		at, err := time.ParseInLocation(layout, s, now.Location())
		switch {
		case err != nil:
		case layout[0] == '1':
			return day.Add(at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, at.Location()))), nil
		default:
			return at, nil
		}
	}
	return now, syscall.EINVAL
}

func isWeekday(s string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(s, d.String()) || strings.EqualFold(s, d.String()[:3]) {
			return true
		}
	}
	return false
}
