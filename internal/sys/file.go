package sys

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// ReadFile reads a small file, of /proc say, with no more than open(2), read(2) and close(2): a File would also be offered to epoll(7), and be
// refused. Its errors are those of os.ReadFile.
func ReadFile(name string) ([]byte, error) {
	fail := func(op string, err error) ([]byte, error) { return nil, &os.PathError{Op: op, Path: name, Err: err} }
	fd, err := open(name)
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 512)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fail("read", err)
		case n == 0:
			return b, nil
		default:
			b = b[:len(b)+n]
		}
	}
}

func open(name string) (fd int, err error) {
	for {
		if fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0); !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
