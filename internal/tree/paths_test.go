package tree

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ctl/internal/oracle"
)

// components are what random links and paths are made of; a to d exist here and there.
var components = []string{"a", "b", "c", "d", "a", "b", "c", "d", "..", "..", ".", "", "nope"}

func randomPath(r *rand.Rand) string {
	var l []string
	for range 1 + r.IntN(6) {
		l = append(l, components[r.IntN(len(components))])
	}
	p := strings.Join(l, "/")
	if r.IntN(3) == 0 {
		p = "/" + p
	}
	return p
}

// randomTree makes directories, files and links; with locked, some may not be entered or read.
func randomTree(t *testing.T, r *rand.Rand, locked bool) string {
	t.Helper()
	root := publicDir(t)
	dirs := []string{root}
	for range 40 {
		dir := dirs[r.IntN(len(dirs))]
		p := filepath.Join(dir, components[r.IntN(8)])
		switch r.IntN(7) {
		case 0, 1, 2:
			if os.Mkdir(p, 0o755) == nil {
				dirs = append(dirs, p)
			}
		case 3:
			f, err := os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if err == nil {
				f.Close()
			}
		default:
			target := randomPath(r)
			if target == "" {
				target = "."
			}
			_ = os.Symlink(target, p)
		}
	}
	for _, d := range dirs[1:] {
		if locked && r.IntN(4) == 0 {
			if err := os.Chmod(d, []os.FileMode{0, 0o444, 0o111}[r.IntN(3)]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// TestRandomPaths asks the kernel in a chroot where random paths lead in random trees.
func TestRandomPaths(t *testing.T) {
	oracle.NeedRoot(t, "chroot(2)")
	found := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		root := randomTree(t, r, false)
		var paths []string
		for range 300 {
			paths = append(paths, randomPath(r))
		}
		want := inChroot(t, root, paths)
		bothWays(t, func(t *testing.T, open func(string) *Tree) {
			tr := open(root)
			for i, p := range paths {
				got := look(tr, p)
				if got != want[i] {
					t.Errorf("seed %d: %q is %s, in a chroot %s", seed, p, got, want[i])
				}
				if strings.HasPrefix(want[i], "#") {
					found++
					checkResolved(t, tr, p)
				}
			}
		})
	}
	if found < 1000 {
		t.Errorf("only %d paths lead to anything", found)
	}
}

// checkResolved holds what Resolve says of a path that exists against what Stat says of it.
func checkResolved(t *testing.T, tr *Tree, p string) {
	t.Helper()
	want, err := tr.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Resolve(p, true)
	if err != nil {
		t.Errorf("Resolve(%q): %v", p, err)
		return
	}
	if got, err := tr.Lstat(r); got != want || err != nil {
		t.Errorf("Resolve(%q) is %q, which is something else", p, r)
	}
	if r != filepath.Clean(r) || r[0] != '/' {
		t.Errorf("Resolve(%q) is %q", p, r)
	}
	for at := r; at != "/"; at = filepath.Dir(at) {
		if st, err := tr.Lstat(at); err != nil || st.Kind == Link {
			t.Errorf("Resolve(%q) is %q, in which %s is a link", p, r, at)
		}
	}
}

// TestRandomPathsOfNobody has openat2 and the walk agree on what a user may not see.
func TestRandomPathsOfNobody(t *testing.T) {
	oracle.NeedRoot(t, "changing users")
	refused := 0
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		root := randomTree(t, r, true)
		var in strings.Builder
		for range 300 {
			in.WriteString(randomPath(r) + "\n")
		}
		cmd := nobody(helper("compare", root))
		cmd.Stdin = strings.NewReader(in.String())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("seed %d: %v: %s", seed, err, out)
		}
		refused += strings.Count(string(out), syscall.EACCES.Error())
	}
	if refused < 100 {
		t.Errorf("only %d paths were refused", refused)
	}
}

// TestMagicLinks: what /proc of a tree shows as links leads out of it.
func TestMagicLinks(t *testing.T) {
	oracle.NeedRoot(t, "mounting")
	root := t.TempDir()
	for _, d := range []string{"proc", "etc"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("proc/self/root", root+"/way"); err != nil {
		t.Fatal(err)
	}
	mount := "mount -t proc proc " + root + "/proc"
	for p, want := range map[string]syscall.Errno{
		"proc/self/root": syscall.ELOOP, "proc/self/root/etc": syscall.ELOOP, "proc/self/cwd/..": syscall.ELOOP,
		"proc/self/exe": syscall.ELOOP, "proc/self/fd/0": syscall.ELOOP, "proc/self/ns/net": syscall.ELOOP,
		"way": syscall.ELOOP, "way/etc": syscall.ELOOP,
		"proc/self/status": 0, "proc/mounts": 0, "proc/thread-self/comm": 0, "proc/self/../../etc": 0,
	} {
		for _, how := range []string{"openat2", "walk"} {
			if got := run(t, mounted(mount, helper("do", root, how, "stat", p))); got != want {
				t.Errorf("%s, by %s: %v, want %v", p, how, got, want)
			}
		}
	}
}

// TestMovedAway moves a directory out of the tree and back while paths with ".." lead through
// it. The ".." of a directory that has been moved is outside.
func TestMovedAway(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		dir := t.TempDir()
		root := dir + "/root"
		for _, d := range []string{root + "/a/b/c/d", dir + "/x"} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for p, s := range map[string]string{root: "inside", root + "/a": "inside", root + "/a/b": "inside", dir: "outside", dir + "/x": "outside"} {
			if err := os.WriteFile(p+"/file", []byte(s), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				_ = os.Rename(root+"/a/b", dir+"/x/b")
				_ = os.Rename(dir+"/x/b", root+"/a/b")
			}
		}()
		tr := open(root)
		read := 0
		paths := []string{"a/b/c/d/../../../file", "a/b/c/d/../../../../file", "a/b/c/d/../../../../../file", "a/b/c/../../file"}
		for until := time.Now().Add(400 * time.Millisecond); time.Now().Before(until); {
			for _, p := range paths {
				data, _, err := tr.ReadFile(p, 100)
				switch {
				case err == nil && string(data) == "outside":
					t.Errorf("%s leads outside", p)
					until = time.Time{}
				case err == nil:
					read++
				case !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EAGAIN):
					t.Errorf("%s: %v", p, err)
					until = time.Time{}
				}
			}
		}
		stop.Store(true)
		<-done
		if read == 0 {
			t.Error("nothing was read at all")
		}
	})
}

