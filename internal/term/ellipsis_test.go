package term

import "testing"

// TestEllipsizeAt has lines as systemctl 262 shortened them in status, and one as it was in a locale without UTF-8.
func TestEllipsizeAt(t *testing.T) {
	for _, c := range []struct {
		text         string
		width, share int
		ascii        bool
		want         string
	}{
		{"short", 10, 90, false, "short"},
		{"osc.service: Deactivated successfully.", 19, 90, false, "osc.service: Dea…y."},
		{"osc.service: Deactivated successfully.", 19, 90, true, "osc.service: D...y."},
		{"Finished osc.service.", 19, 90, false, "Finished osc.ser…e."},
		{"a日本日本日本日本日本日本日本", 19, 90, false, "a日本日本日本日…本"},
		{"a日本日本日本日本日本日本日本", 19, 90, true, "a日本日本日本日…本"},
	} {
		if got := EllipsizeAt(c.text, c.width, c.share, c.ascii); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
