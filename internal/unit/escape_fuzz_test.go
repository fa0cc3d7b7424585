package unit_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"ctl/internal/unit"
)

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "/", "/dev/sda", "a-b@c", "/../x", "/a/../b", `\x2d`, "\xff", "/a//./b/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := unit.Escape(s)
		if e != "" && len(e) < 200 && !unit.Valid(e+".service", unit.Plain) {
			t.Errorf("Escape(%q) = %q, which may not stand in a name", s, e)
		}
		if u, err := unit.Unescape(e); !strings.Contains(s, "\x00") && (err != nil || u != s) {
			t.Errorf("%q escaped and unescaped is %q, %v", s, u, err)
		}
		p, err := unit.EscapePath("/" + s)
		if err != nil || strings.Contains(s, "\x00") {
			return
		}
		u, err := unit.UnescapePath(p)
		if err != nil || !strings.HasPrefix(u, "/") || strings.Contains(u, "//") {
			t.Fatalf("path %q escaped and unescaped is %q, %v", s, u, err)
		}
		if again, err := unit.EscapePath(u); err != nil || again != p {
			t.Errorf("path %q: %q, then %q, %v", s, p, again, err)
		}
		for _, suffix := range []string{".mount", ".device"} {
			if n, err := unit.FromPath("/"+s, suffix); err != nil || !unit.Valid(n, unit.Plain) || !strings.HasSuffix(n, suffix) {
				t.Errorf("FromPath(%q) = %q, %v", s, n, err)
			}
		}
	})
}

func FuzzParseEnv(f *testing.F) {
	for _, s := range []string{"ID=a\n", `A="b\"c" 'd'e`, "A=b\\\nc", "=a", "#\\\nA=", "A=\xff", "A='", `A="\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		total := 0
		err := unit.ParseEnv(data, func(k, v string) {
			total += len(k) + len(v)
			if k == "" || !utf8.ValidString(k) || !utf8.ValidString(v) || strings.ContainsAny(k, "\n\r\x00") {
				t.Errorf("%q=%q", k, v)
			}
		})
		if total > len(data) {
			t.Errorf("%d bytes out of %d", total, len(data))
		}
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EBADMSG) {
			t.Error(err)
		}
	})
}

func FuzzMachineID(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789ABCDEF\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := unit.MachineID(data)
		if (err == nil) != (len(id) == 32) || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("MachineID(%q) = %q, %v", data, id, err)
		}
	})
}
