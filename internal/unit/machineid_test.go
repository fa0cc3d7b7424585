package unit_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/unit"
)

// What systemctl 262 reads as %m from /etc/machine-id.
func TestMachineID(t *testing.T) {
	for _, c := range []struct {
		data, want string
		err        syscall.Errno
	}{
		{"", "", syscall.ENOMEDIUM},
		{"\n", "", syscall.EUCLEAN},
		{"uninitialized", "", syscall.ENOPKG},
		{"uninitialized\n", "", syscall.ENOPKG},
		{"uninitialized ", "", syscall.EINVAL},
		{"xxxxxxxxxxxxx", "", syscall.EINVAL},
		{"xxxxxxxxxxxxxxx", "", syscall.EUCLEAN},
		{"0123456789abcdef0123456789ABCDEF\n", "0123456789abcdef0123456789abcdef", 0},
		{"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef", 0},
		{strings.Repeat("0", 32) + "\n", "", syscall.ENOMEDIUM},
		{strings.Repeat("0", 32), "", syscall.ENOMEDIUM},
		{strings.Repeat("a", 31), "", syscall.EUCLEAN},
		{strings.Repeat("a", 31) + "\n", "", syscall.EUCLEAN},
		{strings.Repeat("a", 33), "", syscall.EUCLEAN},
		{strings.Repeat("a", 34), "", syscall.EUCLEAN},
		{strings.Repeat("a", 32) + "\n\n", "", syscall.EUCLEAN},
		{strings.Repeat("a", 32) + " ", "", syscall.EUCLEAN},
		{" " + strings.Repeat("a", 32), "", syscall.EUCLEAN},
		{strings.Repeat("g", 32), "", syscall.EUCLEAN},
		{"01234567-89ab-cdef-0123-456789abcdef\n", "", syscall.EUCLEAN},
		{strings.Repeat("a", 32) + "\x00", "", syscall.EUCLEAN},
		{strings.Repeat("a", 32) + "\r\n", "", syscall.EUCLEAN},
		{strings.Repeat("a", 32) + "\n" + strings.Repeat("b", 5000), "", syscall.EUCLEAN},
	} {
		got, err := unit.MachineID([]byte(c.data))
		if got != c.want || (c.err != 0 || err != nil) && !errors.Is(err, c.err) {
			t.Errorf("MachineID(%.50q) = %q, %v; want %q, %v", c.data, got, err, c.want, c.err)
		}
	}
}
