package control

import (
	"errors"
	"syscall"

	"ctl/internal/sys"
)

// A Failure is an operation that failed, in the words a user sees, and why.
type Failure struct {
	Doing string // "get default target"
	Err   error
}

func (f Failure) Error() string { return "Failed to " + f.Doing + ": " + strerror(f.Err) }
func (f Failure) Unwrap() error { return f.Err }

// strerror is strerror(3) of the errno in err's chain; an error without one speaks for itself.
func strerror(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return sys.Strerror(e)
	}
	return err.Error()
}
