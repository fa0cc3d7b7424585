package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// KexecLoad loads a kernel, with an initrd or nil, that a later restart runs at once, kexec_file_load(2).
func KexecLoad(kernel, initrd *os.File, cmdline string) error {
	fd, flags := -1, unix.KEXEC_FILE_NO_INITRAMFS
	if initrd != nil {
		fd, flags = int(initrd.Fd()), 0
	}
	return unix.KexecFileLoad(int(kernel.Fd()), fd, cmdline, flags)
}
