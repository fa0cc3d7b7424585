package sys

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// KexecLoad loads a kernel, with an initrd or nil, that a later restart runs at once, kexec_file_load(2). ENOSYS where the architecture
// has no such call.
func KexecLoad(kernel, initrd *os.File, cmdline string) error {
	fd, flags := -1, unix.KEXEC_FILE_NO_INITRAMFS
	if initrd != nil {
		fd, flags = int(initrd.Fd()), 0
	}
	text, err := unix.BytePtrFromString(cmdline)
	if err != nil {
		return err
	}
	if kexecFileLoad == 0 {
		return syscall.ENOSYS
	}
	_, _, e := syscall.Syscall6(kexecFileLoad, kernel.Fd(), uintptr(fd), uintptr(len(cmdline)+1), uintptr(unsafe.Pointer(text)), uintptr(flags), 0)
	if e != 0 {
		return e
	}
	return nil
}
