package unit_test

import (
	"strings"
	"testing"

	"ctl/internal/unit"
)

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		name string
		want unit.Kind
	}{
		{"a.service", unit.Plain}, {"a@.service", unit.Template}, {"a@b.service", unit.Instance},
		{"a@b@c.service", unit.Instance}, {"a.b.service", unit.Plain}, {"-.mount", unit.Plain},
		{`a\x2db.service`, unit.Plain}, {"a:b_c-d.socket", unit.Plain}, {"a@b.c.service", unit.Instance},
		{"", 0}, {"a", 0}, {".service", 0}, {"@.service", 0}, {"@a.service", 0}, {"a.foo", 0}, {"a b.service", 0},
		{"a/b.service", 0}, {"a*.service", 0}, {"ä.service", 0}, {"a.service ", 0}, {"a.Service", 0},
		{strings.Repeat("a", 247) + ".service", unit.Plain}, {strings.Repeat("a", 248) + ".service", 0},
	} {
		if got := unit.KindOf(c.name); got != c.want {
			t.Errorf("KindOf(%q) = %d, want %d", c.name, got, c.want)
		}
	}
}

// The expectations are the answers of systemctl 262: `systemctl --root=R mask NAME`.
func TestMangle(t *testing.T) {
	const glob, hint = "Glob pattern passed to mask, but globs are not supported for this.", " (maybe you should use systemd-escape?)."
	escaped := func(a, b, end string) string {
		return "Invalid unit name \"" + a + "\" escaped as \"" + b + "\"" + end
	}
	for _, c := range []struct {
		in, want string
		notices  []string
	}{
		{"a b", `a\x20b.service`, []string{escaped("a b", `a\x20b`, hint)}},
		{"a*", `a\x2a.service`, []string{glob, escaped("a*", `a\x2a`, ".")}},
		{"*.service", `\x2a.service`, []string{glob, escaped("*.service", `\x2a.service`, ".")}},
		{"[a]", `\x5ba\x5d.service`, []string{glob, escaped("[a]", `\x5ba\x5d`, ".")}},
		{"a b*", `a\x20b\x2a.service`, []string{escaped("a b*", `a\x20b\x2a`, hint)}},
		{"a!", `a\x21.service`, []string{escaped("a!", `a\x21`, hint)}},
		{"ü", `\xc3\xbc.service`, []string{escaped("ü", `\xc3\xbc`, hint)}},
		{"a.target ", `a.target\x20.service`, []string{escaped("a.target ", `a.target\x20`, hint)}},
		{"foo.bar", "foo.bar.service", nil}, {"a@b@c", "a@b@c.service", nil}, {".service", ".service.service", nil},
		{"foo.", "foo..service", nil}, {"x@", "x@.service", nil}, {".mount", ".mount.service", nil},
		{"..service", "..service", nil}, {"x.service@", "x.service@.service", nil}, {`a\b`, `a\b.service`, nil},
		{"@", "", nil}, {"", "", nil}, {"@.service", "", nil},
	} {
		got, notices, err := unit.Mangle(c.in, "to mask", ".service", false)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Mangle(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
		if c.want != "" && strings.Join(notices, "\n") != strings.Join(c.notices, "\n") {
			t.Errorf("Mangle(%q) says %q, want %q", c.in, notices, c.notices)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"a.service", "a@.service", "a@b.service", "@.x", "a@b@c.socket", ""} {
		f.Add(s, "i")
	}
	f.Fuzz(func(t *testing.T, name, instance string) {
		switch unit.KindOf(name) {
		case 0:
			return
		case unit.Instance:
			if i, err := unit.WithInstance(unit.TemplateOf(name), unit.InstanceOf(name)); err != nil || i != name {
				t.Errorf("%q taken apart and put together is %q, %v", name, i, err)
			}
		case unit.Template:
			if unit.TemplateOf(name) != name || unit.InstanceOf(name) != "" {
				t.Errorf("template %q: %q %q", name, unit.TemplateOf(name), unit.InstanceOf(name))
			}
		}
		if i, err := unit.WithInstance(name, instance); err == nil && !unit.Valid(i, unit.Instance) {
			t.Errorf("WithInstance(%q, %q) = %q", name, instance, i)
		}
		if unit.Type(name) == "" || unit.Prefix(name) == "" {
			t.Errorf("%q has no type or prefix", name)
		}
	})
}

func FuzzMangle(f *testing.F) {
	for _, s := range []string{"a b", "a*", "/x/y", "/dev/sda", "@", "\xff", "a.service"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, _, err := unit.Mangle(s, "to x", ".service", false)
		if err != nil {
			return
		}
		if !unit.Valid(name, unit.Any) && len(s) < 60 {
			t.Errorf("Mangle(%q) = %q, which is no name", s, name)
		}
		if again, _, err := unit.Mangle(name, "to x", ".service", false); unit.Valid(name, unit.Any) && (err != nil || again != name) {
			t.Errorf("mangled again %q is %q", name, again)
		}
	})
}
