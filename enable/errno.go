package enable

import (
	"strconv"
	"strings"
	"syscall"
)

// strerror is strerror(3): Go's texts begin with a small letter, the C library's with a capital.
func strerror(e syscall.Errno) string {
	s := e.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

func itoa(n int) string { return strconv.Itoa(n) }
