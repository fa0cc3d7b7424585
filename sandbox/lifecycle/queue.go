package lifecycle

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mqOpen is mq_open(3) for what is read.
func mqOpen(name string, mode uint32, attr *queueAttributes, given bool) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	if !given {
		attr = nil
	}
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_CREAT
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(p)), flags, uintptr(mode), uintptr(unsafe.Pointer(attr)), 0, 0)
	if e != 0 {
		return -1, os.NewSyscallError("mq_open", e)
	}
	return int(fd), nil
}
