package clock_test

import (
	"syscall"
	"testing"

	"ctl/internal/clock"
)

// TestParseSpan has the examples and units of systemd.time(7). What is refused, and as what, is held against the
// reference by difftest, which gives the same words to --boot-loader-menu=.
func TestParseSpan(t *testing.T) {
	for _, row := range []struct {
		span string
		want uint64
		err  error
	}{
		{"2 h", 7200e6, nil}, {"2hours", 7200e6, nil}, {"48hr", 172800e6, nil}, {"55s500ms", 55.5e6, nil},
		{"1y 12month", 2 * 12 * 2629800e6, nil}, {"300ms20s 5day", 5*86400e6 + 20.3e6, nil},
		{"50", 50e6, nil}, {"2min 200ms", 120.2e6, nil}, {"1.5h", 5400e6, nil}, {".5", 5e5, nil}, {"1w", 7 * 86400e6, nil},
		{"3us", 3, nil}, {"3µs", 3, nil}, {"infinity", clock.Infinity, nil}, {"5 +3", 8e6, nil},
		{"", 0, syscall.EINVAL}, {"5.", 0, syscall.EINVAL}, {"5x", 0, syscall.EINVAL}, {"-5", 0, syscall.ERANGE},
		{"1h-3m", 0, syscall.ERANGE}, {"584542y", 0, syscall.ERANGE},
	} {
		if got, err := clock.ParseSpan(row.span, clock.Second); got != row.want || err != row.err {
			t.Errorf("%q is %d, %v; want %d, %v", row.span, got, err, row.want, row.err)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	f.Add("1h 2.5min -3")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := clock.ParseSpan(s, clock.Second); err != nil && n != 0 {
			t.Errorf("%q is %d and %v", s, n, err)
		}
	})
}
