package lock_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
	"ctl/sandbox/lock"
)

// aHost makes what systemd-nspawn needs, at $ROOT, with our /run, and starts it on $TREE.
const aHost = `set -e
mount -t tmpfs -o mode=755 memory "$MEMORY"
mkdir "$MEMORY/upper" "$MEMORY/work" "$MEMORY/root"
mount -t overlay -o "lowerdir=$PLACES,upperdir=$MEMORY/upper,workdir=$MEMORY/work" host "$MEMORY/root"
cd "$MEMORY/root"
echo 1123456789abcdef0123456789abcdef >etc/machine-id
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount --rbind /run run
mkdir -p "./$TREE"
mount --rbind "$TREE/.." "./$TREE/.."
exec chroot . systemd-nspawn --keep-unit --register=no -q --pipe -M locked --uuid=0123456789abcdef0123456789abcdef $OPTIONS -D "$TREE" sh -c 'echo in; read x'
`

// A reference is a systemd-nspawn that runs.
type reference struct {
	cmd *exec.Cmd
	in  interface{ Close() error }
}

// nspawn starts the reference on a tree and waits until its container runs or it has ended, saying what it said.
func nspawn(t *testing.T, group *os.File, p, options string) (*reference, string) {
	t.Helper()
	places, err := oracle.PlacesTree()
	oracle.Require(t, err)
	cmd := exec.Command("sh", "-c", aHost)
	cmd.Env = append(os.Environ(), "MEMORY="+t.TempDir(), "PLACES="+places, "TREE="+p, "OPTIONS="+options)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UseCgroupFD: true, CgroupFD: int(group.Fd()),
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "in" {
			return &reference{cmd, in}, said
		}
		said += lines.Text() + "\n"
	}
	in.Close()
	_ = cmd.Wait()
	return nil, said
}

func (r *reference) end(t testing.TB) {
	t.Helper()
	r.in.Close()
	if err := r.cmd.Wait(); r.cmd.ProcessState.ExitCode() > 1 {
		t.Errorf("systemd-nspawn: %v", err)
	}
}

// TestReference: the reference and we keep each other out.
func TestReference(t *testing.T) {
	p := tree(t)
	places, err := oracle.PlacesTree()
	oracle.Require(t, err)
	memory := oracle.Scratch(t)
	for _, d := range []string{"/upper", "/work"} {
		if err := os.Mkdir(memory+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tree", p, "overlay", 0, "lowerdir="+places+",upperdir="+memory+"/upper,workdir="+memory+"/work"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(p, 0) }()
	if err := os.WriteFile(p+"/etc/machine-id", []byte("0123456789abcdef0123456789abcdef\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	group := cgroup(t)
	for _, c := range []struct {
		options                  string
		forShared, forExclusive  bool // whether the container can run beside our lock
		besideShared, besideExcl bool // whether we get a lock beside the container
	}{
		{"", false, false, false, false},
		{"--read-only", true, false, true, false},
	} {
		for mode, want := range map[lock.Mode]bool{lock.Shared: c.forShared, lock.Exclusive: c.forExclusive} {
			l := take(t, p, mode)
			r, said := nspawn(t, group, p, c.options)
			if (r != nil) != want || r == nil && !strings.Contains(said, "Directory tree "+p+" is currently busy.") {
				t.Errorf("%q beside mode %d: started %v: %s", c.options, mode, r != nil, said)
			}
			if r != nil {
				r.end(t)
			}
			l.Release()
		}
		r, said := nspawn(t, group, p, c.options)
		if r == nil {
			t.Fatalf("%q: %s", c.options, said)
		}
		for mode, want := range map[lock.Mode]bool{lock.Shared: c.besideShared, lock.Exclusive: c.besideExcl} {
			l, err := lock.Image(p, mode, none)
			if (err == nil) != want || err != nil && !errors.Is(err, lock.ErrBusy) {
				t.Errorf("mode %d beside %q: %v", mode, c.options, err)
			}
			if l != nil {
				l.Release()
			}
		}
		r.end(t)
		if got := files(t, p); got != "" {
			t.Errorf("left: %s", got)
		}
	}
	// Each of the two locks alone keeps it out.
	l := take(t, p, lock.Exclusive)
	global := strings.Fields(files(t, p))[1]
	l.Release()
	for _, f := range []string{lock.Beside(p), global} {
		l, err := lock.File(f, lock.Exclusive)
		if err != nil {
			t.Fatal(err)
		}
		if r, said := nspawn(t, group, p, ""); r != nil || !strings.Contains(said, "busy") {
			t.Fatalf("%s: %s", f, said)
		}
		l.Release()
	}
}

// cgroup makes a cgroup for systemd-nspawn, which makes others in it.
func cgroup(t testing.TB) *os.File {
	t.Helper()
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var s unix.Statfs_t
		if unix.Statfs(top, &s) != nil || s.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir, err := os.MkdirTemp(top, "ctl-lock-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for _, d := range []string{"/payload", "/supervisor", ""} {
				if err := os.Remove(dir + d); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
		})
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	t.Fatal("no unified cgroup hierarchy is mounted")
	return nil
}
