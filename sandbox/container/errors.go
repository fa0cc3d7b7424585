package container

import (
	"errors"

	"ctl/internal/sys"
)

// Failure is what could not be done; its text ends with the reason in the words of strerror(3).
type Failure struct {
	What string
	Err  error
}

func (f Failure) Error() string { return f.What + ": " + sys.Strerror(sys.Errno(f.Err)) }
func (f Failure) Unwrap() error { return f.Err }

// said tells whether an error says all that there is to say.
func said(err error) bool {
	_, failure := errors.AsType[Failure](err)
	_, refusal := errors.AsType[Refusal](err)
	return failure || refusal
}

// PayloadFailure is a Failure of the container's first process, which existed already.
type PayloadFailure struct{ Failure }

// Unwrap returns the reason.
func (f *PayloadFailure) Unwrap() error { return f.Failure.Err }

// Refusal is what cannot be, in a sentence.
type Refusal string

func (r Refusal) Error() string { return string(r) }
