package unit

import (
	"strings"
	"syscall"
)

// WordFlags say how Words splits.
type WordFlags int

const (
	Unquote      WordFlags = 1 << iota // quotes group and go
	RetainEscape                       // a backslash is a character like any other
)

// Words splits s at blanks, as lists in unit files are. Without RetainEscape a backslash
// goes and the byte after it stays as it is. The words before an error, EINVAL for
// an unfinished quote or escape, are returned with it.
func Words(s string, flags WordFlags) ([]string, error) {
	var words []string
	for {
		s = strings.TrimLeft(s, blanks)
		if s == "" {
			return words, nil
		}
		w, rest, err := word(s, flags)
		if err != nil {
			return words, err
		}
		words = append(words, w)
		s = rest
	}
}

func word(s string, flags WordFlags) (w, rest string, err error) {
	plain := strings.IndexAny(s, blanks+"\\'\"")
	if plain < 0 {
		return s, "", nil
	}
	if strings.IndexByte(blanks, s[plain]) >= 0 {
		return s[:plain], s[plain:], nil
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && flags&RetainEscape == 0:
			if i++; i == len(s) {
				return "", "", syscall.EINVAL
			}
			b.WriteByte(s[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteByte(c)
		case flags&Unquote != 0 && (c == '"' || c == '\''):
			quote = c
		case strings.IndexByte(blanks, c) >= 0:
			return b.String(), s[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", syscall.EINVAL
	}
	return b.String(), "", nil
}
