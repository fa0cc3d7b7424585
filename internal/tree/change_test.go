package tree

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ctl/internal/oracle"
)

// layout makes a tree: names that end in "/" are directories, "a -> b" links, others files.
func layout(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, n := range names {
		var err error
		if link, target, ok := strings.Cut(n, " -> "); ok {
			err = os.Symlink(target, filepath.Join(root, link))
		} else if strings.HasSuffix(n, "/") {
			err = os.MkdirAll(filepath.Join(root, n), 0o755)
		} else {
			err = os.WriteFile(filepath.Join(root, n), nil, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// names lists a tree in the words of layout, leaves only.
func names(t *testing.T, root string) []string {
	t.Helper()
	var l []string
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, p)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if es, err := os.ReadDir(p); err != nil || len(es) > 0 || p == root {
				return err
			}
			rel += "/"
		case d.Type() == os.ModeSymlink:
			target, _ := os.Readlink(p)
			rel += " -> " + target
		}
		l = append(l, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestMkdirAll(t *testing.T) {
	for _, c := range []struct {
		p    string
		tree []string
		want []string // nil: as it was
		err  error
	}{
		{"a/b/c", nil, []string{"a/b/c/"}, nil},
		{"/a//b/./c/", nil, []string{"a/b/c/"}, nil},
		{"", nil, nil, nil},
		{"/", nil, nil, nil},
		{"..", nil, nil, nil},
		{"../../a", nil, []string{"a/"}, nil},
		{"a", []string{"a/x"}, nil, nil},
		{"abs/a", []string{"real/", "abs -> /real"}, []string{"abs -> /real", "real/a/"}, nil},
		{"abs/../b", []string{"real/sub/", "abs -> /real/sub"}, []string{"abs -> /real/sub", "real/b/", "real/sub/"}, nil},
		{"a/../b", nil, []string{"a/", "b/"}, nil},
		{"up/a", []string{"real/", "up -> ../../../real"}, []string{"real/a/", "up -> ../../../real"}, nil},
		{"dangling", []string{"dangling -> nope"}, nil, syscall.ENOENT},
		{"dangling/x", []string{"dangling -> /nope"}, nil, syscall.ENOENT},
		{"file", []string{"file"}, nil, syscall.ENOTDIR},
		{"file/x", []string{"file"}, nil, syscall.ENOTDIR},
		{"a/file/x", []string{"a/", "a/file"}, nil, syscall.ENOTDIR},
		{"loop/x", []string{"loop -> loop"}, nil, syscall.ELOOP},
		{"a/" + strings.Repeat("n", 256), nil, []string{"a/"}, syscall.ENAMETOOLONG},
		{"a\x00", nil, nil, syscall.EINVAL},
	} {
		bothWays(t, func(t *testing.T, open func(string) *Tree) {
			root := t.TempDir()
			var dirs []string
			for _, n := range c.tree { // parents before what is in them
				if i := strings.IndexByte(n, '/'); i > 0 && !strings.Contains(n, " -> ") {
					dirs = append(dirs, n[:i+1])
				}
			}
			layout(t, root, append(dirs, c.tree...)...)
			before := names(t, root)
			tr := open(root)
			d, err := tr.MkdirAll(c.p, 0o755)
			if !errors.Is(err, c.err) {
				t.Errorf("%q: %v, want %v", c.p, err, c.err)
			}
			if want, got := c.want, names(t, root); !slices.Equal(got, want) && (want != nil || !slices.Equal(got, before)) {
				t.Errorf("%q makes %q, want %q", c.p, got, want)
			}
			if err != nil {
				return
			}
			want, err := tr.Stat(c.p)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := statFd(d.fd); got.Ino != want.Ino || err != nil || d.Path() != c.p {
				t.Errorf("%q opens another directory, called %q", c.p, d.Path())
			}
			d.Close()
		})
	}
}

func TestRemoveAll(t *testing.T) {
	for _, c := range []struct {
		p    string
		tree []string
		want []string
		err  error
	}{
		{"a", []string{"a/b/c/", "a/b/file", "a/x", "keep"}, []string{"keep"}, nil},
		{"/a/", []string{"a/b/"}, []string{}, nil},
		{"a/b", []string{"a/b/c/", "a/x"}, []string{"a/x"}, nil},
		{"link", []string{"a/b/", "a/b/file", "link -> a"}, []string{"a/b/file"}, nil},
		{"link/b", []string{"a/b/", "a/b/file", "a/x", "link -> /a"}, []string{"a/x", "link -> /a"}, nil},
		{"a", []string{"a/", "keep/", "keep/x", "a/l -> ../keep", "a/m -> /keep"}, []string{"keep/x"}, nil},
		{"link/../x", []string{"a/b/", "x", "a/x", "link -> a/b"}, []string{"a/b/", "link -> a/b", "x"}, nil},
		{"nope", []string{"x"}, []string{"x"}, syscall.ENOENT},
		{"x/y", []string{"x"}, []string{"x"}, syscall.ENOTDIR},
		{"/", []string{"x"}, []string{"x"}, syscall.EINVAL},
		{"", []string{"x"}, []string{"x"}, syscall.EINVAL},
		{"a/..", []string{"a/", "x"}, []string{"a/", "x"}, syscall.EINVAL},
		{"a/.", []string{"a/", "x"}, []string{"a/", "x"}, syscall.EINVAL},
	} {
		bothWays(t, func(t *testing.T, open func(string) *Tree) {
			root := t.TempDir()
			layout(t, root, c.tree...)
			if err := open(root).RemoveAll(c.p); !errors.Is(err, c.err) {
				t.Errorf("%q: %v, want %v", c.p, err, c.err)
			}
			if got := names(t, root); !slices.Equal(got, c.want) {
				t.Errorf("%q leaves %q, want %q", c.p, got, c.want)
			}
		})
	}
}

// TestRemoveAllMounts: what is mounted in a directory is somebody else's. As `revert` of
// the reference has it: left alone below the directory, and emptied as the directory itself.
func TestRemoveAllMounts(t *testing.T) {
	oracle.NeedRoot(t, "mounting")
	for _, c := range []struct {
		mount string
		want  []string
		err   syscall.Errno
	}{
		{"mount --bind ext a/b/mnt", []string{"a/b/mnt/", "ext/precious"}, syscall.ENOTEMPTY},
		{"mount --bind ext a/b", []string{"a/b/mnt/", "a/b/x", "ext/precious"}, syscall.ENOTEMPTY},
		{"mount --bind ext/precious a/b/x", []string{"a/b/x", "ext/precious"}, syscall.EBUSY},
		{"mount --bind ext a", []string{"a/b/mnt/", "a/b/x", "a/y", "ext/"}, syscall.EBUSY},
		{"mount --bind a a; mount -o remount,bind,ro a; mount --bind ext a/b", []string{"a/b/mnt/", "a/b/x", "a/y", "ext/precious"}, syscall.EROFS},
	} {
		root := t.TempDir()
		layout(t, root, "a/b/mnt/", "a/b/x", "a/y", "ext/", "ext/precious")
		if e := run(t, mounted("cd "+root+"; "+c.mount, helper("do", root, "openat2", "removeall", "a"))); e != c.err {
			t.Errorf("%s: %v, want %v", c.mount, e, c.err)
		}
		if got := names(t, root); !slices.Equal(got, c.want) {
			t.Errorf("%s: left are %q, want %q", c.mount, got, c.want)
		}
	}
}

// TestRemoveAllContinues: one file that cannot be removed does not save the others.
func TestRemoveAllContinues(t *testing.T) {
	oracle.NeedRoot(t, "changing users")
	root := publicDir(t)
	layout(t, root, "a/locked/", "a/locked/x", "a/1/", "a/1/y", "a/2")
	for _, p := range []string{"a", "a/1"} {
		if err := os.Chown(filepath.Join(root, p), 65534, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(root, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if e := run(t, nobody(helper("do", root, "openat2", "removeall", "a"))); e != syscall.EPERM { // not EACCES: it is not the caller's
		t.Error(e)
	}
	if got := names(t, root); !slices.Equal(got, []string{"a/locked/x"}) {
		t.Errorf("left are %q", got)
	}
}

func TestRemoveEmptyParents(t *testing.T) {
	for _, c := range []struct {
		p, stop string
		tree    []string
		want    []string
	}{
		{"/a/b/c/x", "/a", []string{"a/b/c/"}, []string{"a/"}},
		{"/a/b/c/x", "/a/b", []string{"a/b/c/"}, []string{"a/b/"}},
		{"/a/b/c/x", "/a", []string{"a/b/c/", "a/b/y"}, []string{"a/b/y"}},
		{"/a/b/c/x", "/a", []string{"a/b/c/", "a/b/c/y"}, []string{"a/b/c/y"}},
		{"/a/b/c/x", "/", []string{"a/b/c/", "y"}, []string{"y"}},
		{"/a/b/c/x", "", []string{"a/b/c/", "y"}, []string{"y"}},
		{"/a/b/c/x", "/other", []string{"a/b/c/"}, []string{"a/b/c/"}},
		{"/ab/c/x", "/a", []string{"ab/c/"}, []string{"ab/c/"}},
		{"/a/link/x", "/a", []string{"a/real/", "a/link -> real"}, []string{"a/link -> real", "a/real/"}},
		{"/x", "/", []string{"y"}, []string{"y"}},
	} {
		root := t.TempDir()
		layout(t, root, c.tree...)
		tr, err := Open(root)
		if err != nil {
			t.Fatal(err)
		}
		tr.RemoveEmptyParents(c.p, c.stop)
		tr.Close()
		if got := names(t, root); !slices.Equal(got, c.want) {
			t.Errorf("above %s up to %s: left are %q, want %q", c.p, c.stop, got, c.want)
		}
	}
}

func TestWriteFile(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root := t.TempDir()
		layout(t, root, "dir/", "etc/", "file", "etc/link -> /file", "dangling -> nope", "in -> /etc", "hard")
		if err := os.Link(root+"/hard", root+"/other"); err != nil {
			t.Fatal(err)
		}
		old := syscall.Umask(0o077)
		defer syscall.Umask(old)
		tr := open(root)
		for p, want := range map[string]error{
			"new": nil, "in/new": nil, "etc/link": nil, "dangling": nil, "hard": nil,
			"dir": syscall.EISDIR, "nope/x": syscall.ENOENT, "file/x": syscall.ENOTDIR, "": syscall.EINVAL, "new/": syscall.EINVAL, "..": syscall.EINVAL,
		} {
			if err := tr.WriteFile(p, []byte(p), 0o644); !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", p, err, want)
			}
			if want != nil {
				continue
			}
			if data, st, err := tr.ReadFile(p, 100); string(data) != p || st.Mode != 0o644 || err != nil {
				t.Errorf("%q: %q, %o, %v", p, data, st.Mode, err)
			}
			if st, err := tr.Lstat(p); st.Kind != Regular || err != nil {
				t.Errorf("%q: %v, %v", p, st, err)
			}
		}
		if got, want := names(t, root), []string{"dangling", "dir/", "etc/link", "etc/new", "file", "hard", "in -> /etc", "new", "other"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		for _, p := range []string{"file", "other"} { // what led here by another name is as it was
			if data, err := os.ReadFile(filepath.Join(root, p)); len(data) > 0 || err != nil {
				t.Errorf("%s: %q, %v", p, data, err)
			}
		}
	})
}

// TestReplaceLink: whatever is in the place of the link, but a directory.
func TestReplaceLink(t *testing.T) {
	root := t.TempDir()
	layout(t, root, "file", "link -> old", "dir/", "full/", "full/x")
	if err := syscall.Mkfifo(root+"/fifo", 0o644); err != nil {
		t.Fatal(err)
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
	long := strings.Repeat("t", 4096)
	for _, c := range []struct {
		target, name string
		err          error
	}{
		{"/t", "file", nil}, {"/t", "link", nil}, {"/t", "fifo", nil}, {"/t", "new", nil}, {long[:4095], "long", nil},
		{"/t", "dir", syscall.EISDIR}, {"/t", "full", syscall.EISDIR}, {long, "link", syscall.ENAMETOOLONG}, {"", "link", syscall.ENOENT}, {"a\x00b", "link", syscall.EINVAL},
		{"/t", strings.Repeat("n", 256), syscall.ENAMETOOLONG},
	} {
		if err := d.ReplaceLink(c.target, c.name); !errors.Is(err, c.err) {
			t.Errorf("%.20q: %v, want %v", c.name, err, c.err)
		}
		if got, err := d.Readlink(c.name); c.err == nil && (got != c.target || err != nil) {
			t.Errorf("%q leads to %.20q, %v", c.name, got, err)
		}
	}
	want := []string{"dir/", "fifo -> /t", "file -> /t", "full/x", "link -> /t", "long -> " + long[:4095], "new -> /t"}
	if got := names(t, root); !slices.Equal(got, want) {
		t.Errorf("%.300q", got)
	}
}

// TestCleanedAway: somebody removes temporary names that are in use.
func TestCleanedAway(t *testing.T) {
	root := t.TempDir()
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
	taken := 0
	err = d.replace("link", func(tmp string) error {
		if err := os.Symlink("x", filepath.Join(root, tmp)); err != nil {
			return err
		}
		if taken++; taken <= 3 {
			return os.Remove(filepath.Join(root, tmp))
		}
		return nil
	})
	if got := names(t, root); err != nil || taken != 4 || !slices.Equal(got, []string{"link -> x"}) {
		t.Errorf("%v after %d, %q", err, taken, got)
	}
	// One that always is, is an error at last.
	err = d.replace("link", func(tmp string) error { return nil })
	if !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}

// TestLockOfAnother: another process, of any user, holds the lock, and ends.
func TestLockOfAnother(t *testing.T) {
	root := publicDir(t)
	cmd := helper("do", root, "openat2", "hold", "/")
	if os.Geteuid() == 0 {
		cmd = nobody(cmd)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	start := time.Now()
	if _, err := tr.Lock(60 * time.Millisecond); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Error(err)
	}
	if took := time.Since(start); took < 60*time.Millisecond {
		t.Errorf("gave up after %v", took)
	}
	got := make(chan error)
	go func() {
		unlock, err := tr.Lock(lingering)
		if err == nil {
			unlock()
			unlock() // is nothing
		}
		got <- err
	}()
	if err := cmd.Process.Kill(); err != nil { // a lock dies with who holds it
		t.Fatal(err)
	}
	_ = cmd.Wait()
	stdin.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestUnlockTwice: the number of a closed file is soon another's.
func TestUnlockTwice(t *testing.T) {
	tr, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	unlock, err := tr.Lock(0)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	d, err := tr.OpenDir("/") // gets the number
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if _, err := d.Entries(); err != nil {
		t.Error(err)
	}
	d.Close()
	if _, err := d.Entries(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("closed: %v", err)
	}
	if err := d.Close(); !errors.Is(err, syscall.EBADF) {
		t.Errorf("closed twice: %v", err)
	}
}
