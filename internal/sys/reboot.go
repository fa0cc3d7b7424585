package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reboot halts, powers off or restarts the machine at once, reboot(2): how is one of LINUX_REBOOT_CMD_. Ctrl-Alt-Del
// restarts it from then on, should it go on. An argument is for the restart; what the machine makes of it is its own.
func Reboot(how int, argument string) error {
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_ON) // a container has no such key
	if how != unix.LINUX_REBOOT_CMD_RESTART || argument == "" {
		return unix.Reboot(how)
	}
	text, err := unix.BytePtrFromString(argument)
	if err != nil {
		return err
	}
	_, _, e := syscall.Syscall6(syscall.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2,
		unix.LINUX_REBOOT_CMD_RESTART2, uintptr(unsafe.Pointer(text)), 0, 0)
	return e
}

// The ways of Reboot.
const (
	Halt     = unix.LINUX_REBOOT_CMD_HALT
	PowerOff = unix.LINUX_REBOOT_CMD_POWER_OFF
	Restart  = unix.LINUX_REBOOT_CMD_RESTART
)
