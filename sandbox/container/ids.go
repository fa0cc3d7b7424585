//go:build !386 && !arm

package container

import "golang.org/x/sys/unix"

// The calls that set the IDs of a process.
const (
	sysSetresuid = unix.SYS_SETRESUID
	sysSetresgid = unix.SYS_SETRESGID
	sysSetgroups = unix.SYS_SETGROUPS
)
