package lock_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
	"ctl/sandbox/lock"
)

// TestMain has the tests run with an empty /run.
func TestMain(m *testing.M) {
	oracle.OwnMounts(m, func() error { return unix.Mount("run", "/run", "tmpfs", 0, "mode=755") })
}

func none(string) string { return "" }

// tree makes a directory in another one.
func tree(t testing.TB) string {
	t.Helper()
	oracle.NeedRoot(t, "locks in /run")
	p := t.TempDir() + "/tree" // not below /dev, where trees have no lock beside them
	if err := os.Mkdir(p, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// files are all lock files that there are.
func files(t testing.TB, p string) string {
	t.Helper()
	local, _ := filepath.Glob(filepath.Dir(p) + "/.#*")
	global, _ := filepath.Glob("/run/systemd/nspawn/locks/*")
	return strings.ReplaceAll(strings.Join(append(local, global...), " "), filepath.Dir(p)+"/", "")
}

func take(t testing.TB, p string, m lock.Mode) *lock.Lock {
	t.Helper()
	l, err := lock.Image(p, m, none)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func busy(t testing.TB, p string, m lock.Mode) {
	t.Helper()
	if _, err := lock.Image(p, m, none); !errors.Is(err, lock.ErrBusy) {
		t.Errorf("%s is not busy: %v", p, err)
	}
}

func TestModes(t *testing.T) {
	p := tree(t)
	var st unix.Stat_t
	if err := unix.Stat(p, &st); err != nil {
		t.Fatal(err)
	}
	both := fmt.Sprintf(".#tree.lck /run/systemd/nspawn/locks/inode-%d:%d", st.Dev, st.Ino)
	l := take(t, p, lock.Exclusive)
	if got := files(t, p); got != both || len(l.FDs()) != 2 || l.Skipped() != nil {
		t.Errorf("%s, want %s", got, both)
	}
	busy(t, p, lock.Exclusive)
	busy(t, p, lock.Shared)
	l.Release()
	l.Release()
	one, two := take(t, p, lock.Shared), take(t, p, lock.Shared)
	busy(t, p, lock.Exclusive)
	one.Release()
	if got := files(t, p); got != both {
		t.Errorf("shared: %s, want %s", got, both)
	}
	busy(t, p, lock.Exclusive)
	two.Release()
	if got := files(t, p); got != "" {
		t.Errorf("left: %s", got)
	}
	// Another way to the same place has the inode in common.
	other := oracle.Scratch(t) + "/other"
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(p, other, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(other, 0) }()
	l = take(t, other, lock.Exclusive)
	busy(t, p, lock.Exclusive)
	if got := files(t, p); strings.Contains(got, "tree.lck") {
		t.Errorf("the half that was taken is left: %s", got)
	}
	l.Release()
	// Something that is not there has a name only.
	l = take(t, p+"/new", lock.Exclusive)
	if got := files(t, p+"/new"); got != ".#new.lck" {
		t.Errorf("new: %s", got)
	}
	l.Release()
}

func TestExceptions(t *testing.T) {
	p := tree(t)
	off := func(n string) string { return map[string]string{"SYSTEMD_NSPAWN_LOCK": "0"}[n] }
	l, err := lock.Image(p, lock.Exclusive, off)
	if err != nil || len(l.FDs()) > 0 || files(t, p) != "" {
		t.Errorf("switched off: %v %s", err, files(t, p))
	}
	if _, err := lock.Image("/", lock.Exclusive, none); !errors.Is(err, lock.ErrBusy) {
		t.Errorf("/: %v", err)
	}
	if l, err := lock.Image("/", lock.Shared, none); err != nil || len(l.FDs()) > 0 {
		t.Errorf("/: %v", err)
	}
	if _, err := lock.Image("relative", lock.Shared, none); !errors.Is(err, unix.EINVAL) {
		t.Errorf("relative: %v", err)
	}
	if err := unix.Mkfifo(p+"/fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Image(p+"/fifo", lock.Shared, none); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("fifo: %v", err)
	}
	dev := "/dev/loop0"
	var st unix.Stat_t
	if unix.Stat(dev, &st) == nil {
		l := take(t, dev, lock.Exclusive)
		if got, want := files(t, p), fmt.Sprintf("/run/systemd/nspawn/locks/block-%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)); got != want {
			t.Errorf("device: %s, want %s", got, want)
		}
		l.Release()
	}
}

// TestHostile: a lock file that somebody has put there does no harm.
func TestHostile(t *testing.T) {
	p := tree(t)
	beside := lock.Beside(p)
	target := filepath.Dir(p) + "/target"
	if err := os.Symlink(target, beside); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Image(p, lock.Exclusive, none); !errors.Is(err, unix.ELOOP) {
		t.Errorf("link: %v", err)
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("made what the link leads to")
	}
	_ = os.Remove(beside)
	if err := os.Mkdir(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Image(p, lock.Exclusive, none); !errors.Is(err, unix.EISDIR) {
		t.Errorf("directory: %v", err)
	}
	_ = os.Remove(beside)
	if err := unix.Mkfifo(beside, 0o600); err != nil {
		t.Fatal(err)
	}
	take(t, p, lock.Exclusive).Release() // does not wait for a reader
	if got := files(t, p); got != "" {
		t.Errorf("left: %s", got)
	}
	// In /tmp, with fs.protected_regular, another user's file cannot be opened with O_CREAT.
	if err := os.Chmod(filepath.Dir(p), 0o1777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(beside, 1, 1); err != nil {
		t.Fatal(err)
	}
	l := take(t, p, lock.Exclusive)
	if l.Skipped() != nil {
		t.Errorf("skipped: %v", l.Skipped())
	}
	l.Release()
}

// TestUnwritable: where no lock file can be made, the other lock has to do.
func TestUnwritable(t *testing.T) {
	p := tree(t)
	dir := filepath.Dir(p)
	readOnly := func(d string) {
		t.Helper()
		if err := unix.Mount(d, d, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("", d, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(d, 0) })
	}
	readOnly(dir)
	l := take(t, p, lock.Exclusive)
	if len(l.FDs()) != 1 || !errors.Is(l.Skipped(), unix.EROFS) {
		t.Errorf("%d locks, %v", len(l.FDs()), l.Skipped())
	}
	busy(t, p, lock.Shared)
	l.Release()
	readOnly("/run")
	l = take(t, p, lock.Exclusive)
	if len(l.FDs()) != 0 || l.Skipped() == nil {
		t.Errorf("%d locks, %v", len(l.FDs()), l.Skipped())
	}
	l.Release()
}

// TestInherited: whoever has got the descriptors holds the locks, when we are gone.
func TestInherited(t *testing.T) {
	p := tree(t)
	l := take(t, p, lock.Exclusive)
	cmd := exec.Command("cat")
	for _, fd := range l.FDs() {
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(fd), "lock"))
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close() // as if we had been killed
	}
	busy(t, p, lock.Exclusive)
	in.Close()
	_ = cmd.Wait()
	take(t, p, lock.Exclusive).Release()
}

// TestRace: many take and give back the lock of one tree, deleting its files again and again. Never have two of them got it.
func TestRace(t *testing.T) {
	p := tree(t)
	var holders, taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 300 {
				l, err := lock.Image(p, lock.Exclusive, none)
				if errors.Is(err, lock.ErrBusy) {
					continue
				} else if err != nil {
					t.Error(err)
					return
				}
				if holders.Add(1) != 1 {
					t.Error("two have the lock")
				}
				taken.Add(1)
				holders.Add(-1)
				l.Release()
			}
		})
	}
	all.Wait()
	if taken.Load() < 20 || files(t, p) != "" {
		t.Errorf("taken %d times, left: %s", taken.Load(), files(t, p))
	}
}
