package manager

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a connected UNIX socket on which calls wait in the kernel. With those of package net each reply wakes
// several threads, and the first one sets up the poller: a third of what a short call takes.
type socket struct {
	fd       int
	deadline time.Time // of reading; zero for none
}

// dialSocket connects to the socket with that path, or with that abstract name after an @.
func dialSocket(path string) (*socket, error) {
	// Connecting must not wait for a server whose queue is full.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = retried(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) })
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &socket{fd: fd}, nil
}

// Read reads what is there, or waits for it until the deadline: os.ErrDeadlineExceeded.
func (s *socket) Read(b []byte) (n int, err error) {
	err = retried(func() error {
		limit := time.Duration(0) // for ever
		if !s.deadline.IsZero() {
			if limit = time.Until(s.deadline); limit <= 0 {
				return unix.EAGAIN
			}
		}
		limit = (limit + time.Microsecond - 1).Truncate(time.Microsecond) // 0 were for ever
		t := unix.NsecToTimeval(int64(limit))
		if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &t); err != nil {
			return err
		}
		n, err = unix.Read(s.fd, b)
		return err
	})
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write writes all of b, however long that takes.
func (s *socket) Write(b []byte) (written int, err error) {
	for written < len(b) && err == nil {
		var n int
		err = retried(func() error {
			n, err = unix.Write(s.fd, b[written:])
			return err
		})
		written += max(n, 0)
	}
	return written, err
}

// Close closes the socket.
func (s *socket) Close() error { return unix.Close(s.fd) }

// retried makes a system call again when a signal came between: Go's own ones come at any time.
func retried(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
