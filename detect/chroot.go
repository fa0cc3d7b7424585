package detect

import (
	"errors"
	"os"
	"syscall"

	"ctl/internal/unit"
)

// findChroot works Chroot out, and why.
func (w *Where) findChroot() (bool, string) {
	if b, ok := unit.Boolean(w.getenv("SYSTEMD_IN_CHROOT")); ok {
		return b, "SYSTEMD_IN_CHROOT says so"
	}
	if b, ok := unit.Boolean(w.getenv("SYSTEMD_IGNORE_CHROOT")); ok && b {
		return false, "SYSTEMD_IGNORE_CHROOT is set"
	}
	if w.FakeRoot() != "" {
		return true, "FAKECHROOT_BASE is set"
	}
	return w.compare()
}

// compare looks at both roots. They are the same if they are one directory, be it
// in another mount: a service with a mount namespace of its own (PrivateTmp=, for
// one) has a copy of the host's mount at its root, and is in no chroot.
func (w *Where) compare() (bool, string) {
	ours, err := os.Stat("/")
	if err != nil {
		return false, "our root cannot be seen: " + err.Error()
	}
	theirs, err := os.Stat("/proc/1/root")
	switch {
	case err == nil && os.SameFile(ours, theirs):
		return false, "our root is that of process 1"
	case err == nil:
		return true, "our root is not that of process 1"
	case errors.Is(err, syscall.ENOENT):
		return w.noProc()
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return w.evidence()
	}
	return false, "the root of process 1 cannot be seen: " + err.Error()
}

// noProc decides where /proc/1/root does not exist: without a proc file system
// nobody but a chroot gets so far, the first process itself excepted.
func (w *Where) noProc() (bool, string) {
	switch {
	case w.ProcMounted():
		return false, "process 1 is not to be seen in /proc"
	case os.Getpid() == 1:
		return false, "/proc is not mounted, and we are process 1"
	}
	return true, "/proc is not mounted"
}
