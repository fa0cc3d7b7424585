//go:build !386 && !arm

package program

import "golang.org/x/sys/unix"

// The calls that set the IDs of a process.
const (
	SysSetresuid = unix.SYS_SETRESUID
	SysSetresgid = unix.SYS_SETRESGID
	SysSetgroups = unix.SYS_SETGROUPS
)
