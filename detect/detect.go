// Package detect tells where ctl runs: in a chroot, on a booted host, offline,
// in a container, under fakechroot. It is a library: it reads, never prints.
package detect

import (
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// procMagic is the type of a proc file system, statfs(2).
const procMagic = 0x9fa0

// A Where is what is known of the place. Nothing is looked at until asked for,
// and each thing only once. It may be shared between goroutines.
type Where struct {
	getenv func(string) string
	// statx is unix.Statx, which kernels before 4.11 and some seccomp filters lack.
	statx func(dir int, path string, flags, mask int, st *unix.Statx_t) error

	chroot    func() (bool, string)
	proc      func() bool
	runtime   func() bool
	booted    func() bool
	container func() string
}

// New prepares the answers; getenv gives the variables that override the evidence.
func New(getenv func(string) string) *Where {
	w := &Where{getenv: getenv, statx: unix.Statx}
	w.chroot = sync.OnceValues(w.findChroot)
	w.proc = sync.OnceValue(procMounted)
	w.runtime = sync.OnceValue(w.findRuntime)
	w.booted = sync.OnceValue(w.findBooted)
	w.container = sync.OnceValue(w.findContainer)
	return w
}

// Chroot tells whether our root directory is another than that of the first
// process. SYSTEMD_IN_CHROOT and SYSTEMD_IGNORE_CHROOT override.
func (w *Where) Chroot() bool {
	chroot, _ := w.chroot()
	return chroot
}

// ChrootOrOffline tells whether no manager is to be talked to: SYSTEMD_OFFLINE
// decides, else whether this is a chroot.
func (w *Where) ChrootOrOffline() bool {
	if b, ok := unit.Boolean(w.getenv("SYSTEMD_OFFLINE")); ok {
		return b
	}
	return w.Chroot()
}

// Why is the evidence that decided ChrootOrOffline, in a few words for the debug log.
func (w *Where) Why() string {
	if _, ok := unit.Boolean(w.getenv("SYSTEMD_OFFLINE")); ok {
		return "SYSTEMD_OFFLINE says so"
	}
	_, why := w.chroot()
	return why
}

// ProcMounted tells whether /proc is a proc file system.
func (w *Where) ProcMounted() bool { return w.proc() }

func procMounted() bool {
	var st unix.Statfs_t
	return unix.Statfs("/proc/", &st) == nil && st.Type == procMagic
}

// RuntimeDirectory tells whether /run/systemd/system is a directory or leads to
// one, by which sd_booted(3) goes.
func (w *Where) RuntimeDirectory() bool { return w.runtime() }

func (w *Where) findRuntime() bool {
	// The host's /run is not the fake root's, and there is no manager for that.
	if w.FakeRoot() != "" {
		return false
	}
	st, err := os.Stat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// Booted tells whether systemd is the init system here. The directory that
// sd_booted(3) looks at is made by "enable --runtime" too, hence the manager's
// socket must be there as well, or the first process be called systemd, as the
// manager calls itself whatever the name of its file.
func (w *Where) Booted() bool { return w.booted() }

func (w *Where) findBooted() bool {
	if !w.RuntimeDirectory() {
		return false
	}
	if st, err := os.Lstat("/run/systemd/private"); err == nil && st.Mode().Type() == os.ModeSocket {
		return true
	}
	comm, err := os.ReadFile("/proc/1/comm")
	return err == nil && strings.TrimSpace(string(comm)) == "systemd"
}

// FakeRoot is the directory that fakechroot(1) makes its programs believe in, ""
// if there is none. It works by a preloaded library, which a static binary does
// not load: who does not honour this writes to the host.
func (w *Where) FakeRoot() string {
	base := w.getenv("FAKECHROOT_BASE")
	if !path.IsAbs(base) {
		return ""
	}
	if base = path.Clean(base); base == "/" {
		return ""
	}
	return base
}
