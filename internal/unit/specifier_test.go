package unit_test

import (
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// lookupA knows %p, and a %q of any length.
func lookupA(q string) func(byte) (string, error) {
	return func(letter byte) (string, error) {
		switch letter {
		case 'p':
			return "a", nil
		case 'q':
			return q, nil
		}
		return "", syscall.EBADSLT
	}
}

// What systemctl 262 makes of a word in RequiredBy= of a.service.
func TestExpandVectors(t *testing.T) {
	const unknown = "\x00unknown"
	for _, c := range []struct{ text, want string }{
		{"x", "x"},
		{"%p", "a"},
		{"%%", "%"},
		{"%", "%"},
		{"%%%p", "%a"},
		{"a%", "a%"},
		{"%-", "%-"},
		{"%z", unknown},
		{"%1", unknown},
		{"%_", "%_"},
		{"%\xc3\xa9", "%\xc3\xa9"},
		{"%p%", "a%"},
		{"%%p", "%p"},
		{"%p%p", "aa"},
		{"%pb%q%z", unknown},
		{"%.", "%."},
		{"%I", unknown},
		{"%0", unknown},
		{"%y", unknown},
	} {
		got, err := unit.Expand(c.text, 256, lookupA("q"))
		if err == syscall.EBADSLT {
			got, err = unknown, nil
		}
		if got != c.want || err != nil {
			t.Errorf("Expand(%q) = %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}

// Up to 256 bytes are not too long for systemctl 262; what is too long already is
// so whatever follows.
func TestExpandLength(t *testing.T) {
	y := func(n int) string { return strings.Repeat("y", n) }
	for _, c := range []struct {
		text string
		err  error
	}{
		{y(256), nil}, {y(257), syscall.ENAMETOOLONG},
		{y(255) + "%p", nil}, {y(256) + "%p", syscall.ENAMETOOLONG},
		{"%p" + y(255), nil}, {"%p" + y(256), syscall.ENAMETOOLONG},
		{y(255) + "%%", nil}, {y(256) + "%%", syscall.ENAMETOOLONG},
		{y(254) + "%-", nil}, {y(255) + "%-", syscall.ENAMETOOLONG},
		{y(256) + "%z", syscall.EBADSLT}, {y(257) + "%z", syscall.ENAMETOOLONG},
		{"%z" + y(300), syscall.EBADSLT},
		{strings.Repeat("%p", 256), nil}, {strings.Repeat("%p", 257), syscall.ENAMETOOLONG},
		{"%q", syscall.ENAMETOOLONG},
	} {
		got, err := unit.Expand(c.text, 256, lookupA(y(1000)))
		if err != c.err || len(got) > 256 {
			t.Errorf("Expand(%d bytes, %.5q...) = %d bytes, %v; want %v", len(c.text), c.text, len(got), err, c.err)
		}
	}
}

// What systemctl 262 puts for %i, %j, %n, %N, %p into a word of RequiredBy=.
func TestNameSpecifier(t *testing.T) {
	const letters = "ijnNp"
	for _, c := range []struct {
		name, defaultInstance string
		want                  [len(letters)]string
	}{
		{"a.service", "", [...]string{"", "a", "a.service", "a", "a"}},
		{"a@.service", "", [...]string{"", "a", "a@.service", "a@", "a"}},
		{"a@.service", "d", [...]string{"d", "a", "a@d.service", "a@d", "a"}},
		{"a@.service", "d-e@f", [...]string{"d-e@f", "a", "a@d-e@f.service", "a@d-e@f", "a"}},
		{"a@b.service", "", [...]string{"b", "a", "a@b.service", "a@b", "a"}},
		{"a@b.service", "d", [...]string{"b", "a", "a@b.service", "a@b", "a"}},
		{"a-b-c@x-y.service", "", [...]string{"x-y", "c", "a-b-c@x-y.service", "a-b-c@x-y", "a-b-c"}},
		{"a@b@c.service", "", [...]string{"b@c", "a", "a@b@c.service", "a@b@c", "a"}},
		{"a.b.service", "", [...]string{"", "a.b", "a.b.service", "a.b", "a.b"}},
		{"a-.socket", "", [...]string{"", "", "a-.socket", "a-", "a-"}},
		{"a-b\\x2dc@.timer", "", [...]string{"", "b\\x2dc", "a-b\\x2dc@.timer", "a-b\\x2dc@", "a-b\\x2dc"}},
	} {
		for i := range len(letters) {
			got, ok := unit.NameSpecifier(c.name, c.defaultInstance, letters[i])
			if !ok || got != c.want[i] {
				t.Errorf("%%%c of %s (%q) = %q, want %q", letters[i], c.name, c.defaultInstance, got, c.want[i])
			}
		}
	}
	if _, ok := unit.NameSpecifier("a.service", "", 'm'); ok {
		t.Error("%m is none of the name's")
	}
}
