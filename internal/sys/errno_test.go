package sys_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/oracle"
	"ctl/internal/sys"
)

// TestStrerror asks the C library, by way of perl, which every Debian system has.
func TestStrerror(t *testing.T) {
	out, err := exec.Command("perl", "-e", `for (1..133) { $! = $_; print "$!\n" }`).Output()
	oracle.Require(t, err)
	for i, want := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if got := sys.Strerror(syscall.Errno(i + 1)); got != want {
			t.Errorf("%d is %q, want %q", i+1, got, want)
		}
	}
}

func TestErrno(t *testing.T) {
	_, err := os.Open("/nope/nope")
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{{nil, 0}, {err, syscall.ENOENT}, {fmt.Errorf("x: %w", err), syscall.ENOENT}, {fmt.Errorf("x"), syscall.EIO}} {
		if got := sys.Errno(c.err); got != c.want {
			t.Errorf("%v: %d", c.err, got)
		}
	}
}
