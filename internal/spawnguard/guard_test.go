// Package spawnguard attacks containers of `ctl spawn`: from inside (attack), by their trees, and by killing the supervisor. The
// checks S1 to S30 are those that were tried on systemd-nspawn, bwrap, runc and crun.
package spawnguard

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) {
	flag.Parse()
	oracle.Main(m)
}

// host makes a host that has the program of the attacks beside ctl.
func host(t *testing.T) *oracle.Host {
	t.Helper()
	h := oracle.NewHost(t)
	ctl, err := oracle.Ctl()
	oracle.Require(t, err)
	to := filepath.Dir(ctl) + "/bin/attack"
	if _, err := os.Stat(to); err == nil {
		return h
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "./internal/spawnguard/attack")
	build.Dir = oracle.Repo()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the attacks: %v: %s", err, out)
	}
	return h
}

// armed puts the attacks into the tree and a device that nobody should open, and makes what is to stay as it is.
const armed = `cp /ctl/attack t/usr/bin/attack
mknod -m 666 t/srv/device c 10 237
mkdir -p /srv/canary/sub; echo canary >/srv/canary/file; chmod 700 /srv/canary
`

// attacked is how the attacks are started: with open descriptors, secrets in the environment, keys and a socket beside.
const attacked = `exec 7</ 9</etc/passwd
export CALLERS_SECRET=1
/ctl/attack keys /ctl/attack listen `

// ctlSpawn and hardened are the command lines.
const (
	ctlSpawn = "/ctl/ctl spawn -q --keep-unit --register=no "
	hardened = "/ctl/ctl spawn -q --keep-unit --register=no --hardened "
)

func run(t *testing.T, h *oracle.Host, program string, c oracle.HostCall) oracle.HostResult {
	t.Helper()
	r, err := h.Run(program, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// outcomes are the attacks and what came of them, in order.
func outcomes(r oracle.HostResult) (names []string, came map[string]string) {
	came = make(map[string]string)
	for line := range strings.Lines(strings.ReplaceAll(r.Stdout, "\r\n", "\n")) {
		if name, what, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			names = append(names, name)
			came[name] = what
		}
	}
	return names, came
}

// kept are what a run of ctl may leave: what it has made in the tree.
func unexpected(left []string) []string {
	return slices.DeleteFunc(slices.Clone(left), func(l string) bool {
		for _, p := range []string{"/var/lib/machines/t/", "/var/lib/machines/full/", "/run/systemd", "/root: ", "/etc/.pwd.lock", "/dev/loop"} {
			if strings.HasPrefix(l, p) {
				return true
			}
		}
		return false
	})
}

// closed are the holes of the reference that nobody relies on, and what ctl does instead.
var closed = map[string]string{
	"S17 key of the user": "EPERM", "S17 key of the user's session": "EPERM", // 60
	"nested S17 key of the user": "EPERM", "nested S17 key of the user's session": "EPERM",
}

// TestPlain: a container of `ctl spawn` grants what one of systemd-nspawn grants, but for the holes that are closed.
func TestPlain(t *testing.T) {
	h := host(t)
	want := run(t, h, "reference", oracle.HostCall{Setup: armed, Script: attacked + "/usr/bin/systemd-nspawn $K -q -D t /usr/bin/attack"})
	got := run(t, h, "ctl", oracle.HostCall{Setup: armed, Script: attacked + ctlSpawn + "-D t /usr/bin/attack"})
	names, expected := outcomes(want)
	_, came := outcomes(got)
	if len(names) < 100 {
		t.Fatalf("the reference: %d attacks\n%s", len(names), want.Stderr)
	}
	for _, name := range names {
		e := expected[name]
		if c, ok := closed[name]; ok {
			if c == e {
				t.Errorf("%s: is closed in the reference too", name)
			}
			e = c
		}
		if came[name] != e {
			t.Errorf("%s: %s, not %s", name, came[name], e)
		}
	}
	if got.Exit != 0 || len(came) < len(names) {
		t.Errorf("exit %d: %s", got.Exit, got.Stderr)
	}
	for _, l := range unexpected(got.Left) {
		t.Errorf("left: %s", l)
	}
}
