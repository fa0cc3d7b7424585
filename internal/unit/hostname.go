package unit

import "strings"

// Hostname tells whether s is a name a machine may have, hostname(7).
func Hostname(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return false
		}
	}
	return true
}
