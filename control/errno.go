package control

import (
	"errors"
	"strings"
	"syscall"
)

// A Failure is an operation that failed, in the words a user sees, and why.
type Failure struct {
	Doing string // "get default target"
	Err   error
}

func (f Failure) Error() string { return "Failed to " + f.Doing + ": " + strerror(f.Err) }
func (f Failure) Unwrap() error { return f.Err }

// strerror is strerror(3) of the errno in err's chain: Go's texts begin with a small
// letter, the C library's with a capital.
func strerror(err error) string {
	e, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return err.Error()
	}
	s := e.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
