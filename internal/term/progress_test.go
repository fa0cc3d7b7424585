package term

import (
	"os"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	env := func(locale string) Env {
		look := func(name string) (string, bool) {
			if name == "LC_ALL" {
				return locale, true
			}
			return "", false
		}
		return Env{Getenv: func(name string) string { v, _ := look(name); return v }, LookUp: look}
	}
	for _, c := range []struct {
		locale      string
		done, total int64
		columns     int
		want        string
	}{
		{"C", 5, 20, 80, "Copying ##########.............................. " + " 25%  1 file"},
		{"C.UTF-8", 5, 20, 80, "Copying ━━━━━━━━━━────────────────────────────── " + " 25%  1 file"},
		{"C", 30, 20, 36, "Copying ############## 100%  1 file"},
		{"C", 0, 20, 30, "Copying   0%  1 file"},
		{"C", 7, 0, 80, "Copying 1 file"},
		{"C", 7, 0, 8, "Copying"},
		{"C", 7, 0, 0, ""},
	} {
		b := Bar{env: env(c.locale), what: "Copying"}
		if got := b.line(c.done, c.total, "1 file", c.columns); got != c.want {
			t.Errorf("%d of %d in %d columns: %q, want %q", c.done, c.total, c.columns, got, c.want)
		}
	}
}

// TestBarWaits: what is quick needs no bar, and one that was drawn is erased.
func TestBarWaits(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := NewBar(w, Env{Getenv: os.Getenv, LookUp: os.LookupEnv}, "Copying")
	b.Draw(1, 0, "early")
	b.Erase()
	b.since = time.Now().Add(-barAfter)
	b.Draw(2, 0, "late")
	b.Erase()
	b.Erase()
	w.Close()
	buf := make([]byte, 100)
	n, _ := r.Read(buf)
	if got, want := string(buf[:n]), "\rCopying late\x1b[K\r\x1b[K"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
