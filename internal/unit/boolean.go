package unit

import "strings"

// Boolean is a yes or no in the spellings of systemd.syntax(7); ok is false for what is neither.
func Boolean(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}
