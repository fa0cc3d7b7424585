package control

import (
	"errors"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/sys"
)

// A Failure is an operation that failed, in the words a user sees, and why.
type Failure struct {
	Doing string // "get default target"
	Err   error
}

func (f Failure) Error() string {
	if _, ok := errors.AsType[manager.ReplyError](f.Err); ok {
		return "Failed to parse bus message: " + strerror(f.Err)
	}
	return "Failed to " + f.Doing + ": " + strerror(f.Err)
}
func (f Failure) Unwrap() error { return f.Err }

// errno is what a program that knows no more than numbers says of err.
func errno(err error) error {
	if e, ok := errors.AsType[*manager.Error](err); ok {
		return e.Errno()
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}

// strerror is strerror(3) of the errno in err's chain; an error without one speaks for itself.
func strerror(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return sys.Strerror(e)
	}
	return err.Error()
}
