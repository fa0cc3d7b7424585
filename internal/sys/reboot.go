package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reboot halts, powers off or restarts the machine at once, reboot(2): how is one of LINUX_REBOOT_CMD_. Ctrl-Alt-Del
// restarts it from then on, should it go on. An argument is for the restart; what the machine makes of it is its own.
func Reboot(how uint32, argument string) error {
	_ = reboot(unix.LINUX_REBOOT_CMD_CAD_ON, nil) // a container has no such key
	if how != unix.LINUX_REBOOT_CMD_RESTART || argument == "" {
		return reboot(how, nil)
	}
	text, err := unix.BytePtrFromString(argument)
	if err != nil {
		return err
	}
	return reboot(unix.LINUX_REBOOT_CMD_RESTART2, text)
}

// reboot is reboot(2); golang.org/x/sys has its numbers in an int, which is too small for some on 32 bits.
func reboot(how uint32, argument *byte) error {
	_, _, e := syscall.Syscall6(syscall.SYS_REBOOT, unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, uintptr(how),
		uintptr(unsafe.Pointer(argument)), 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// The ways of Reboot.
const (
	Halt     uint32 = unix.LINUX_REBOOT_CMD_HALT
	PowerOff uint32 = unix.LINUX_REBOOT_CMD_POWER_OFF
	Restart  uint32 = unix.LINUX_REBOOT_CMD_RESTART
)
