package unit

import (
	"strings"
	"unicode/utf8"
)

// Fnmatch is fnmatch(3) with FNM_NOESCAPE: "*", "?" and "[...]", where a
// backslash is a character like any other and "*" matches "/" and leading dots too.
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
		if end, in, ok := bracket(pattern, p, c); ok {
			return end, n + size, in
		}
	}
	return p + 1, n + 1, pattern[p] == name[n]
}

// bracket reads the expression that begins at p and tells whether c is in it. One
// that does not end is no expression; its "[" stands for itself.
func bracket(pattern string, p int, c rune) (end int, in, ok bool) {
	i := p + 1
	negate := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negate {
		i++
	}
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 0, false, false
		}
		if pattern[i] == ']' && !first {
			return i + 1, in != negate, true
		}
		if name, after, ok := class(pattern, i); ok {
			in = in || inClass(name, c)
			i = after
			continue
		}
		low, size := utf8.DecodeRuneInString(pattern[i:])
		i += size
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, size = utf8.DecodeRuneInString(pattern[i+1:])
			i += 1 + size
		}
		in = in || low <= c && c <= high
	}
}

// class reads "[:name:]" at i.
func class(pattern string, i int) (name string, after int, ok bool) {
	if !strings.HasPrefix(pattern[i:], "[:") {
		return "", 0, false
	}
	end := strings.Index(pattern[i:], ":]")
	if end < 2 {
		return "", 0, false
	}
	return pattern[i+2 : i+end], i + end + 2, true
}

func inClass(name string, c rune) bool {
	lower, upper := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9'
	switch name {
	case "alpha":
		return lower || upper
	case "lower":
		return lower
	case "upper":
		return upper
	case "digit":
		return digit
	case "alnum":
		return lower || upper || digit
	case "xdigit":
		return digit || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
	case "punct":
		return c > ' ' && c < 0x7f && !lower && !upper && !digit
	case "graph":
		return c > ' ' && c < 0x7f
	case "print":
		return c >= ' ' && c < 0x7f
	case "space":
		return c == ' ' || c >= '\t' && c <= '\r'
	case "blank":
		return c == ' ' || c == '\t'
	case "cntrl":
		return c < ' ' || c == 0x7f
	}
	return false
}
