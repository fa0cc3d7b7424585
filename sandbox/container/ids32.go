//go:build 386 || arm

package container

import "golang.org/x/sys/unix"

// The calls that set the IDs of a process; those without a number are for IDs of 16 bits.
const (
	sysSetresuid = unix.SYS_SETRESUID32
	sysSetresgid = unix.SYS_SETRESGID32
	sysSetgroups = unix.SYS_SETGROUPS32
)
