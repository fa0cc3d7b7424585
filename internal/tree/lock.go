package tree

import (
	"time"

	"golang.org/x/sys/unix"
)

// Lock waits up to wait for other processes that hold the lock of this tree and
// takes it, flock(2) on the root directory itself: nothing is left on disk. Any
// user who may read the directory may hold it, therefore the bound; ETIMEDOUT says
// that it was reached. On a file system without locks there is none, and no error.
// unlock may be called more than once.
func (t *Tree) Lock(wait time.Duration) (unlock func(), err error) {
	// Opened apart: a lock is the open file's, and t.fd, being O_PATH, can have none.
	fd, err := openat(t.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, t.fail("lock", "/", err)
	}
	until := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		// Not by waiting in the kernel, which knows no bound but a signal.
		err := retry(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err != unix.EWOULDBLOCK {
			// NFS says EBADF, since this is not open for writing; others say ENOLCK, EOPNOTSUPP or ENOSYS.
			return func() { _ = closeFd(&fd) }, nil
		}
		if !time.Now().Before(until) {
			_ = unix.Close(fd)
			return nil, t.fail("lock", "/", unix.ETIMEDOUT)
		}
		time.Sleep(min(pause, time.Until(until)))
	}
}
