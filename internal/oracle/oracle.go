// Package oracle runs the reference, the real systemctl of systemd 262, and ctl
// side by side. It is for tests alone: it makes a Debian tree that has the
// reference in it, once, in a cache, and runs its systemctl from there.
package oracle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// atEnd is called when all tests of a package have been run.
var atEnd []func() error

// AtEnd has f called when all tests of the package have been run, for what they share.
func AtEnd(f func() error) { atEnd = append(atEnd, f) }

// Main runs the tests of a package, or what Chroot needs, and removes what Ctl has built.
func Main(m *testing.M) {
	if root := os.Getenv(roomEnv); root != "" {
		if err := serve(root); err != nil {
			fmt.Fprintln(os.Stderr, "room:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(hostEnv) != "" {
		if err := serveHost(); err != nil {
			fmt.Fprintln(os.Stderr, "host:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	for _, f := range atEnd {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, "at the end:", err)
			code = 1
		}
	}
	CleanUp()
	os.Exit(code)
}
