package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// packages are what the tree is made of besides Debian's minimum.
const packages = "systemd,systemd-sysv,dbus,dbus-user-session,cron,rsyslog,init-system-helpers,udev"

// Tree returns the Debian tree with systemd 262. It is made at first use, which
// takes root, Debian's mirror and half a minute. Nobody may change it.
var Tree = sync.OnceValues(func() (string, error) { return makeTree(forky, "forky", packages) })

// TreeWith is a tree like Tree, in which apt has everything at hand to install packages, words separated by blanks, without a
// network.
func TreeWith(name, downloaded string) (string, error) {
	return makeTree(forky, name, packages, "--skip=cleanup/apt",
		`--customize-hook=APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get install --yes --download-only --no-install-recommends `+downloaded)
}

// PlacesTree is a tree like Tree, with an ssh server, sessions and containers.
var PlacesTree = sync.OnceValues(func() (string, error) {
	return makeTree(forky, "places", packages+",openssh-server,openssh-client,libpam-systemd,systemd-container")
})

// SpawnTree is a tree that serves both as the host of containers (Host) and as what is in them.
var SpawnTree = sync.OnceValues(func() (string, error) {
	return makeTree(forky, "spawn", "systemd,systemd-sysv,systemd-container,dbus,passwd,login,libpam-systemd,libpam-runtime,libpam-modules,procps,iproute2,busybox-static")
})

// DaemonTree is a tree like Tree, with daemons whose units have sandboxes.
var DaemonTree = sync.OnceValues(func() (string, error) {
	return makeTree(forky, "daemons", packages+",nginx-light,postgresql,redis-server,openssh-server,chrony,apache2,haproxy,unbound,openssh-client,dns-root-data,bash")
})

// TrixieTree has an older systemd, 257.
var TrixieTree = sync.OnceValues(func() (string, error) { return makeTree("trixie", "trixie", "systemd,systemd-sysv,dbus") })

// forky is the release of Debian that has systemd 262.
const forky = "forky"

// lockCache keeps others from making what is kept in the cache, until it is closed.
func lockCache() (*os.File, error) {
	if err := os.MkdirAll(Cache(), 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(Cache(), "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// makeTree runs mmdebstrap, under a lock, for other test processes want the tree too.
func makeTree(release, name, include string, args ...string) (string, error) {
	dir := filepath.Join(Cache(), name)
	if _, err := os.Stat(filepath.Join(dir, "usr/bin/systemctl")); err == nil {
		return dir, nil
	}
	if os.Geteuid() != 0 {
		return "", errors.New("making a Debian tree takes root")
	}
	lock, err := lockCache()
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(filepath.Join(dir, "usr/bin/systemctl")); err == nil {
		return dir, nil
	}
	if err := debootstrap(release, dir+".new", include, args...); err != nil {
		return "", err
	}
	return dir, os.Rename(dir+".new", dir)
}

// Debootstrap makes a Debian tree of the release that has systemd 262 in dir,
// with the packages named and further arguments for mmdebstrap.
func Debootstrap(dir, include string, args ...string) error {
	return debootstrap(forky, dir, include, args...)
}

func debootstrap(release, dir, include string, args ...string) error {
	if _, err := install("mmdebstrap"); err != nil {
		return err
	}
	mirror, err := mirror()
	if err != nil {
		return err
	}
	// What was downloaded once is kept; the links cost nothing, for the trees are in the cache too.
	debs := filepath.Join(Cache(), "debs")
	if err := os.MkdirAll(debs, 0o755); err != nil {
		return err
	}
	os.RemoveAll(dir)
	args = append([]string{"--quiet", "--variant=minbase", "--include=" + include,
		// A mirror may stand still at some day; its signature says until when it was fresh.
		"--aptopt=Acquire::Check-Valid-Until \"false\"",
		"--dpkgopt=force-unsafe-io", "--skip=essential/unlink",
		`--setup-hook=mkdir -p "$1/var/cache/apt/archives" && find "$CTL_DEBS" -name '*.deb' -exec ln -t "$1/var/cache/apt/archives" {} +`,
		`--customize-hook=find "$1/var/cache/apt/archives" -name '*.deb' -links 1 -exec ln -f -t "$CTL_DEBS" {} +`,
	}, args...)
	cmd := exec.Command("mmdebstrap", append(args, release, dir, mirror)...)
	cmd.Env = append(os.Environ(), "CTL_DEBS="+debs)
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return fmt.Errorf("mmdebstrap: %w: %s", err, tail(out))
	}
	return nil
}

// Tool returns the path of a program, whose Debian package of the same name is installed if need be.
func Tool(t testing.TB, name string) string {
	t.Helper()
	p, err := install(name)
	Require(t, err)
	return p
}

// PackageTool is Tool of a program whose package has another name.
func PackageTool(t testing.TB, name, pkg string) string {
	t.Helper()
	p, err := installPackage(name, pkg)
	Require(t, err)
	return p
}

func install(name string) (string, error) { return installPackage(name, name) }

// installPackage returns the path of a program, which is in the package named.
func installPackage(name, pkg string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%s is missing, and installing it takes root", name)
	}
	cmd := exec.Command("sh", "-c", "apt-get update -q && apt-get install -qy --no-install-recommends "+pkg)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install %s: %w: %s", pkg, err, tail(out))
	}
	return exec.LookPath(name)
}

// mirror is the Debian archive that this machine installs from.
func mirror() (string, error) {
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*.sources")
	lists, _ := filepath.Glob("/etc/apt/sources.list.d/*.list")
	for _, f := range append(append(files, "/etc/apt/sources.list"), lists...) {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.SplitSeq(string(data), "\n") {
			for _, w := range strings.Fields(line) {
				if strings.HasPrefix(w, "http") && strings.HasSuffix(strings.TrimRight(w, "/"), "/debian") {
					return w, nil
				}
			}
		}
	}
	return "", errors.New("no Debian mirror in /etc/apt")
}

func tail(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[max(0, len(out)-400):])
}
