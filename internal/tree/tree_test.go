package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ctl/internal/oracle"
)

// bothWays runs a test with openat2(2) and with the walk that stands in for it.
func bothWays(t *testing.T, test func(t *testing.T, open func(root string) *Tree)) {
	for _, walks := range []bool{false, true} {
		name := "openat2"
		if walks {
			name = "walk"
		}
		t.Run(name, func(t *testing.T) {
			test(t, func(root string) *Tree {
				tr, err := Open(root)
				if err != nil {
					t.Fatal(err)
				}
				tr.walks.Store(walks)
				t.Cleanup(func() { tr.Close() })
				return tr
			})
		})
	}
}

// hostile makes a tree full of links that would lead outside, beside a secret that is there.
func hostile(t *testing.T) (root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = dir+"/root", dir+"/outside"
	for _, d := range []string{root + "/etc/deep/er", root + "/proc", outside, root + outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(p, s string) {
		if err := os.WriteFile(p, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(outside+"/secret", "secret")
	write(root+"/etc/file", "file")
	for link, target := range map[string]string{
		"abs": outside, "up": "../../../../../../../.." + outside, "etc/dots": "../../../..", "loop1": "loop2", "loop2": "loop1",
		"self": "self", "etc/rel": "deep/../file", "slash": "/", "dangling": "/nope/x", "chain0": "/etc", "file": "etc/file",
		"etc/deep/back": "..", "magic": "/proc/self/root", "trail": "etc/", "filedir": "etc/file/", "dot": ".",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < 45; i++ {
		if err := os.Symlink(fmt.Sprintf("chain%d", i-1), fmt.Sprintf("%s/chain%d", root, i)); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

var hostilePaths = []string{"", "/", ".", "..", "../..", "etc", "etc/", "etc/.", "etc/..", "etc/file", "etc/file/", "etc/file/x", "etc/../../etc/file",
	"abs", "abs/secret", "up", "up/secret", "etc/dots/etc/file", "loop1", "loop1/x", "self", "etc/rel", "slash/etc/file", "dangling", "dangling/x",
	"chain0/file", "chain30/file", "chain39", "chain39/file", "chain40", "chain40/file", "chain44", "file", "file/", "etc/deep/back/file", "etc/deep/er/../../file", "trail", "trail/file", "filedir", "dot/dot/etc",
	"nope", "nope/..", "nope/../etc", "//etc//file", "etc/deep/back/back", "slash/slash/slash"}

// TestSecondOpinion has the kernel resolve the same paths in a chroot.
func TestSecondOpinion(t *testing.T) {
	oracle.NeedRoot(t, "chroot(2)")
	root, _ := hostile(t)
	want := inChroot(t, root, hostilePaths)
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		tr := open(root)
		for i, p := range hostilePaths {
			if got := look(tr, p); got != want[i] {
				t.Errorf("%q is %s, in a chroot %s", p, got, want[i])
			}
		}
	})
}

func TestResolve(t *testing.T) {
	root, outside := hostile(t)
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for _, c := range []struct {
		p, want string
		last    bool
		err     error
	}{
		{"/abs/secret", outside + "/secret", true, nil},
		{"/up", outside, true, nil},
		{"/up", "/up", false, nil},
		{"/etc/dots", "/", true, nil},
		{"/etc/dots/etc/file", "/etc/file", true, nil},
		{"/dangling", "/nope/x", true, nil},
		{"/nope/a/../b", "/nope/b", true, nil},
		{"/nope/../../../x", "/x", true, nil},
		{"/etc/deep/back/file", "/etc/file", false, nil},
		{"/file", "/etc/file", true, nil},
		{"/", "/", true, nil},
		{"", "/", true, nil},
		{"/loop1", "", true, syscall.ELOOP},
		{"/loop1/x", "", false, syscall.ELOOP},
		{"/etc/file/x", "", false, syscall.ENOTDIR},
		{"/chain44", "", true, syscall.ELOOP},
	} {
		got, err := tr.Resolve(c.p, c.last)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Resolve(%q, %v) = %q, %v, want %q, %v", c.p, c.last, got, err, c.want, c.err)
		}
	}
}

func TestChanges(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root, outside := hostile(t)
		tr := open(root)
		// Through links that would lead outside: all of it lands inside.
		for _, p := range []string{"/abs/x/y", "/up/u", "/etc/dots/d"} {
			d, err := tr.MkdirAll(p, 0o755)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Symlink("/target", "link"); err != nil {
				t.Fatal(err)
			}
			if err := d.Symlink("/target", "link"); !errors.Is(err, syscall.EEXIST) {
				t.Error(err)
			}
			if err := d.ReplaceLink("/other", "link"); err != nil {
				t.Fatal(err)
			}
			if got, err := d.Readlink("link"); got != "/other" || err != nil {
				t.Error(got, err)
			}
			if err := tr.WriteFile(p+"/file", []byte("new"), 0o640); err != nil {
				t.Fatal(err)
			}
			data, st, err := tr.ReadFile(p+"/file", 10)
			if string(data) != "new" || st.Mode != 0o640 || err != nil {
				t.Error(string(data), st, err)
			}
			d.Close()
			if err := tr.RemoveAll(p); err != nil {
				t.Error(err)
			}
		}
		if _, err := tr.MkdirAll("/dangling/x", 0o755); !errors.Is(err, syscall.ENOENT) {
			t.Errorf("a directory behind a dangling link: %v", err)
		}
		if es, err := os.ReadDir(outside); err != nil || len(es) != 1 {
			t.Errorf("outside there is now %v, %v", es, err)
		}
	})
}

func TestNames(t *testing.T) {
	tr, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d, err := tr.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, name := range []string{"", ".", "..", "a/b", "/a", "a\x00b"} {
		_, lstat := d.Lstat(name)
		_, readlink := d.Readlink(name)
		_, _, read := d.ReadFile(name, 1)
		_, open := d.OpenDir(name)
		for i, err := range []error{lstat, readlink, read, open, d.Symlink("x", name), d.ReplaceLink("x", name), d.Remove(name), d.Rmdir(name), d.Mkdir(name, 0o755)} {
			if !errors.Is(err, syscall.EINVAL) {
				t.Errorf("call %d with %q: %v", i, name, err)
			}
		}
	}
}

// TestSpecial reads what is no file and must not block.
func TestSpecial(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mkfifo(root+"/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/big", make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d, err := tr.OpenDir("")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, want := range map[string]error{"fifo": syscall.ENOTTY, "big": syscall.EFBIG, "nope": syscall.ENOENT} {
		if _, _, err := tr.ReadFile(name, 99); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if _, _, err := d.ReadFile(name, 99); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	if _, _, err := tr.ReadFile("/", 99); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
	es, err := d.Entries()
	if err != nil || len(es) != 2 {
		t.Error(es, err)
	}
	for _, e := range es {
		if want := map[string]Kind{"fifo": Other, "big": Regular}[e.Name]; e.Kind != want {
			t.Errorf("%s is %d", e.Name, e.Kind)
		}
	}
}

// TestRace swaps a directory and a link to outside while links are made in it.
func TestRace(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root, outside := hostile(t)
		if err := os.Mkdir(root+"/a", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(strings.Repeat("../", 20)+outside, root+"/b"); err != nil {
			t.Fatal(err)
		}
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				_ = os.Rename(root+"/a", root+"/c")
				_ = os.Rename(root+"/b", root+"/a")
				_ = os.Rename(root+"/a", root+"/b")
				_ = os.Rename(root+"/c", root+"/a")
			}
		}()
		tr := open(root)
		made := 0
		for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
			if d, err := tr.MkdirAll("/a/sub", 0o755); err == nil {
				if d.ReplaceLink("x", "link") == nil {
					made++
				}
				d.Close()
			}
			_ = tr.WriteFile("/a/file", []byte("x"), 0o644)
		}
		stop.Store(true)
		<-done
		if made == 0 {
			t.Error("nothing was made at all")
		}
		if es, err := os.ReadDir(outside); err != nil || len(es) != 1 {
			t.Errorf("outside there is now %v, %v", es, err)
		}
	})
}