// TestSwapped: a name is now a link, now what it leads to; who follows links never meets the link.
func TestSwapped(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root := t.TempDir()
		for _, d := range []string{"real", "b"} {
			if err := os.Mkdir(root+"/"+d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []string{"real/file", "b/file"} {
			if err := os.WriteFile(root+"/"+f, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("real", root+"/a"); err != nil {
			t.Fatal(err)
		}
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				_ = exchange(root+"/a", root+"/b")
			}
		}()
		tr := open(root)
		for until := time.Now().Add(200 * time.Millisecond); time.Now().Before(until); {
			if st, err := tr.Stat("a"); err != nil || st.Kind != Directory {
				t.Errorf("%d, %v", st.Kind, err)
				break
			}
			if st, err := tr.Stat("a/file"); err != nil || st.Kind != Regular {
				t.Errorf("%d, %v", st.Kind, err)
				break
			}
		}
		stop.Store(true)
		<-done
	})
}

// TestLongPaths: what the kernel takes for too long, or too deep, the walk does too.
func TestLongPaths(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root := t.TempDir()
		tr := open(root)
		deep := strings.Repeat("d/", 1000)
		d, err := tr.MkdirAll(deep, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Symlink(strings.Repeat("../", 1000), "up"); err != nil {
			t.Fatal(err)
		}
		d.Close()
		top, err := tr.Stat("/")
		if err != nil {
			t.Fatal(err)
		}
		if st, err := tr.Stat(deep + "up"); st != top || err != nil {
			t.Errorf("%v, %v", st, err)
		}
		for p, want := range map[string]error{
			strings.Repeat("d/", 2048):          syscall.ENAMETOOLONG,
			strings.Repeat("./", 2047) + "d":    nil,
			strings.Repeat("n", 256):            syscall.ENAMETOOLONG,
			strings.Repeat("n", 256) + "/x":     syscall.ENAMETOOLONG,
			strings.Repeat("/", 5000) + "d":     nil, // the root's slashes are no part of it
			"d\x00":                             syscall.EINVAL,
			"d\x00/../d":                        syscall.EINVAL,
			strings.Repeat("d/", 1001) + "nope": syscall.ENOENT,
		} {
			if _, err := tr.Stat(p); !errors.Is(err, want) {
				t.Errorf("%.20q of %d bytes: %v, want %v", p, len(p), err, want)
			}
		}
		if err := tr.RemoveAll("d"); err != nil {
			t.Error(err)
		}
	})
}

