package sys

import "golang.org/x/sys/unix"

// Random fills b with random bytes, getrandom(2). It waits until the kernel has some; the standard library's
// reader has a start-up cost that every call would pay.
func Random(b []byte) {
	for len(b) > 0 {
		n, err := unix.Getrandom(b, 0)
		if err != nil && err != unix.EINTR {
			panic("getrandom: " + err.Error()) // it is in every kernel that this runs on
		}
		b = b[max(n, 0):]
	}
}
