package image

import (
	"strconv"
	"strings"
)

// CompareVersions compares digits as numbers and the rest as text.
func CompareVersions(a, b string) int {
	for a != "" && b != "" {
		an, ar := leading(a)
		bn, br := leading(b)
		if an != "" && bn != "" {
			x, _ := strconv.ParseUint(an, 10, 64)
			y, _ := strconv.ParseUint(bn, 10, 64)
			if x != y {
				if x < y {
					return -1
				}
				return 1
			}
			a, b = ar, br
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// leading are the digits that s begins with, and the rest.
func leading(s string) (digits, rest string) {
	rest = strings.TrimLeft(s, "0123456789")
	return s[:len(s)-len(rest)], rest
}
