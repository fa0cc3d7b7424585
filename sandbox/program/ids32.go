//go:build 386 || arm

package program

import "golang.org/x/sys/unix"

// The calls that set the IDs of a process; those without a number are for IDs of 16 bits.
const (
	SysSetresuid = unix.SYS_SETRESUID32
	SysSetresgid = unix.SYS_SETRESGID32
	SysSetgroups = unix.SYS_SETGROUPS32
)
