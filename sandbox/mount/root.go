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

// A Home is where a thread has come from: its mount namespace, root directory, working directory and umask.
type Home struct {
	ns, root, dir int
	umask         int
	left          []namespace
}

// A namespace is one that a thread has left, and its type as setns(2) has it.
type namespace struct{ fd, flag int }

// NewHome is where the calling thread is, which must be locked to its goroutine and gets a root and a working directory that no other thread
// shares. It fails where there is no way back: with EPERM from a mount namespace that belongs to the users of another one, or without /proc.
func NewHome() (_ *Home, err error) {
	h := &Home{ns: -1, root: -1, dir: -1}
	defer func() {
		if err != nil {
			h.Close()
		}
	}()
	if h.ns, err = unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if h.root, err = unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if h.dir, err = unix.Open(".", unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err = unix.Unshare(unix.CLONE_FS); err != nil {
		return nil, err
	}
	h.umask = unix.Umask(0)
	return h, h.Return()
}

// Leave is called before the thread goes into another namespace than of mounts; flag is its type as setns(2) has it, name as proc is open and has it.
func (h *Home) Leave(proc int, name string, flag int) error {
	fd, err := unix.Openat(proc, "thread-self/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		h.left = append(h.left, namespace{fd, flag})
	}
	return err
}

// Return brings the thread back.
func (h *Home) Return() error {
	unix.Umask(h.umask)
	for _, n := range h.left {
		if err := unix.Setns(n.fd, n.flag); err != nil {
			return err
		}
		unix.Close(n.fd)
	}
	h.left = nil
	if err := unix.Setns(h.ns, unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Fchdir(h.root); err != nil { // in a chroot another one than the namespace's
		return err
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Fchdir(h.dir)
}

// Close forgets the way back.
func (h *Home) Close() {
	for _, fd := range []int{h.ns, h.root, h.dir} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
