package unit

import (
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// CWords splits as Words with Unquote does, and knows escapes of C.
func CWords(s string) ([]string, error) {
	var kept strings.Builder
	// What an escape stands for may be a blank or a quote; the backslash before it keeps it.
	for s != "" {
		if s[0] != '\\' {
			kept.WriteByte(s[0])
			s = s[1:]
			continue
		}
		text, rest, err := unescapeC(s[1:])
		if err != nil {
			return nil, err
		}
		for i := range len(text) {
			kept.WriteByte('\\')
			kept.WriteByte(text[i])
		}
		s = rest
	}
	return Words(kept.String(), Unquote)
}

// unescapeC reads what follows a backslash.
func unescapeC(s string) (text, rest string, err error) {
	if s == "" {
		return "", "", syscall.EINVAL
	}
	if i := strings.IndexByte(`abfnrtv\"'s`, s[0]); i >= 0 {
		return "\a\b\f\n\r\t\v\\\"' "[i : i+1], s[1:], nil
	}
	length, base, digits := 3, 8, s
	switch s[0] {
	case 'x':
		length, base, digits = 2, 16, s[1:]
	case 'u':
		length, base, digits = 4, 16, s[1:]
	case 'U':
		length, base, digits = 8, 16, s[1:]
	}
	if len(digits) < length {
		return "", "", syscall.EINVAL
	}
	n, err := strconv.ParseUint(digits[:length], base, 32)
	switch {
	case err != nil || n == 0 || length < 4 && n > 255:
		return "", "", syscall.EINVAL
	case length < 4:
		return string([]byte{byte(n)}), digits[length:], nil
	}
	return string(utf8.AppendRune(nil, rune(n))), digits[length:], nil
}

// UnescapeC is a text without its escapes.
func UnescapeC(s string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		text, rest, err := unescapeC(after)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = rest
	}
}
