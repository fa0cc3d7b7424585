// Package sys has the small things about system calls that several rooms need.
package sys

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Errno returns the errno in err's chain, EIO if there is none, 0 for no error.
func Errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return syscall.EIO
}

// Strerror is strerror(3) as the C library has it: Go's texts begin with a small
// letter, and there are numbers that Go has no text for.
func Strerror(e syscall.Errno) string {
	if e == 133 {
		return "Memory page has hardware error" // EHWPOISON
	}
	s := e.Error()
	if strings.HasPrefix(s, "errno ") {
		return "Unknown error " + strconv.Itoa(int(e))
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// ErrnoOf is the errno of a name such as "EPERM", 0 if there is none.
func ErrnoOf(name string) syscall.Errno {
	const last = 4095
	for e := syscall.Errno(1); e <= last; e++ {
		if n := unix.ErrnoName(e); n == name && n != "" {
			return e
		}
	}
	return 0
}

// Message is what an error says, with the words that the C library has for an errno at its end.
func Message(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		if head, ok := strings.CutSuffix(text, e.Error()); ok {
			return head + Strerror(e)
		}
	}
	return text
}
