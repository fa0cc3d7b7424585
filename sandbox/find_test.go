package sandbox

import (
	"os"
	"testing"

	"ctl/sandbox/image"
)

// TestNewest takes the rules of systemd.v(7).
func TestNewest(t *testing.T) {
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"t_1"}, "t_1"},
		{[]string{"t_1", "t_9", "t_10"}, "t_10"},
		{[]string{"t_1.2", "t_1.10", "t_1.9"}, "t_1.10"},
		{[]string{"t_1_" + image.Architecture(), "t_2_alpha"}, "t_1_" + image.Architecture()},
		{[]string{"u_3", "t_1", "t_"}, "t_1"},
		{[]string{"t_1+3-0", "t_2+0-3"}, "t_2+0-3"},
	} {
		dir := t.TempDir()
		for _, n := range c.names {
			if err := os.Mkdir(dir+"/"+n, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(dir+"/t_99", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		got, ok := newest(dir, "t")
		if want := dir + "/" + c.want; got != want && (c.want != "" || ok) {
			t.Errorf("%q: %q, not %q", c.names, got, want)
		}
	}
}

// TestCleanName has names of directories and what systemd-nspawn 262 called their machines.
func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{"a b.c..d_-": "ab.c.d", "t_1": "t1", "a.raw": "a.raw", "-": "", "ä": ""} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}
