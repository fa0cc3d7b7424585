package unit_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// What `systemctl is-enabled` of systemd 262 makes of names, with its notices.
func TestMangleNames(t *testing.T) {
	for _, c := range []struct {
		name, want string
		notices    []string
		err        syscall.Errno
	}{
		{"a", "a.service", nil, 0},
		{"a.service", "a.service", nil, 0},
		{"foo.bar", "foo.bar.service", nil, 0},
		{"a@", "a@.service", nil, 0},
		{"a@.service", "a@.service", nil, 0},
		{"a b", "a\\x20b.service", []string{"Invalid unit name \"a b\" escaped as \"a\\x20b\" (maybe you should use systemd-escape?)."}, 0},
		{"a*", "a\\x2a.service", []string{"Glob pattern passed to check, but globs are not supported for this.", "Invalid unit name \"a*\" escaped as \"a\\x2a\"."}, 0},
		{"[a]", "\\x5ba\\x5d.service", []string{"Glob pattern passed to check, but globs are not supported for this.", "Invalid unit name \"[a]\" escaped as \"\\x5ba\\x5d\"."}, 0},
		{"a?b.service", "a\\x3fb.service", []string{"Glob pattern passed to check, but globs are not supported for this.", "Invalid unit name \"a?b.service\" escaped as \"a\\x3fb.service\"."}, 0},
		{"a[", "a\\x5b.service", []string{"Glob pattern passed to check, but globs are not supported for this.", "Invalid unit name \"a[\" escaped as \"a\\x5b\"."}, 0},
		{"a^b", "a\\x5eb.service", []string{"Invalid unit name \"a^b\" escaped as \"a\\x5eb\" (maybe you should use systemd-escape?)."}, 0},
		{"a!b", "a\\x21b.service", []string{"Invalid unit name \"a!b\" escaped as \"a\\x21b\" (maybe you should use systemd-escape?)."}, 0},
		{"*.mount", "\\x2a.mount", []string{"Glob pattern passed to check, but globs are not supported for this.", "Invalid unit name \"*.mount\" escaped as \"\\x2a.mount\"."}, 0},
		{"a*b c", "a\\x2ab\\x20c.service", []string{"Invalid unit name \"a*b c\" escaped as \"a\\x2ab\\x20c\" (maybe you should use systemd-escape?)."}, 0},
		{"\xc3\xa9", "\\xc3\\xa9.service", []string{"Invalid unit name \"\xc3\xa9\" escaped as \"\\xc3\\xa9\" (maybe you should use systemd-escape?)."}, 0},
		{"a\xff", "a\\xff.service", []string{"Invalid unit name \"a\xff\" escaped as \"a\\xff\" (maybe you should use systemd-escape?)."}, 0},
		{"a%i", "a\\x25i.service", []string{"Invalid unit name \"a%i\" escaped as \"a\\x25i\" (maybe you should use systemd-escape?)."}, 0},
		{".service", ".service.service", nil, 0},
		{"a.target", "a.target", nil, 0},
		{strings.Repeat("x", 248), "", nil, syscall.EINVAL},
		{strings.Repeat("x", 247), strings.Repeat("x", 247) + ".service", nil, 0},
		{strings.Repeat("x", 256), "", nil, syscall.EINVAL},
		{"-", "-.service", nil, 0},
		{"a\\b", "a\\b.service", nil, 0},
		{"\"a\"", "\\x22a\\x22.service", []string{"Invalid unit name \"\"a\"\" escaped as \"\\x22a\\x22\" (maybe you should use systemd-escape?)."}, 0},
		{"a\tb", "a\\x09b.service", []string{"Invalid unit name \"a\tb\" escaped as \"a\\x09b\" (maybe you should use systemd-escape?)."}, 0},
		{"a:b@c", "a:b@c.service", nil, 0},
		{"a@b.c", "a@b.c.service", nil, 0},
		{"@x", "", nil, syscall.EINVAL},
		{"a,b", "a\\x2cb.service", []string{"Invalid unit name \"a,b\" escaped as \"a\\x2cb\" (maybe you should use systemd-escape?)."}, 0},
		{"", "", nil, syscall.EINVAL},
		{"^*.Service.mount", `\x5e\x2a.Service.mount`, []string{`Invalid unit name "^*.Service.mount" escaped as "\x5e\x2a.Service.mount" (maybe you should use systemd-escape?).`}, 0},
		{"service[]!^.target", `service\x5b\x5d\x21\x5e.target`, []string{`Invalid unit name "service[]!^.target" escaped as "service\x5b\x5d\x21\x5e.target" (maybe you should use systemd-escape?).`}, 0},
	} {
		got, notices, err := unit.Mangle(c.name, "to check", ".service", false)
		if got != c.want || !slices.Equal(notices, c.notices) {
			t.Errorf("Mangle(%q) = %q, %q", c.name, got, notices)
		}
		if (c.err != 0 || err != nil) && !errors.Is(err, c.err) {
			t.Errorf("Mangle(%q): error %v", c.name, err)
		}
	}
}

