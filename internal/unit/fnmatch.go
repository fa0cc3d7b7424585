package unit

import (
	"strings"
	"unicode/utf8"
)

// Fnmatch is fnmatch(3) with FNM_NOESCAPE: "*", "?" and "[...]", where a
// backslash is a character like any other and "*" matches "/" and leading dots too.
// It is exact for names in ASCII, as those of units are.
func Fnmatch(pattern, name string) bool {
	// The last "*" and where it began to match: on a mismatch it takes one more.
	star, from := -1, 0
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, from = p, n
				p++
				continue
			}
			if np, nn, ok := matchOne(pattern, p, name, n); ok {
				p, n = np, nn
				continue
			}
		}
		if star < 0 {
			return false
		}
		_, size := utf8.DecodeRuneInString(name[from:])
		from += size
		p, n = star+1, from
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches one element of the pattern against one character.
func matchOne(pattern string, p int, name string, n int) (np, nn int, ok bool) {
	c, size := utf8.DecodeRuneInString(name[n:])
	switch pattern[p] {
	case '?':
		return p + 1, n + size, true
	case '[':
		b := bracket{s: pattern, i: p + 1, c: c}
		if b.read(); b.closed || b.bad {
			return b.i, n + size, b.in && !b.bad
		}
	}
	return p + 1, n + 1, pattern[p] == name[n]
}

// A bracket is a bracket expression that is held against the character c, as
// glibc does it: once c is found in it, the rest is only skipped.
type bracket struct {
	s string
	i int // where to read on
	c rune

	in, found   bool // what the expression says of c; some element is c
	closed, bad bool // ended by "]"; broken, which nothing matches. Neither: "[" stands for itself.
}

func (b *bracket) read() {
	negate := b.next("!") || b.next("^")
	for first := true; b.i < len(b.s) && !b.bad; first = false {
		if b.s[b.i] == ']' && !first {
			b.i++
			b.closed, b.in = true, b.found != negate
			return
		}
		if b.found {
			b.skip()
		} else {
			b.element()
		}
	}
}

// next takes the text away when it comes next.
func (b *bracket) next(text string) bool {
	if !strings.HasPrefix(b.s[b.i:], text) {
		return false
	}
	b.i += len(text)
	return true
}

// element reads a class, an equivalence class, a range or a character.
func (b *bracket) element() {
	if name, ok := b.class(); ok {
		in, known := inClass(name, b.c)
		b.found, b.bad = in, !known
		return
	}
	if c, ok := b.equivalence(); ok {
		b.found = c == b.c
		return
	}
	low := b.character()
	if b.bad {
		return
	}
	if b.i >= len(b.s) || b.s[b.i] != '-' || strings.HasPrefix(b.s[b.i:], "-]") {
		b.found = low == b.c
		return
	}
	b.i++
	if b.i == len(b.s) { // a range without an end
		b.found = low == b.c
		b.bad = !b.found
		return
	}
	high := b.character()
	b.found = !b.bad && low <= b.c && b.c <= high
}

// skip passes over what element would read, but for ranges.
func (b *bracket) skip() {
	if _, ok := b.class(); ok {
		return
	}
	if strings.HasPrefix(b.s[b.i:], "[=") {
		_, ok := b.equivalence()
		b.bad = !ok
		return
	}
	if b.next("[.") {
		end := strings.Index(b.s[b.i:], ".]")
		b.bad = end < 0
		b.i += end + 2
		return
	}
	_, size := utf8.DecodeRuneInString(b.s[b.i:])
	b.i += size
}

// class reads "[:name:]", where the name is of letters.
func (b *bracket) class() (name string, ok bool) {
	rest := b.s[b.i:]
	if !strings.HasPrefix(rest, "[:") {
		return "", false
	}
	end := 2
	for end < len(rest) && rest[end] >= 'a' && rest[end] < 'z' {
		end++
	}
	if !strings.HasPrefix(rest[end:], ":]") {
		return "", false
	}
	b.i += end + 2
	return rest[2:end], true
}

// equivalence reads "[=c=]".
func (b *bracket) equivalence() (rune, bool) {
	rest, ok := strings.CutPrefix(b.s[b.i:], "[=")
	if !ok {
		return 0, false
	}
	c, size := utf8.DecodeRuneInString(rest)
	if !strings.HasPrefix(rest[size:], "=]") {
		return 0, false
	}
	b.i += 2 + size + 2
	return c, true
}

// character reads a character or "[.c.]". Symbols of several characters are for
// other locales than C and C.UTF-8.
func (b *bracket) character() rune {
	if b.next("[.") {
		end := strings.Index(b.s[b.i:], ".]")
		c, size := utf8.DecodeRuneInString(b.s[b.i:])
		b.bad = end != size
		b.i += size + 2
		return c
	}
	c, size := utf8.DecodeRuneInString(b.s[b.i:])
	b.i += size
	return c
}

// inClass tells whether c is in a class of characters, and whether there is such a class.
func inClass(name string, c rune) (in, known bool) {
	lower, upper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9'
	switch name {
	case "alpha":
		return lower || upper, true
	case "lower":
		return lower, true
	case "upper":
		return upper, true
	case "digit":
		return digit, true
	case "alnum":
		return lower || upper || digit, true
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F', true
	case "punct":
		return c > ' ' && c < 0x7f && !lower && !upper && !digit, true
	case "graph":
		return c > ' ' && c < 0x7f, true
	case "print":
		return c >= ' ' && c < 0x7f, true
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r', true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	}
	return false, false
}
