package detect

import (
	"bytes"
	"os"

	"golang.org/x/sys/unix"
)

// evidence decides where ptrace(2) access to the first process is refused, and with it
// its root. It goes by what anybody may read and calls a chroot only what is proved one:
//
//   - Our root is not the root of a mount. Roots that boot, switch_root and
//     pivot_root(2) make always are (pivot_root(2) demands it), so this one was
//     made by chroot(2).
//   - Our root is the root of a mount that another process sees at another place:
//     the first process or, when it is in another mount namespace, a parent of ours.
//     Mount numbers are unique in the whole system. A container's root is seen
//     outside at no place, or, when it was moved over "/", at "/".
//
// What is left undecided, and so is no chroot: a chroot into the root of a mount in
// a mount namespace without other processes that we descend from.
func (w *Where) evidence() (bool, string) {
	root, ok := w.rootMount()
	switch {
	case !ok:
		return false, "process 1 hides its root, and the mount of ours is not known"
	case !root.top && sameView():
		return false, "our root is not the root of a mount, nor is that of process 1"
	case !root.top:
		return true, "our root is not the root of a mount"
	}
	switch seen("1", root.id) {
	case atRoot:
		return false, "our root is that of process 1"
	case elsewhere:
		return true, "process 1 has our root below its own"
	}
	// Parents that are in the chroot with us do not count, others may follow.
	for pid, n := parent("self"), 0; pid != "" && n < maxParents; pid, n = parent(pid), n+1 {
		if seen(pid, root.id) == elsewhere {
			return true, "process " + pid + ", from which we descend, has our root below its own"
		}
	}
	return false, "our root is the root of a mount, and we descend from no process that has another"
}

// maxParents bounds the way up, for processes may get new parents while we look.
const maxParents = 64

// A rootMount is the mount that our root is in, and whether our root is its top directory.
type rootMount struct {
	id  uint64
	top bool
}

// rootMount asks statx(2), which knows both since Linux 5.8, or else looks for mounts at
// our root in our mountinfo. Several, one over the other, say nothing of ours.
func (w *Where) rootMount() (r rootMount, ok bool) {
	var st unix.Statx_t
	err := w.statx(unix.AT_FDCWD, "/", 0, unix.STATX_MNT_ID, &st)
	if err == nil && st.Mask&unix.STATX_MNT_ID != 0 && st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return rootMount{st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0}, true
	}
	mounts := 0
	for m := range mountsOf("self") {
		mounts++
		if m.point != "/" {
			continue
		}
		if r.top {
			return r, false
		}
		r = rootMount{m.id, true}
	}
	return r, mounts > 0
}

// sameView tells whether the first process sees the very mounts that we see, at the
// same places: then its root is where ours is, be it the root of a mount or not.
func sameView() bool {
	theirs, err := os.ReadFile("/proc/1/mountinfo")
	if err != nil {
		return false
	}
	ours, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && bytes.Equal(ours, theirs)
}

// A sighting is where a process has a mount.
type sighting int

const (
	nowhere   sighting = iota
	atRoot             // or it cannot be told from that
	elsewhere          // below its root, and another directory than its root
)

// seen looks for the mount with that number among those of a process. A mount of the
// directory that is the process's root as well is no other root, and where the process's root
// is not the root of a mount there is nothing to compare with.
func seen(pid string, id uint64) sighting {
	var ours mountinfo
	var roots []mountinfo
	for m := range mountsOf(pid) {
		if m.id == id {
			ours = m
		}
		if m.point == "/" {
			roots = append(roots, m)
		}
		if ours.point == "/" {
			return atRoot
		}
	}
	if ours.point == "" {
		return nowhere
	}
	for _, r := range roots {
		if r.dev == ours.dev && r.dir == ours.dir {
			return atRoot
		}
	}
	if len(roots) == 0 {
		return atRoot
	}
	return elsewhere
}

// parent is the number of the process that a process ("self", or a number) descends
// from, "" if that is not to be seen.
func parent(pid string) string {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	return parentIn(stat)
}

// parentIn reads "PID (NAME) STATE PPID ...", proc_pid_stat(5). The name may have anything in it.
func parentIn(stat []byte) string {
	f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(f) < 2 || string(f[1]) == "0" {
		return ""
	}
	return string(f[1])
}
