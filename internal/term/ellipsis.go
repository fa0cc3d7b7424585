package term

import (
	"strings"
	"unicode/utf8"
)

// EllipsizeAt shortens s, text without tabs, to width columns, at least 3, and puts an ellipsis where it leaves something out: after share percent of
// what is kept.
func EllipsizeAt(s string, width, share int, ascii bool) string {
	if Width(s) <= width {
		return s
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		dots := "…"
		if ascii {
			dots = "..."
		}
		room := width - Width(dots)
		before := (room*share + 50) / 100
		return s[:before] + dots + s[len(s)-(room-before):]
	}
	// Among wider characters the end gets what the beginning leaves, and then gives up a character for the ellipsis if it has to.
	i, n := 0, 0
	for i < len(s) {
		r, size := utf8.DecodeRuneInString(s[i:])
		w := Width(string(r))
		if n+w > (width-1)*share/100 {
			break
		}
		i, n = i+size, n+w
	}
	j := len(s)
	for j > i {
		r, size := utf8.DecodeLastRuneInString(s[i:j])
		w := Width(string(r))
		if n+w > width {
			break
		}
		j, n = j-size, n+w
	}
	switch {
	case n < width:
	case j < len(s):
		_, size := utf8.DecodeRuneInString(s[j:])
		j += size
	case i > 0:
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return s[:i] + "…" + s[j:]
}