// TestRaceOfMade swaps a directory for a link to outside as soon as it has been made.
func TestRaceOfMade(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root, outside := hostile(t)
		if err := os.Symlink(outside, root+"/evil"); err != nil {
			t.Fatal(err)
		}
		var stop atomic.Bool
		var swapped atomic.Int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				if exchange(root+"/made", root+"/evil") == nil {
					swapped.Add(1)
				}
			}
		}()
		tr := open(root)
		for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
			if d, err := tr.MkdirAll("made/sub/sub", 0o755); err == nil {
				_ = d.ReplaceLink("x", "link")
				d.Close()
			}
			_ = tr.RemoveAll("made")
			if st, err := tr.Lstat("evil"); err == nil && st.Kind == Directory {
				_ = tr.RemoveAll("evil")
			}
			_ = os.Symlink(outside, root+"/evil")
		}
		stop.Store(true)
		<-done
		if swapped.Load() == 0 {
			t.Error("nothing was swapped at all")
		}
		if es, err := os.ReadDir(outside); err != nil || len(es) != 1 {
			t.Errorf("outside there is now %v, %v", es, err)
		}
	})
}

func TestLock(t *testing.T) {
	root := t.TempDir()
	a, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	unlock, err := a.Lock(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lock(0); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	unlock, err = b.Lock(0)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if es, _ := os.ReadDir(root); len(es) > 0 {
		t.Errorf("the lock left %v", es)
	}
}

func TestCleanTemporary(t *testing.T) {
	root := t.TempDir()
	for _, n := range []string{".ctl-1a.tmp", "keep.service"} {
		if err := os.Symlink("x", root+"/"+n); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d, err := tr.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.CleanTemporary()
	if es, _ := d.Entries(); len(es) != 1 || es[0].Name != "keep.service" {
		t.Error(es)
	}
	if !isTemporary(temporary()) {
		t.Error(temporary())
	}
}
