package sandbox

import "testing"

// TestCleanName has names of directories and what systemd-nspawn 262 called their machines.
func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{"a b.c..d_-": "ab.c.d", "t_1": "t1", "a.raw": "a.raw", "-": "", "ä": ""} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}
