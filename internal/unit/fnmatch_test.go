package unit_test

import (
	"strings"
	"testing"
	"time"

	"ctl/internal/unit"
)

// What fnmatch(3) of glibc says with FNM_NOESCAPE in C.UTF-8.
func TestFnmatchVectors(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a.service", true},
		{"*", ".a", true},
		{"*", "", true},
		{"", "", true},
		{"", "a", false},
		{"a*", "a", true},
		{"a*b", "ab", true},
		{"a*b", "acbcb", true},
		{"a*b", "acbc", false},
		{"*a*b*", "xaxbx", true},
		{"**", "a", true},
		{"?", "a", true},
		{"?", "", false},
		{"a?c", "abc", true},
		{"a/b", "a/b", true},
		{"*", "a/b", true},
		{"?", "/", true},
		{"\\a", "\\a", true},
		{"\\a", "a", false},
		{"\\*", "\\x", true},
		{"a\\", "a\\", true},
		{"[ab]", "b", true},
		{"[ab]", "c", false},
		{"[!ab]", "c", true},
		{"[^ab]", "c", true},
		{"[^ab]", "a", false},
		{"[!ab]", "", false},
		{"[a-c]", "b", true},
		{"[a-c]", "d", false},
		{"[c-a]", "b", false},
		{"[]]", "]", true},
		{"[]a]", "a", true},
		{"[!]a]", "b", true},
		{"[!]a]", "]", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[a", "[a", true},
		{"[a", "a", false},
		{"[", "[", true},
		{"a[", "a[", true},
		{"[]", "[]", true},
		{"[!", "[!", true},
		{"[!]", "[!]", true},
		{"[a-", "[a-", false},
		{"[[-", "[[-", true},
		{"[\\]", "\\", true},
		{"[\\]]", "\\]", true},
		{"[[:alpha:]]", "a", true},
		{"[[:alpha:]]", "1", false},
		{"[[:digit:]x]", "x", true},
		{"[![:digit:]]", "5", false},
		{"[[:foo:]]", "f", false},
		{"[[:foo:]a]", "a", false},
		{"[a[:foo:]]", "a", true},
		{"[[:alpha]", "a", true},
		{"[[:alpha:]", "[a", true},
		{"[[.a.]]", "a", true},
		{"[[.-.]]", "-", true},
		{"[[.hyphen.]]", "-", false},
		{"[[=a=]]", "a", true},
		{"[[=a=]b]", "b", true},
		{"[a-[.c.]]", "b", true},
		{"[[.a.]-c]", "b", true},
		{"[a[.]", "a", false},
		{"[x[.]", "a", false},
		{"[[:xdigit:]-z]", "q", false},
		{"[[:upper:]]", "A", true},
		{"[[:punct:]]", "@", true},
		{"[[:space:]]", " ", true},
		{"[[:alnum:]_-]", "-", true},
		{"*[ab]*.service", "xbx.service", true},
		{"a*[!b]", "ab", false},
		{"a*[!b]", "abc", true},
		{"*.service", ".service", true},
		{"*@*.service", "a@b.service", true},
		{"a[.]b", "a.b", true},
		{"[\xc3\xa9]", "a", false},
		{"?", "a\xff", false},
		{"a**", "a", true},
		{"*a", "b", false},
		{"[z-a]*", "z", false},
		{"[a-b-c]", "-", true},
		{"[a-b-c]", "c", true},
		{"[--0]", "/", true},
		{"[!-a]", "b", true},
	} {
		if got := unit.Fnmatch(c.pattern, c.name); got != c.want {
			t.Errorf("Fnmatch(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// Many stars take time that grows with the square, not exponentially.
func TestFnmatchStars(t *testing.T) {
	done := make(chan bool, 1)
	go func() { done <- unit.Fnmatch(strings.Repeat("a*", 2000)+"b", strings.Repeat("a", 5000)) }()
	select {
	case got := <-done:
		if got {
			t.Error("matched")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("takes too long")
	}
}
