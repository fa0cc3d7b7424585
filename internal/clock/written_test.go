package clock_test

import (
	"testing"
	"time"

	"ctl/internal/clock"
)

// TestSpan has spans as systemctl 262 shows them.
func TestSpan(t *testing.T) {
	for _, row := range []struct {
		span uint64
		want string
	}{
		{0, "0"}, {clock.Infinity, "infinity"}, {100e3, "100ms"}, {90e6, "1min 30s"}, {3720e6, "1h 2min"}, {3 * 86400e6, "3d"},
		{300e6, "5min"}, {1, "1us"}, {7 * 86400e6, "1w"},
	} {
		if got := clock.Span(row.span, 1); got != row.want {
			t.Errorf("%d is %q; want %q", row.span, got, row.want)
		}
	}
}

// TestStamp has the examples of systemctl(1), --timestamp=, for one instant in UTC.
func TestStamp(t *testing.T) {
	at := uint64(time.Date(2026, 11, 23, 21, 38, 49, 123456000, time.UTC).UnixMicro())
	for _, row := range []struct {
		style clock.Style
		want  string
	}{
		{clock.UTC, "Mon 2026-11-23 21:38:49 UTC"}, {clock.UsUTC, "Mon 2026-11-23 21:38:49.123456 UTC"}, {clock.Unix, "@1795469929"},
	} {
		if got := clock.Stamp(at, row.style); got != row.want {
			t.Errorf("%s: %q; want %q", row.style, got, row.want)
		}
	}
	if got := clock.Stamp(0, clock.Pretty); got != "" {
		t.Errorf("no time is %q", got)
	}
}
