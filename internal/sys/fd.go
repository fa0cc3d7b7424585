package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// FDPath is a path of what is open, for calls that take no file descriptor, proc_pid_fd(5).
func FDPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// LeaveChroot makes the root directory of the calling thread's mount namespace that of the thread, and its working directory, setns(2).
// The thread must not share them with others.
func LeaveChroot() error {
	fd, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWNS)
}
