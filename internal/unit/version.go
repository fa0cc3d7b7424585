package unit

import "strings"

// CompareVersions compares versions as the UAPI Group's Version Format Specification does: negative if a is the older.
func CompareVersions(a, b string) int {
	for {
		a, b = skipOdd(a), skipOdd(b)
		if n, decided := separator(&a, &b, '~'); decided {
			return n
		}
		switch {
		case a == "" && b == "":
			return 0
		case a == "":
			return -1
		case b == "":
			return 1
		}
		for _, c := range "-^." {
			if n, decided := separator(&a, &b, byte(c)); decided {
				return n
			}
		}
		both := func(of string) (x, y string) {
			x, y = a[:span(a, of)], b[:span(b, of)]
			a, b = a[len(x):], b[len(y):]
			return x, y
		}
		n := 0
		if span(a, digits)+span(b, digits) > 0 {
			x, y := both(digits)
			switch {
			case x == "":
				return -1
			case y == "":
				return 1
			}
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if n = len(x) - len(y); n == 0 {
				n = strings.Compare(x, y)
			}
		} else {
			n = strings.Compare(both(letters))
		}
		if n != 0 {
			return n
		}
	}
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// span is how many bytes at the beginning of s are of a set.
func span(s, of string) int { return len(s) - len(strings.TrimLeft(s, of)) }

func skipOdd(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool { return !strings.ContainsRune(digits+letters+"~-^.", r) })
}

// separator takes c off both, or decides for the version that does not have it here.
func separator(a, b *string, c byte) (n int, decided bool) {
	x, y := *a != "" && (*a)[0] == c, *b != "" && (*b)[0] == c
	switch {
	case x && y:
		*a, *b = (*a)[1:], (*b)[1:]
	case x:
		return -1, true
	case y:
		return 1, true
	}
	return 0, false
}
