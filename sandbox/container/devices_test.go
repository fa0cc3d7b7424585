package container

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRestrictDevices has a process in a cgroup make and open devices.
func TestRestrictDevices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	top := ""
	for _, p := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var s unix.Statfs_t
		if unix.Statfs(p, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
			top = p
		}
	}
	if top == "" {
		t.Skip("no cgroup v2")
	}
	group, err := os.MkdirTemp(top, "ctl-devices-")
	if err != nil {
		t.Skip(err)
	}
	defer os.Remove(group)
	dir := t.TempDir()
	bound := dir + "/bound"
	if err := unix.Mknod(bound, unix.S_IFCHR|0o600, int(unix.Mkdev(10, 237))); err != nil {
		t.Skip(err)
	}
	c := Container{Mounts: []Custom{{Kind: Bind, Source: bound, Target: "/dev/loop-control"}}}
	if err := c.RestrictDevices(group); errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		t.Skip("the kernel has no device programs: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	g, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cmd := exec.Command("sh", "-c", `for d in "null c 1 3" "zero c 1 5" "pty c 5 2" "mem c 1 1" "loop b 7 0" "disk b 254 0" "kmsg c 1 11" "control c 10 237"; do
		set -- $d; mknod $DIR/$1 $2 $3 $4 2>/dev/null && echo "$1" && : ; done`)
	cmd.Env = append(os.Environ(), "DIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(g.Fd())}
	out, err := cmd.Output()
	_ = err // of the last mknod
	if got := strings.Join(strings.Fields(string(out)), " "); got != "null zero pty control" {
		t.Errorf("made %s", got)
	}
	left, _ := filepath.Glob(dir + "/*")
	if len(left) != 5 {
		t.Errorf("%s", left)
	}
}