// What `systemd-escape --mangle` of systemd 262 makes of paths; "" is an error.
func TestManglePath(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/", "-.mount"},
		{"//", "-.mount"},
		{"/dev/sda", "dev-sda.device"},
		{"/dev", "dev.mount"},
		{"/dev/", "dev.mount"},
		{"/dev/.", "dev.mount"},
		{"//dev//sda", "dev-sda.device"},
		{"/./dev/sda", "dev-sda.device"},
		{"/devx", "devx.mount"},
		{"/sys/x", "sys-x.device"},
		{"/sys", "sys.mount"},
		{"/foo/bar", "foo-bar.mount"},
		{"/foo/./bar//", "foo-bar.mount"},
		{"/a b/.c", "a\\x20b-.c.mount"},
		{"/.a", "\\x2ea.mount"},
		{"/a-b", "a\\x2db.mount"},
		{"/\xc3\xa9", "\\xc3\\xa9.mount"},
		{"/a*b", "a\\x2ab.mount"},
		{"/..", "-.mount"},
		{"/../a", "a.mount"},
		{"/./../a", "a.mount"},
		{"/a.mount", "a.mount.mount"},
		{"/x.service", "x.service.mount"},
		{"/a\\x20b", "a\\x5cx20b.mount"},
		{"/a%b:c\\d", "a\\x25b:c\\x5cd.mount"},
		{"/a@b-c_d", "a\\x40b\\x2dc_d.mount"},
		{"/foo/../bar", "-foo-..-bar.service"},
		{"/dev/..", "-dev-...service"},
		{"/a/..", "-a-...service"},
		{"/" + strings.Repeat("x", 249), strings.Repeat("x", 249) + ".mount"},
		{"/" + strings.Repeat("x", 250), strings.Repeat("x", 232) + "_b4a44326d112071f.mount"},
		{"/" + strings.Repeat("x", 255), strings.Repeat("x", 232) + "_772824895a683330.mount"},
		{"/" + strings.Repeat("x", 256), ""},
		{strings.Repeat("/a", 2047), "a" + strings.Repeat("-a", 115) + "-_d04aea70a4e55d93.mount"},
		{strings.Repeat("/a", 2047) + "b", "a" + strings.Repeat("-a", 115) + "-_e1ad2b581eef8430.mount"},
		{strings.Repeat("/a", 2048), ""},
		{"/dev/" + strings.Repeat("y", 260), ""},
	} {
		got, _, err := unit.Mangle(c.path, "", ".service", false)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("Mangle(%q) = %q, %v", c.path, got, err)
		}
	}
}

func TestMangleSuffixAndGlobs(t *testing.T) {
	for _, c := range []struct {
		name, suffix string
		glob         bool
		want         string
	}{
		{"a", ".target", false, "a.target"},
		{"a.service", ".target", false, "a.service"},
		{"a*", ".service", true, "a*"},
		{"[!a-c]?.mount", ".service", true, "[!a-c]?.mount"},
		{"a* b", ".service", true, `a\x2a\x20b.service`}, // no pattern for the blank
		{"a^", ".service", true, `a\x5e.service`},
	} {
		got, _, err := unit.Mangle(c.name, "", c.suffix, c.glob)
		if got != c.want || err != nil {
			t.Errorf("Mangle(%q, %q, %v) = %q, %v", c.name, c.suffix, c.glob, got, err)
		}
	}
}
