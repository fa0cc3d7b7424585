package clock_test

import (
	"testing"

	"ctl/internal/clock"
)

// TestRelative has distances as systemctl 262 shows them in status and list-timers.
func TestRelative(t *testing.T) {
	const now = 1795469929000000
	for _, row := range []struct {
		t    uint64
		want string
	}{
		{0, ""}, {clock.Infinity, ""}, {now, "now"}, {now - 160e3, "160ms ago"}, {now - 71e6, "1min 11s ago"},
		{now - 7*60e6, "7min ago"}, {now + 86400e6 - 1e6, "23h left"}, {now + 300*86400e6, "9 months 26 days left"},
		{now - 20*60e6 - 2*3600e6, "2h 20min ago"}, {now - 8*86400e6, "1 week 1 day ago"}, {now - 3*86400e6, "3 days ago"},
	} {
		if got := clock.Relative(row.t, now); got != row.want {
			t.Errorf("%d: %q; want %q", row.t, got, row.want)
		}
	}
}
