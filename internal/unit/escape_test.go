package unit_test

import (
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// invalid stands in tables for what is refused with EINVAL.
const invalid = "\x00invalid"

func orInvalid(s string, err error) string {
	if err == syscall.EINVAL {
		return invalid
	}
	return s
}

// What systemd-escape of systemd 262 prints.
func TestEscape(t *testing.T) {
	for _, c := range []struct{ s, want string }{
		{"", ""},
		{"a", "a"},
		{".", "\\x2e"},
		{".a", "\\x2ea"},
		{"a.b", "a.b"},
		{"-", "\\x2d"},
		{"--", "\\x2d\\x2d"},
		{"a-b", "a\\x2db"},
		{"a/b", "a-b"},
		{"/a", "-a"},
		{"a\\b", "a\\x5cb"},
		{"a@b", "a\\x40b"},
		{"\xc3\xa9", "\\xc3\\xa9"},
		{"a b", "a\\x20b"},
		{"_:x9", "_:x9"},
		{"\x01", "\\x01"},
		{"a\xff", "a\\xff"},
	} {
		if got := unit.Escape(c.s); got != c.want {
			t.Errorf("Escape(%q) = %q, want %q", c.s, got, c.want)
		}
	}
}

// What systemd-escape --path prints.
func TestEscapePath(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"", "-"},
		{"/", "-"},
		{"//", "-"},
		{"/.", "-"},
		{".", invalid},
		{"./", invalid},
		{"..", invalid},
		{"a", "a"},
		{"a/b", "a-b"},
		{"./a", "a"},
		{"a/.", "a"},
		{"../a", invalid},
		{"/a/b/", "a-b"},
		{"/.a", "\\x2ea"},
		{"/a/.b", "a-.b"},
		{"/../a", "a"},
		{"/a/../b", invalid},
		{"/-", "\\x2d"},
		{"a\\b", "a\\x5cb"},
		{"/" + strings.Repeat("x", 256), invalid},
	} {
		if got := orInvalid(unit.EscapePath(c.path)); got != c.want {
			t.Errorf("EscapePath(%q) = %q, want %q", c.path, got, c.want)
		}
	}
}

// What systemd-escape --unescape prints, without and with --path.
func TestUnescape(t *testing.T) {
	for _, c := range []struct{ s, want, path string }{
		{"", "", invalid},
		{"-", "/", "/"},
		{"a-b", "a/b", "/a/b"},
		{"--", "//", invalid},
		{"-a", "/a", invalid},
		{"\\x2d", "-", "/-"},
		{"\\x2D", "-", "/-"},
		{"\\xff", "\xff", "/\xff"},
		{"\\x2", invalid, invalid},
		{"\\x", invalid, invalid},
		{"\\", invalid, invalid},
		{"\\xzz", invalid, invalid},
		{"\\n", invalid, invalid},
		{"a\\\\b", invalid, invalid},
		{"..", "..", invalid},
		{"\\x2e\\x2e", "..", invalid},
		{"a-..-b", "a/../b", invalid},
		{"a--b", "a//b", invalid},
		{"a-", "a/", invalid},
		{"\\x2ea", ".a", "/.a"},
		{"\xc3\xa9", "\xc3\xa9", "/\xc3\xa9"},
		{"a/b", "a/b", "/a/b"},
		{"\\x2fa", "/a", invalid},
		{"a\\x2f", "a/", invalid},
		{"a\\x2f-b", "a//b", invalid},
		{".", ".", invalid},
		{"a.b", "a.b", "/a.b"},
		{"a-.b", "a/.b", "/a/.b"},
		{"a-.", "a/.", invalid},
		{"\\x2e", ".", invalid},
		{`a\x00b`, invalid, invalid}, // ours: the reference stops at the NUL
	} {
		if got := orInvalid(unit.Unescape(c.s)); got != c.want {
			t.Errorf("Unescape(%q) = %q, want %q", c.s, got, c.want)
		}
		if got := orInvalid(unit.UnescapePath(c.s)); got != c.path {
			t.Errorf("UnescapePath(%q) = %q, want %q", c.s, got, c.path)
		}
	}
}