func TestAbs(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	// As systemctl shows the directory of --root=.
	for in, want := range map[string]string{
		"/": "/", "//": "/", "/.": "/", "/a": "/a", "/a/": "/a", "//a//b/./": "/a/b", "/a/../b": "/a/../b", "/..": "/..",
		"": wd, ".": wd, "a": wd + "/a", "./a/": wd + "/a", "..": wd + "/..", "a/..": wd + "/a/..",
	} {
		if got, err := Abs(in); got != want || err != nil {
			t.Errorf("Abs(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestOpen: the root itself, which is the host's to resolve.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"real/sub", "real/tree", "tree"} {
		if err := os.MkdirAll(dir+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real/sub", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, prefix, is string
		err              error
	}{
		{"/", "", "/", nil},
		{"", "", "/", nil},
		{"//", "", "/", nil},
		{dir + "/tree/", dir + "/tree", dir + "/tree", nil},
		{dir + "/link", dir + "/link", dir + "/real/sub", nil},
		{dir + "/link/../tree", dir + "/link/../tree", dir + "/real/tree", nil},
		{dir + "/nope", "", "", syscall.ENOENT},
		{dir + "/file", "", "", syscall.ENOTDIR},
	} {
		tr, err := Open(c.path)
		if !errors.Is(err, c.err) {
			t.Errorf("Open(%q): %v", c.path, err)
		}
		if err != nil {
			continue
		}
		var want syscall.Stat_t
		if err := syscall.Stat(c.is, &want); err != nil {
			t.Fatal(err)
		}
		if st, err := tr.Stat("/"); st.Ino != want.Ino || err != nil || tr.Prefix() != c.prefix || tr.Shown("/x") != c.prefix+"/x" {
			t.Errorf("Open(%q) is another directory, %q, %v", c.path, tr.Prefix(), err)
		}
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
		if _, err := tr.Stat("/"); !errors.Is(err, syscall.EBADF) {
			t.Errorf("closed: %v", err)
		}
		if err := tr.Close(); !errors.Is(err, syscall.EBADF) {
			t.Errorf("closed twice: %v", err)
		}
	}
}

// TestErrors: who prints an error names the file as the user knows it; who decides has the errno.
func TestErrors(t *testing.T) {
	root := t.TempDir()
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	_, err = tr.Stat("a/b")
	if want := fmt.Sprintf("stat %s/a/b: no such file or directory", root); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	tr.ShowAs("/shown")
	_, _, err = tr.ReadFile("/a", 1)
	if e, ok := errors.AsType[*os.PathError](err); !ok || e.Path != "/shown/a" || !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}
