//go:build !386

package sys

import "golang.org/x/sys/unix"

const kexecFileLoad = unix.SYS_KEXEC_FILE_LOAD
