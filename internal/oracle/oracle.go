// Package oracle runs the reference, the real systemctl of systemd 262, and ctl
// side by side. It is for tests alone: it makes a Debian tree that has the
// reference in it, once, in a cache, and runs its systemctl from there.
package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Repo is the top of the checkout that this file was compiled from.
func Repo() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Cache is the folder for what is made once: .cache in the checkout, or CTL_CACHE.
func Cache() string {
	if c := os.Getenv("CTL_CACHE"); c != "" {
		return c
	}
	return filepath.Join(Repo(), ".cache")
}

// Require skips the test when err says why it cannot be run, for want of the reference say; in CI that is a failure.
func Require(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI has to run this: %v", err)
	}
	t.Skipf("not here: %v", err)
}

// NeedRoot skips the test when it cannot do what it does without root; in CI that is a failure.
func NeedRoot(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		Require(t, errors.New(why+" takes root"))
	}
}

// packages are what the tree is made of besides Debian's minimum.
const packages = "systemd,systemd-sysv,dbus,dbus-user-session,cron,rsyslog,init-system-helpers,udev"

// Tree returns the Debian tree with systemd 262. It is made at first use, which
// takes root, Debian's mirror and half a minute. Nobody may change it.
var Tree = sync.OnceValues(func() (string, error) { return makeTree("forky", packages) })

// makeTree runs mmdebstrap, under a lock, for other test processes want the tree too.
func makeTree(name, include string) (string, error) {
	dir := filepath.Join(Cache(), name)
	if _, err := os.Stat(filepath.Join(dir, "usr/bin/systemctl")); err == nil {
		return dir, nil
	}
	if os.Geteuid() != 0 {
		return "", errors.New("making a Debian tree takes root")
	}
	if err := os.MkdirAll(Cache(), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(Cache(), "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "usr/bin/systemctl")); err == nil {
		return dir, nil
	}
	if err := Debootstrap(dir+".new", include); err != nil {
		return "", err
	}
	return dir, os.Rename(dir+".new", dir)
}

// Debootstrap makes a Debian tree of the release that has systemd 262 in dir,
// with the packages named and further arguments for mmdebstrap.
func Debootstrap(dir, include string, args ...string) error {
	if _, err := install("mmdebstrap"); err != nil {
		return err
	}
	mirror, err := mirror()
	if err != nil {
		return err
	}
	os.RemoveAll(dir)
	args = append([]string{"--quiet", "--variant=minbase", "--include=" + include,
		// A mirror may stand still at some day; its signature says until when it was fresh.
		"--aptopt=Acquire::Check-Valid-Until \"false\"",
	}, args...)
	if out, err := exec.Command("mmdebstrap", append(args, "forky", dir, mirror)...).CombinedOutput(); err != nil {
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

func install(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%s is missing, and installing it takes root", name)
	}
	cmd := exec.Command("sh", "-c", "apt-get update -q && apt-get install -qy --no-install-recommends "+name)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("install %s: %w: %s", name, err, tail(out))
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

// Ctl builds the program under test, once.
var Ctl = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ctl-build-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "systemctl"), "./cmd/ctl")
	build.Dir = Repo()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ctl: %w: %s", err, out)
	}
	return filepath.Join(dir, "systemctl"), nil
})

// Main runs the tests of a package and removes what Ctl has built.
func Main(m *testing.M) {
	code := m.Run()
	if bin, err := Ctl(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// A Program is one of the two that are compared.
type Program struct {
	Name string
	argv []string
}

// Programs returns the reference and ctl, both under the name systemctl.
func Programs(t testing.TB) (reference, ctl Program) {
	t.Helper()
	tree, err := Tree()
	Require(t, err)
	bin, err := Ctl()
	if err != nil {
		t.Fatal(err)
	}
	return Reference(tree), Installed(bin)
}

// Installed is a program by its path.
func Installed(bin string) Program { return Program{"ctl", []string{bin}} }

// Reference is the systemctl of a tree, run through the tree's own loader.
func Reference(tree string) Program {
	lib, _ := filepath.Glob(tree + "/usr/lib/*-linux-*/libc.so.6")
	loaders, _ := filepath.Glob(tree + "/usr/lib64/ld-linux-*.so.*")
	if len(loaders) == 0 {
		loaders, _ = filepath.Glob(tree + "/usr/lib/ld-linux-*.so.*")
	}
	if len(lib) == 0 || len(loaders) == 0 {
		return Program{"systemctl", []string{tree + "/usr/bin/systemctl"}}
	}
	dir := filepath.Dir(lib[0])
	return Program{"systemctl", []string{loaders[0], "--argv0", "systemctl",
		"--library-path", dir + "/systemd:" + dir, tree + "/usr/bin/systemctl"}}
}

// Argv is the command line that runs the program with args.
func (p Program) Argv(args ...string) []string { return append(slices.Clone(p.argv), args...) }

// A Result is what a call came to.
type Result struct {
	Exit           int
	Stdout, Stderr string
}

// Run calls the program with a clean environment and env added.
func (p Program) Run(t testing.TB, dir string, env []string, args ...string) Result {
	t.Helper()
	argv := p.Argv(args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	if p.Name == "ctl" {
		cmd.Args[0] = "systemctl"
	}
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "TERM=dumb"}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", p.Name, err)
	}
	r := Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if r.Exit < 0 {
		r.Stderr += "\n" + cmd.ProcessState.String()
	}
	return r
}

// CopyReference copies the reference with its libraries to where any user may run it.
func CopyReference(p Program, dir string) (Program, error) {
	if len(p.argv) < 6 {
		return p, errors.New("the reference does not run through its loader")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return p, err
	}
	script := `for d in $(echo "$1" | tr : ' '); do cp -L "$d"/*.so* "$4/" 2>/dev/null; done; cp -L "$2" "$4/ld.so" && cp -L "$3" "$4/systemctl" && chmod -R a+rX "$4"`
	if out, err := exec.Command("sh", "-c", script, "sh", p.argv[4], p.argv[0], p.argv[5], dir).CombinedOutput(); err != nil {
		return p, fmt.Errorf("copy: %w: %s", err, out)
	}
	return Program{"systemctl", []string{dir + "/ld.so", "--argv0", "systemctl", "--library-path", dir, dir + "/systemctl"}}, nil
}
