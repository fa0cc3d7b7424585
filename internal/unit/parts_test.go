package unit_test

import (
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// What systemctl 262 takes in Also=, which has to be the name of a unit.
func TestValidNames(t *testing.T) {
	for _, c := range []struct {
		name  string
		valid bool
	}{
		{"a.service", true},
		{"a@.service", true},
		{"a@b.service", true},
		{"a@b@c.service", true},
		{"@.service", false},
		{"@a.service", false},
		{".service", false},
		{"a", false},
		{"a.", false},
		{".a.service", true},
		{"..service", true},
		{"a..service", true},
		{"a.b.service", true},
		{"a.Service", false},
		{"a/b.service", false},
		{"a\\x2db.service", true},
		{"a:b_c-d.service", true},
		{"\xc3\xa9.service", false},
		{"a%.service", false},
		{"a+b.service", false},
		{"a~.service", false},
		{"a,b.service", false},
		{"a.mount", true},
		{"a@.mount", true},
		{"a@b.mount", true},
		{"-.mount", true},
		{"-.slice", true},
		{"a.automount", true},
		{"a.swap", true},
		{"a.swap@x", false},
		{"a.socket", true},
		{"a.target", true},
		{"a.device", true},
		{"a.timer", true},
		{"a.path", true},
		{"a.slice", true},
		{"a.scope", true},
		{"a.snapshot", false},
		{"a.busname", false},
		{"a.service.d", false},
		{"a@b.c.service", true},
		{"a@@.service", true},
		{"a@.service@", false},
		{"a@.b.service", true},
		{"a.service.service", true},
		{"a*.service", false},
		{"a[.service", false},
		{"a?.service", false},
		{strings.Repeat("x", 247) + ".service", true},
		{strings.Repeat("x", 248) + ".service", false},
		{strings.Repeat("x", 250) + "@.service", false},
		{strings.Repeat("x", 120) + "@" + strings.Repeat("y", 126) + ".service", true},
		{strings.Repeat("x", 120) + "@" + strings.Repeat("y", 127) + ".service", false},
		{"a@\\.service", true},
		{"a\x01.service", false},
		{"\\.service", true},
		{"-.service", true},
		{"_.service", true},
		{":.service", true},
		{"1.service", true},
		{"a@..service", true},
	} {
		if got := unit.Valid(c.name, unit.Any); got != c.valid {
			t.Errorf("Valid(%q) = %v", c.name, got)
		}
	}
}

func TestNameParts(t *testing.T) {
	for _, c := range []struct {
		name                       string
		kind                       unit.Kind
		prefix, instance, template string
		typ                        string
	}{
		{"a.service", unit.Plain, "a", "", "a.service", "service"},
		{"a.b.target", unit.Plain, "a.b", "", "a.b.target", "target"},
		{"-.mount", unit.Plain, "-", "", "-.mount", "mount"},
		{"a@.service", unit.Template, "a", "", "a@.service", "service"},
		{"a@b.service", unit.Instance, "a", "b", "a@.service", "service"},
		{"a@b@c.d.timer", unit.Instance, "a", "b@c.d", "a@.timer", "timer"},
		{"a.b@c.socket", unit.Instance, "a.b", "c", "a.b@.socket", "socket"},
		{"a@@.path", unit.Instance, "a", "@", "a@.path", "path"},
		{"a@..swap", unit.Instance, "a", ".", "a@.swap", "swap"},
		{"a.d", 0, "a", "", "a.d", ""},
		{"a", 0, "a", "", "a", ""},
		{"a@b", 0, "a", "", "a@b", ""},
		{"", 0, "", "", "", ""},
	} {
		if k := unit.KindOf(c.name); k != c.kind {
			t.Errorf("KindOf(%q) = %v, want %v", c.name, k, c.kind)
		}
		for _, k := range []unit.Kind{unit.Plain, unit.Template, unit.Instance} {
			if unit.Valid(c.name, k) != (k == c.kind) {
				t.Errorf("Valid(%q, %v) = %v", c.name, k, k != c.kind)
			}
		}
		got := [...]string{unit.Prefix(c.name), unit.InstanceOf(c.name), unit.TemplateOf(c.name), unit.Type(c.name)}
		if want := [...]string{c.prefix, c.instance, c.template, c.typ}; got != want {
			t.Errorf("parts of %q: %q, want %q", c.name, got, want)
		}
	}
}

func TestWithInstance(t *testing.T) {
	for _, c := range []struct{ name, instance, want string }{
		{"a@.service", "y", "a@y.service"},
		{"a@x.service", "y", "a@y.service"},
		{"a@x@z.service", "y.w", "a@y.w.service"},
		{"a@.service", "@", "a@@.service"},
		{"a@.service", `x\x2d-:_9`, `a@x\x2d-:_9.service`},
		{"a@.service", "x/y", ""},
		{"a@.service", "x y", ""},
		{"a@.service", "é", ""},
		{"a@.service", "", ""},
		{"a.service", "y", ""},
		{"a.b@c", "y", ""},
		{"a@.service", strings.Repeat("y", 245), "a@" + strings.Repeat("y", 245) + ".service"},
		{"a@.service", strings.Repeat("y", 246), ""},
	} {
		got, err := unit.WithInstance(c.name, c.instance)
		if got != c.want || (c.want == "") != (err == syscall.EINVAL) {
			t.Errorf("WithInstance(%q, %q) = %q, %v", c.name, c.instance, got, err)
		}
	}
}

// A DefaultInstance= that the reference takes is one, however long.
func TestValidInstance(t *testing.T) {
	for _, c := range []struct {
		s     string
		valid bool
	}{
		{"y", true}, {"@", true}, {`a-b:c_d.e\x2f@9`, true}, {strings.Repeat("y", 256), true},
		{"", false}, {"a/b", false}, {"a b", false}, {"%i", false}, {"é", false}, {"a\x00", false},
	} {
		if got := unit.ValidInstance(c.s); got != c.valid {
			t.Errorf("ValidInstance(%q) = %v", c.s, got)
		}
	}
}

// Which types may be templates and have other names, from systemd.unit(5) and from
// what systemctl 262 says of "a@b.TYPE" and of Alias= in a unit of the type.
func TestTypes(t *testing.T) {
	const templates, aliases = " service socket target timer path ", " service socket target device timer path "
	if n := len(unit.Types()); n != 11 {
		t.Errorf("%d types", n)
	}
	for _, typ := range append(unit.Types(), "", "busname", "servic") {
		if got, want := unit.Templatable(typ), typ != "" && strings.Contains(templates, " "+typ+" "); got != want {
			t.Errorf("Templatable(%q) = %v", typ, got)
		}
		if got, want := unit.Aliasable(typ), typ != "" && strings.Contains(aliases, " "+typ+" "); got != want {
			t.Errorf("Aliasable(%q) = %v", typ, got)
		}
	}
}
