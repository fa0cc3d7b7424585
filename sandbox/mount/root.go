package mount

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Enter makes a mounted directory, open as root, the root directory of this thread, and of the processes that it forks. What was mounted
// before is gone from its namespace.
func Enter(root int) error {
	if err := unix.Fchdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil { // the root directory of an initrd cannot be exchanged
		if err := unix.Chroot("."); err != nil {
			return err
		}
		return unix.Chdir("/")
	}
	// The new root is mounted over the old one, and both are ".": the old one is what is unmounted.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	return unix.Chdir("/")
}
