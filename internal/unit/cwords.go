package unit

import (
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// CWords splits as Words with Unquote does, and knows escapes of C.
func CWords(s string) ([]string, error) {
	var words []string
	for {
		w, rest, err := CWord(s, false)
		if err != nil || w == "" && rest == "" && strings.Trim(s, blanks) == "" {
			return words, err
		}
		words = append(words, w)
		s = rest
	}
}

// CWord is the first of CWords, and what stands behind it. With relax, what is no escape stays as it is. EINVAL: an escape is none, a
// quote is not closed.
func CWord(s string, relax bool) (word, rest string, err error) {
	s = strings.TrimLeft(s, blanks)
	var b strings.Builder
	quote := byte(0)
	for s != "" {
		c := s[0]
		switch {
		case c == '\\':
			text, after, err := unescapeC(s[1:], false)
			if err != nil && !relax {
				return "", "", err
			} else if err != nil {
				text, after = s[:1], s[1:]
			}
			b.WriteString(text)
			s = after
			continue
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), strings.TrimLeft(s, blanks), nil
		default:
			b.WriteByte(c)
		}
		s = s[1:]
	}
	if quote != 0 {
		return "", "", syscall.EINVAL
	}
	return b.String(), "", nil
}

// unescapeC reads what follows a backslash. It may stand for a NUL only if that is told.
func unescapeC(s string, nul bool) (text, rest string, err error) {
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
	case err != nil || n == 0 && !nul || length < 4 && n > 255:
		return "", "", syscall.EINVAL
	case length < 4:
		return string([]byte{byte(n)}), digits[length:], nil
	}
	return string(utf8.AppendRune(nil, rune(n))), digits[length:], nil
}

// UnescapeC is a text without its escapes.
func UnescapeC(s string) (string, error) { return unescapeAll(s, false) }

// UnescapeData is UnescapeC for what may have NULs in it.
func UnescapeData(s string) (string, error) { return unescapeAll(s, true) }

func unescapeAll(s string, nul bool) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		text, rest, err := unescapeC(after, nul)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		s = rest
	}
}
