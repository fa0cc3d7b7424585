package unit

import (
	"strings"
	"syscall"
)

// Kind tells the forms of a unit's name apart, systemd.unit(5).
type Kind uint8

const (
	Plain    Kind = 1 << iota // a.service
	Template                  // a@.service
	Instance                  // a@x.service

	Any = Plain | Template | Instance
)

// maxName is the length that a unit's name stays below, in bytes.
const maxName = 256

// types are the unit types in the reference's order; what may be templated and
// what may have other names follows from them.
var types = [...]struct {
	name                  string
	templatable, aliasing bool
}{
	{"service", true, true},
	{"mount", false, false},
	{"swap", false, false},
	{"socket", true, true},
	{"target", true, true},
	{"device", false, true},
	{"automount", false, false},
	{"timer", true, true},
	{"path", true, true},
	{"slice", false, false},
	{"scope", false, false},
}

// Types lists the unit types in the reference's order.
func Types() []string {
	l := make([]string, len(types))
	for i := range types {
		l[i] = types[i].name
	}
	return l
}

// Type returns the type that the suffix of name says, "service" of "a.service", or "" if none.
func Type(name string) string {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return ""
	}
	for i := range types {
		if types[i].name == name[dot+1:] {
			return types[i].name
		}
	}
	return ""
}

// Templatable tells whether units of a type may be templates and instances.
func Templatable(typ string) bool {
	for i := range types {
		if types[i].name == typ {
			return types[i].templatable
		}
	}
	return false
}

// Aliasable tells whether units of a type may have further names.
func Aliasable(typ string) bool {
	for i := range types {
		if types[i].name == typ {
			return types[i].aliasing
		}
	}
	return false
}

// nameByte tells whether c may stand in a unit's name, the "@" included.
func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == ':' || c == '-' || c == '_' || c == '.' || c == '\\' || c == '@'
}

// KindOf returns which form name has, 0 if it is no unit name.
func KindOf(name string) Kind {
	if len(name) >= maxName || Type(name) == "" {
		return 0
	}
	dot := strings.LastIndexByte(name, '.')
	if dot == 0 || name[0] == '@' {
		return 0
	}
	for i := range dot {
		if !nameByte(name[i]) {
			return 0
		}
	}
	switch at := strings.IndexByte(name[:dot], '@'); at {
	case -1:
		return Plain
	case dot - 1:
		return Template
	}
	return Instance
}

// Valid tells whether name is a unit name of one of the kinds.
func Valid(name string, kinds Kind) bool { return KindOf(name)&kinds != 0 }

// Prefix returns what stands before the first "@" or, without one, before the suffix.
func Prefix(name string) string {
	if at := strings.IndexByte(name, '@'); at >= 0 {
		return name[:at]
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[:dot]
	}
	return name
}

// InstanceOf returns the instance of a@instance.service, "" of other names.
func InstanceOf(name string) string {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at < 0 || dot < at {
		return ""
	}
	return name[at+1 : dot]
}

// TemplateOf returns the template of an instance; other names are their own.
func TemplateOf(name string) string {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at < 0 || dot < at || at+1 == dot {
		return name
	}
	return name[:at+1] + name[dot:]
}

// ValidInstance tells whether s may stand behind the "@"; whether it is short enough is for the whole name to say.
func ValidInstance(s string) bool {
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// WithInstance returns name, a template or an instance, with instance in the
// place of its own. EINVAL: the result is no unit name.
func WithInstance(name, instance string) (string, error) {
	at, dot := strings.IndexByte(name, '@'), strings.LastIndexByte(name, '.')
	if at < 0 || dot < at || instance == "" {
		return "", syscall.EINVAL
	}
	n := name[:at+1] + instance + name[dot:]
	if KindOf(n) != Instance {
		return "", syscall.EINVAL
	}
	return n, nil
}
