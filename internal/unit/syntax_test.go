package unit_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// parse returns what Parse calls, one line each.
func parse(text string) (string, error) {
	var b strings.Builder
	err := unit.Parse([]byte(text), unit.InstallSections,
		func(section, key, value string, line int) {
			fmt.Fprintf(&b, "%d %s.%s=%s\n", line, section, key, value)
		},
		func(line int, text string) { fmt.Fprintf(&b, "%d! %s\n", line, text) })
	return b.String(), err
}

// The expectations are what `systemctl --root=R enable` of 262 made of such files.
func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"plain", "[Unit]\nA=b\n[Install]\nWantedBy=x.target\n", "4 Install.WantedBy=x.target\n"},
		{"blanks", "  [Install]  \n\tWantedBy \t= k.target \r\n", "2 Install.WantedBy=k.target\n"},
		{"byte order mark", "\xef\xbb\xbf[Install]\nA=b\n", "2 Install.A=b\n"},
		{"comments", "# x\n[Install]\n; y\nA=b # c\n", "4 Install.A=b # c\n"},
		{"continued", "[Install]\nA=b \\\n# comment\n  ; another\n c\n", "5 Install.A=b   c\n"},
		{"continued from nothing", "[Install]\nA=b\n\\\nz\n", "2 Install.A=b\n4! Missing '=', ignoring line.\n"},
		{"escaped backslash", "[Install]\nA=b\\\\\nC=d\n", "2 Install.A=b\\\\\n3 Install.C=d\n"},
		{"continued at the end", "[Install]\nA=b\\", "3 Install.A=b\n"},
		{"nul ends a line", "[Install]\nA=b\x00c\n", "2 Install.A=b\n3! Missing '=', ignoring line.\n"},
		{"no section", "A=b\n", "1! Assignment outside of section. Ignoring.\n"},
		{"unknown section", "[Foo]\nA=b\njunk\n[X-Foo]\nB=c\n[Install ]\nC=d\n", "1! Unknown section 'Foo'. Ignoring.\n6! Unknown section 'Install '. Ignoring.\n"},
		{"bad lines", "[Install]\nJunk\n=x\n", "2! Missing '=', ignoring line.\n3! Missing key name before '=', ignoring line.\n"},
	} {
		if got, err := parse(c.text); got != c.want || err != nil {
			t.Errorf("%s: got\n%s%v, want\n%s", c.name, got, err, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		text, want string
		err        syscall.Errno
	}{
		{"[Install\n", "Invalid section header '[Install'", syscall.EBADMSG},
		{"[Install] x\n", "Invalid section header '[Install] x'", syscall.EBADMSG},
		{"[]\n", "Section header invalid '[]'", syscall.EBADMSG},
		{"[A\\b]\n", "Section header invalid '[A\\b]'", syscall.EBADMSG},
		{"[A[b]]\n", "Section header invalid '[A[b]]'", syscall.EBADMSG},
		{"[A\x01b]\n", "Section header invalid '[A\x01b]'", syscall.EBADMSG},
		{"[Install]\nWantedBy=\xff\xfe a\n", "", syscall.EINVAL},
		{"[Unit]\nA=" + strings.Repeat("a", 1<<20) + "\n", "", syscall.ENOBUFS},
		{"[Unit]\n" + strings.Repeat(strings.Repeat("a", 40000)+"\\\n", 30), "", syscall.ENOBUFS},
	} {
		_, err := parse(c.text)
		s, ok := errors.AsType[*unit.SyntaxError](err)
		if !ok || s.Text != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40q: %v, want %q, %v", c.text, err, c.want, c.err)
		}
	}
}

func TestWords(t *testing.T) {
	install := unit.Unquote | unit.RetainEscape
	for _, c := range []struct {
		text  string
		flags unit.WordFlags
		want  string
		bad   bool
	}{
		{`a\x2db "q" 'r s' a"b"c`, install, `a\x2db|q|r s|abc`, false},
		{`"a`, install, "", true},
		{`x "a`, install, "x", true},
		{`a\x2db "q"`, 0, `ax2db|"q"`, false},
		{"  a\tb  ", 0, "a|b", false},
		{`a\`, install, `a\`, false},
		{`a\`, 0, "", true},
	} {
		words, err := unit.Words(c.text, c.flags)
		if got := strings.Join(words, "|"); got != c.want || (err != nil) != c.bad {
			t.Errorf("Words(%q, %d) = %s, %v, want %s", c.text, c.flags, got, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"[Install]\nA=b\\\nc\n", "[X", "\x00\r\n[Unit]", "[Install]\n\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		last := 0
		order := func(line int) {
			if line < last {
				t.Errorf("line %d after %d", line, last)
			}
			last = line
		}
		_ = unit.Parse(data, unit.InstallSections,
			func(section, key, value string, line int) {
				order(line)
				if section != "Install" || strings.ContainsAny(key+value, "\n\x00") {
					t.Errorf("[%s] %q=%q", section, key, value)
				}
				if _, err := unit.Words(value, unit.Unquote|unit.RetainEscape); err != nil && !errors.Is(err, syscall.EINVAL) {
					t.Error(err)
				}
			},
			func(line int, _ string) { order(line) })
	})
}
