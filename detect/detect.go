// Package detect tells where ctl runs: in a chroot, on a booted host, offline,
// in a container, under fakechroot. It is a library: it reads, never prints.
package detect

import (
	"os"
	"strings"

	"ctl/internal/unit"
)

// A Where is what is known of the place. Nothing is looked at until asked for,
// and each thing only once.
type Where struct {
	getenv func(string) string

	chroot answer
	proc   answer
	why    string
}

// answer is a truth value that is worked out at first use.
type answer struct{ known, value bool }

func (a *answer) get(find func() bool) bool {
	if !a.known {
		a.known, a.value = true, find()
	}
	return a.value
}

// New prepares the answers; getenv gives the variables that override the evidence.
func New(getenv func(string) string) *Where { return &Where{getenv: getenv} }

// Why is the evidence that decided Chroot, for the debug log.
func (w *Where) Why() string { return w.why }

// ChrootOrOffline tells whether no manager is to be talked to: SYSTEMD_OFFLINE
// decides, else whether this is a chroot.
func (w *Where) ChrootOrOffline() bool {
	if b, ok := unit.Boolean(w.getenv("SYSTEMD_OFFLINE")); ok {
		return b
	}
	return w.Chroot()
}

// RuntimeDirectory tells whether /run/systemd/system is a directory, by which
// sd_booted(3) goes.
func (w *Where) RuntimeDirectory() bool {
	st, err := os.Lstat("/run/systemd/system")
	return err == nil && st.IsDir()
}

// Booted tells whether systemd is the init system here. The directory that
// sd_booted(3) looks at is made by "enable --runtime" too, hence its manager's
// socket must be there, or the first process be called systemd or init.
func (w *Where) Booted() bool {
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
// if there is none. It works by a preloaded library, which a static binary does not load: who
// does not honour this writes to the host.
func (w *Where) FakeRoot() string {
	if root := w.getenv("FAKECHROOT_BASE"); strings.HasPrefix(root, "/") && root != "/" {
		return root
	}
	return ""
}

// Container is the kind of container this is by what the container says of itself, "" for none.
// See the container interface of systemd. It is for information, nothing is decided by it.
func (w *Where) Container() string {
	if c := w.getenv("container"); c != "" {
		return c
	}
	for _, f := range [...]string{"/run/systemd/container", "/run/host/container-manager"} {
		if b, err := os.ReadFile(f); err == nil {
			return strings.TrimSpace(string(b))
		}
	}
	if _, err := os.Lstat("/.dockerenv"); err == nil {
		return "docker"
	}
	if _, err := os.Lstat("/run/.containerenv"); err == nil {
		return "podman"
	}
	return ""
}
