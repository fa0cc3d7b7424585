package detect

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// procMagic is the type of a proc file system, statfs(2).
const procMagic = 0x9fa0

// ProcMounted tells whether /proc is a proc file system.
func (w *Where) ProcMounted() bool {
	return w.proc.get(func() bool {
		var st unix.Statfs_t
		return unix.Statfs("/proc/", &st) == nil && st.Type == procMagic
	})
}

// Chroot tells whether our root directory is another than that of the first
// process. SYSTEMD_IN_CHROOT and SYSTEMD_IGNORE_CHROOT override.
func (w *Where) Chroot() bool {
	return w.chroot.get(func() bool {
		if b, ok := unit.Boolean(w.getenv("SYSTEMD_IN_CHROOT")); ok {
			w.why = "SYSTEMD_IN_CHROOT says so"
			return b
		}
		if b, ok := unit.Boolean(w.getenv("SYSTEMD_IGNORE_CHROOT")); ok && b {
			w.why = "SYSTEMD_IGNORE_CHROOT is set"
			return false
		}
		if w.FakeRoot() != "" {
			w.why = "FAKECHROOT_BASE is set"
			return true
		}
		return w.compare()
	})
}

// compare looks at both roots. Where the other one may not be seen, what can be seen of
// our own decides, if it proves a chroot; a doubt is no chroot.
func (w *Where) compare() bool {
	var ours, theirs unix.Statx_t
	const mask = unix.STATX_TYPE | unix.STATX_INO
	if err := unix.Statx(unix.AT_FDCWD, "/", 0, mask, &ours); err != nil {
		return w.compareStat()
	}
	err := unix.Statx(unix.AT_FDCWD, "/proc/1/root", 0, mask, &theirs)
	switch err {
	case nil:
		w.why = "the root of process 1 was compared with ours"
		return !same(&ours, &theirs)
	case unix.ENOENT:
		return w.noProc()
	case unix.EACCES, unix.EPERM:
		return w.evidence(&ours)
	}
	w.why = "the root of process 1 cannot be seen: " + err.Error()
	return false
}

// same tells whether two stats are of one directory, be it in another mount: a
// service with a mount namespace of its own, for PrivateTmp= say, has a copy of the
// host's mounts and is in no chroot.
func same(a, b *unix.Statx_t) bool {
	return a.Ino == b.Ino && a.Dev_major == b.Dev_major && a.Dev_minor == b.Dev_minor
}

// compareStat is compare without statx(2), which seccomp filters and kernels before 4.11 lack.
func (w *Where) compareStat() bool {
	ours, err := os.Stat("/")
	if err != nil {
		return false
	}
	theirs, err := os.Stat("/proc/1/root")
	switch {
	case err == nil:
		w.why = "the root of process 1 was compared with ours"
		return !os.SameFile(ours, theirs)
	case os.IsNotExist(err):
		return w.noProc()
	}
	w.why = "the root of process 1 cannot be seen: " + err.Error()
	return w.outsideMounts()
}

// noProc decides where /proc/1/root does not exist: without a proc file system
// nobody but a chroot gets so far, the first process itself excepted.
func (w *Where) noProc() bool {
	if w.ProcMounted() {
		w.why = "process 1 is not to be seen in /proc"
		return false
	}
	w.why = "/proc is not mounted"
	return os.Getpid() != 1
}

// evidence looks for a proof that needs no right to see the first process. A
// process's root is the root of a mount when it was made by pivot_root(2), switch_root or a boot;
// that of a chroot(2) into an ordinary directory is not. A root that is a mount's is no proof of anything.
func (w *Where) evidence(ours *unix.Statx_t) bool {
	if ours.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		chroot := ours.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0
		w.why = "our root is the root of a mount, and process 1 is not ours to look at"
		if chroot {
			w.why = "our root is not the root of a mount"
		}
		return chroot
	}
	return w.outsideMounts()
}

// outsideMounts tells whether no mount has its mount point at our root: mountinfo,
// proc(5), lists only what lies below our root, and names the mount point as we see it.
func (w *Where) outsideMounts() bool {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || len(data) == 0 {
		w.why = "nothing is known of the mounts"
		return false
	}
	for l := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Fields(l); len(f) > 4 && f[4] == "/" {
			w.why = "there is a mount at our root"
			return false
		}
	}
	w.why = "no mount has its mount point at our root"
	return true
}
