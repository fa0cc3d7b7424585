package console

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/term"
)

// TestFilter holds the filter against what systemd-nspawn 262 wrote on a terminal for the same bytes (testdata/filter.txt).
func TestFilter(t *testing.T) {
	data, err := os.ReadFile("testdata/filter.txt")
	if err != nil {
		t.Fatal(err)
	}
	var look Look
	cases := 0
	for line := range strings.Lines(string(data)) {
		if what, ok := strings.CutPrefix(line, "# background "); ok {
			look = Look{}
			if strings.HasPrefix(what, "44") {
				look.Background = "44"
			}
			if strings.Contains(what, "mark yes") {
				look.Mark = "\U0001f535 "
			}
			continue
		}
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		in, _ := strconv.Unquote(quoted)
		want, err := strconv.Unquote(strings.TrimSpace(line[len(quoted):]))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		cases++
		f := filter{look: look}
		if got := f.apply(nil, []byte(in)); string(got) != want {
			t.Errorf("%+v, %q:\n got %q\nwant %q", look, in, got, want)
		}
		f = filter{look: look}
		var got []byte
		for i := range len(in) { // in pieces it is the same
			got = f.apply(got, []byte(in[i:i+1]))
		}
		if string(got) != want {
			t.Errorf("%+v, %q in pieces: %q", look, in, got)
		}
	}
	if cases < 200 {
		t.Errorf("%d cases", cases)
	}
}

// TestBlue: the tints that systemd-nspawn 262 chose when a terminal told these values.
func TestBlue(t *testing.T) {
	for value, want := range map[int]string{10: "12;25;51", 51: "12;25;51", 52: "12;26;52", 64: "16;32;64", 76: "19;38;76", 77: "19;38;77",
		102: "25;51;102", 126: "31;63;126", 127: "31;63;127", 128: "96;106;128", 129: "96;107;129", 140: "105;116;140", 200: "150;166;200", 254: "190;211;254", 255: "191;212;255"} {
		if got := blue(float64(value) / 255); got != "48;2;"+want {
			t.Errorf("%d: %s, want %s", value, got, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		read, rest string
		value      float64
		ok         bool
	}{
		{"\x1b]11;rgb:0000/0000/0000\x1b\\", "", 0, true},
		{"ab\x1b]11;rgb:ffff/0000/0000\x07cd", "abcd", 1, true},
		{"\x1b]11;rgb:0/f/0\x07", "", 1, true},
		{"\x1b]11;rgb:0000/0000/0000", "", 0, false},
		{"\x1b]11;foo\x1b\\", "", 0, false},
		{"\x1b]11;rgb:xx/00/00\x1b\\", "", 0, false},
		{"\x1b]11;rgb:12345/00/00\x1b\\", "", 0, false},
		{"", "", 0, false},
	} {
		v, rest, ok := answer([]byte(c.read))
		if ok != c.ok || v != c.value || string(rest) != c.rest {
			t.Errorf("%q: %v %q %v", c.read, v, rest, ok)
		}
	}
}

// TestLook: what is written at the beginning and the end is as systemd-nspawn 262 writes it.
func TestLook(t *testing.T) {
	const title = "\x1b[22;2t\x1b]2;\U0001f535 Container t on vm\x1b\\"
	const untitle = "\x1b[23;2t"
	const reset = "\x1b[!p\x1b]104\x1b\\\x1b[0m\x1b[?7h\x1b[1G\x1b[0J"
	blue, none := "44", ""
	for _, c := range []struct {
		env               map[string]string
		background        *string
		answer            string
		asked             bool
		welcome, farewell string
	}{
		{nil, &none, "", false, title, untitle + reset},
		{nil, &blue, "", false, "\x1b[44m\x1b[K" + title, untitle + reset},
		{nil, nil, "a\x1b]11;rgb:0000/0000/0000\x1b\\b", true, "\x1b[48;2;12;25;51m\x1b[K" + title, untitle + reset},
		{nil, nil, "", true, title, untitle + reset},
		{map[string]string{"TERM": "linux"}, nil, "", false, "\x1b[48;2;12;25;51m\x1b[K\x1b[22;2t\x1b]2;Container t on vm\x1b\\", untitle + reset},
		{map[string]string{"TERM": "dumb"}, nil, "", false, "", ""},
		{map[string]string{"NO_COLOR": "1"}, &blue, "", false, "", ""},
		{map[string]string{"SYSTEMD_ADJUST_TERMINAL_TITLE": "0"}, &blue, "", false, "\x1b[44m\x1b[K", reset},
		{map[string]string{"SYSTEMD_TINT_BACKGROUND": "0"}, &blue, "", false, title, untitle + reset},
	} {
		get := func(name string) string {
			if v, ok := c.env[name]; ok {
				return v
			}
			return map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}[name]
		}
		look := func(name string) (string, bool) { v := get(name); return v, v != "" }
		sc := newScreen(t)
		sc.typeIn(t, c.answer)
		l := LookOf(term.Env{Getenv: get, LookUp: look}, Interactive, sc.slave, sc.slave, sc.slave, c.background, "t", "vm")
		if l.welcome() != c.welcome || l.farewell() != c.farewell {
			t.Errorf("%v: %q, %q", c.env, l.welcome(), l.farewell())
		}
		if c.answer != "" && string(l.typed) != "ab" {
			t.Errorf("typed %q", l.typed)
		}
		if c.asked {
			sc.await(t, "\x1b]11;?\x1b\\")
		}
	}
}

// TestValidBackground: what systemd-nspawn 262 takes and what it refuses.
func TestValidBackground(t *testing.T) {
	for s, want := range map[string]bool{"": true, "0": true, "007": true, "44;1": true, "48;2;1;2;3": true,
		"44m": false, "x": false, "4:4": false, ";": false, "1;": false, ";1": false, "1;;2": false, "1 2": false} {
		if ValidBackground(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
