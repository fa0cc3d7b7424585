package tree

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/oracle"
)

// traced makes cmd run under strace(1) with system calls tampered with, as its option -e inject= has it.
func traced(t *testing.T, cmd *exec.Cmd, injections ...string) *exec.Cmd {
	t.Helper()
	strace := oracle.Tool(t, "strace")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"strace", "-f", "-qqq", "-o", "/dev/null"}
	calls := ""
	for _, i := range injections {
		call, _, _ := strings.Cut(i, ":")
		calls += "," + call
		argv = append(argv, "-e", "inject="+i)
	}
	argv = append(argv, "-e", "trace="+calls[1:], exe)
	cmd.Args = append(argv, cmd.Args[1:]...)
	cmd.Path = strace
	return cmd
}

// A change is one operation and what is in the directory d before and after it.
type change struct {
	op      string
	operand []string
	before  map[string]string // "-> target" or contents
	after   map[string]string
	calls   []string // the system calls it is made of, openat2 and openat aside
}

var changes = []change{
	{"symlink", []string{"d/name", "/new"}, nil, map[string]string{"name": "-> /new"}, []string{"symlinkat"}},
	{"replace", []string{"d/name", "/new"}, map[string]string{"name": "-> /old"}, map[string]string{"name": "-> /new"}, []string{"symlinkat", "renameat"}},
	{"replace", []string{"d/name", "/new"}, map[string]string{"name": "old"}, map[string]string{"name": "-> /new"}, []string{"symlinkat", "renameat"}},
	{"write", []string{"d/name", "new"}, nil, map[string]string{"name": "new"}, []string{"fchmod", "write", "linkat"}},
	{"write", []string{"d/name", "new"}, map[string]string{"name": "old"}, map[string]string{"name": "new"}, []string{"fchmod", "write", "linkat", "renameat"}},
	{"write", []string{"d/name", "new"}, map[string]string{"name": "-> /old"}, map[string]string{"name": "new"}, []string{"fchmod", "write", "linkat", "renameat"}},
	{"remove", []string{"d/name"}, map[string]string{"name": "-> /old"}, nil, []string{"unlinkat"}},
}

func (c *change) build(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.Mkdir(root+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, what := range c.before {
		p := root + "/d/" + name
		target, link := strings.CutPrefix(what, "-> ")
		var err error
		if link {
			err = os.Symlink(target, p)
		} else {
			err = os.WriteFile(p, []byte(what), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// contents is what is in the directory d, temporary names apart.
func contents(t *testing.T, root string) (names map[string]string, temporaries int) {
	t.Helper()
	es, err := os.ReadDir(root + "/d")
	if err != nil {
		t.Fatal(err)
	}
	names = make(map[string]string)
	for _, e := range es {
		p := filepath.Join(root, "d", e.Name())
		if isTemporary(e.Name()) {
			temporaries++
		} else if target, err := os.Readlink(p); err == nil {
			names[e.Name()] = "-> " + target
		} else if data, err := os.ReadFile(p); err == nil {
			names[e.Name()] = string(data)
		}
	}
	return names, temporaries
}

func same(a, b map[string]string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// args are the arguments of the helper that makes the change.
func (c *change) args(root string) []string {
	return append([]string{root, "openat2", c.op}, c.operand...)
}

// eachChange runs a test for each change, and for files also where they cannot be made without a name.
func eachChange(t *testing.T, test func(t *testing.T, c *change, also []string)) {
	for i, c := range changes {
		t.Run(fmt.Sprint(i, " ", c.op), func(t *testing.T) { test(t, &c, nil) })
		if c.op == "write" {
			t.Run(fmt.Sprint(i, " named"), func(t *testing.T) { test(t, &c, []string{"linkat:error=ENOENT"}) })
		}
	}
}

// TestKilled kills an operation at each of its system calls. There is the old or the new,
// and when it is done again after a cleaning there is nothing else.
func TestKilled(t *testing.T) {
	eachChange(t, func(t *testing.T, c *change, also []string) {
		killed := 0
		for _, call := range append([]string{"openat2", "openat", "unlinkat"}, c.calls...) {
			if also != nil && call == "linkat" {
				continue
			}
			for n := 1; ; n++ {
				root := c.build(t)
				cmd := traced(t, helper("do", c.args(root)...), append(slices.Clone(also), fmt.Sprintf("%s:signal=KILL:when=%d", call, n))...)
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState.Success() {
					break
				}
				if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
					t.Fatalf("%s %d: %v: %s", call, n, err, out)
				}
				killed++
				now, temporaries := contents(t, root)
				if !same(now, c.before) && !same(now, c.after) {
					t.Errorf("killed at %s %d: %v", call, n, now)
				}
				if temporaries > 1 {
					t.Errorf("killed at %s %d: %d temporary names", call, n, temporaries)
				}
				if same(now, c.after) && (c.op == "symlink" || c.op == "remove") {
					continue // these can be done but once
				}
				if e := run(t, helper("do", root, "openat2", "clean", "d/")); e != 0 {
					t.Fatal(e)
				}
				if e := run(t, helper("do", c.args(root)...)); e != 0 {
					t.Fatal(e)
				}
				if now, temporaries = contents(t, root); !same(now, c.after) || temporaries > 0 {
					t.Errorf("killed at %s %d and done again: %v, %d temporary names", call, n, now, temporaries)
				}
			}
		}
		if killed < 3 {
			t.Errorf("only killed at %d calls", killed)
		}
	})
}

// TestFailing makes each system call of an operation fail. Its errno is what is returned,
// the old is there, and no temporary name.
func TestFailing(t *testing.T) {
	eachChange(t, func(t *testing.T, c *change, also []string) {
		calls := c.calls
		if also != nil {
			calls = append(slices.DeleteFunc(slices.Clone(calls), func(s string) bool { return s == "linkat" }), "renameat")
		}
		for _, call := range calls {
			for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EROFS, syscall.EACCES} {
				root := c.build(t)
				inject := fmt.Sprintf("%s:error=%d", call, errno)
				e := run(t, traced(t, helper("do", c.args(root)...), append(slices.Clone(also), inject)...))
				now, temporaries := contents(t, root)
				// A file can be had without linkat: it then gets a temporary name first.
				if want := c.before; call == "linkat" {
					if e != 0 || !same(now, c.after) {
						t.Errorf("%s: %v, %v", inject, e, now)
					}
				} else if e != errno || !same(now, want) {
					t.Errorf("%s: %v, %v", inject, e, now)
				}
				if temporaries > 0 {
					t.Errorf("%s: a temporary name is left", inject)
				}
			}
			// A signal is no failure.
			root := c.build(t)
			e := run(t, traced(t, helper("do", c.args(root)...), append(slices.Clone(also), call+":error=EINTR:when=1..3")...))
			if now, temporaries := contents(t, root); e != 0 || !same(now, c.after) || temporaries > 0 {
				t.Errorf("%s interrupted: %v, %v", call, e, now)
			}
		}
	})
}

// TestOldKernel: openat2 is missing, or filtered, or cannot decide; files without names are missing.
func TestOldKernel(t *testing.T) {
	for _, inject := range []string{
		"openat2:error=ENOSYS", "openat2:error=EPERM", "openat2:error=EAGAIN", "openat2:error=EAGAIN:when=1..10", "openat2:error=EINTR:when=1..10",
	} {
		for i := range changes {
			c := &changes[i]
			root := c.build(t)
			if err := os.Symlink("/d", root+"/link"); err != nil {
				t.Fatal(err)
			}
			operand := append([]string{"link/../link/name"}, c.operand[1:]...)
			e := run(t, traced(t, helper("do", append([]string{root, "openat2", c.op}, operand...)...), inject))
			if now, _ := contents(t, root); e != 0 || !same(now, c.after) {
				t.Errorf("%s with %s: %v, %v", c.op, inject, e, now)
			}
		}
	}
	// EPERM that is the file's own is no reason to walk.
	root := changes[0].build(t)
	if e := run(t, traced(t, helper("do", root, "openat2", "stat", "d"), "openat2:error=EPERM:when=1")); e != syscall.EPERM {
		t.Errorf("one EPERM: %v", e)
	}
}

// TestLockFails: where flock(2) does not work there is no lock, and no error.
func TestLockFails(t *testing.T) {
	root := t.TempDir()
	for _, errno := range []string{"EBADF", "ENOLCK", "EOPNOTSUPP", "ENOSYS", "EIO"} {
		if e := run(t, traced(t, helper("do", root, "openat2", "lock", "/"), "flock:error="+errno)); e != 0 {
			t.Errorf("%s: %v", errno, e)
		}
	}
	if e := run(t, traced(t, helper("do", root, "openat2", "lock", "/"), "flock:error=EINTR:when=1..5")); e != 0 {
		t.Errorf("interrupted: %v", e)
	}
	if e := run(t, traced(t, helper("do", root, "openat2", "lock", "/"), "flock:error=EAGAIN")); e != syscall.ETIMEDOUT {
		t.Errorf("held: %v", e)
	}
}

// every is each operation on names that are there, for those who may not change them.
var every = [][]string{
	{"symlink", "d/new", "x"}, {"replace", "d/link", "x"}, {"replace", "d/new", "x"}, {"write", "d/file", "x"}, {"write", "d/new", "x"},
	{"remove", "d/link"}, {"remove", "d/file"}, {"rmdir", "d/empty"}, {"mkdir", "d/new", "x"}, {"mkdirall", "d/new/er"},
	{"removeall", "d/file"}, {"removeall", "d"}, {"removeall", "d/empty"},
}

func everyTree(t *testing.T) string {
	t.Helper()
	root := publicDir(t)
	if err := os.MkdirAll(root+"/d/empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/d/file", []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("old", root+"/d/link"); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestReadOnly(t *testing.T) {
	oracle.NeedRoot(t, "mounting")
	root := everyTree(t)
	mount := fmt.Sprintf("mount --bind %s %s; mount -o remount,bind,ro %s", root, root, root)
	for _, how := range []string{"openat2", "walk"} {
		for _, op := range every {
			if e := run(t, mounted(mount, helper("do", append([]string{root, how}, op...)...))); e != syscall.EROFS {
				t.Errorf("%v: %v", op, e)
			}
		}
		// What does not change anything works.
		for _, op := range [][]string{{"mkdirall", "d/empty"}, {"stat", "d/file"}, {"read", "d/file"}, {"entries", "d/"}, {"lock", "/"}} {
			if e := run(t, mounted(mount, helper("do", append([]string{root, how}, op...)...))); e != 0 {
				t.Errorf("%v: %v", op, e)
			}
		}
	}
	if _, err := os.Lstat(root + "/d/link"); err != nil {
		t.Error(err)
	}
}

func TestNobody(t *testing.T) {
	oracle.NeedRoot(t, "changing users")
	root := everyTree(t)
	for _, d := range []string{"mine", "hidden"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(root+"/mine", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(root, "hidden", "file")
	if err := os.WriteFile(secret, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ops := append(slices.Clone(every), []string{"stat", "hidden/file"}, []string{"read", "hidden/file"}, []string{"entries", "hidden/"}, []string{"mkdirall", "hidden/x"})
	for _, how := range []string{"openat2", "walk"} {
		for _, op := range ops {
			want := syscall.EACCES
			if op[0] == "removeall" && op[1] != "d/file" {
				want = syscall.EPERM // a directory that is somebody else's
			}
			if e := run(t, nobody(helper("do", append([]string{root, how}, op...)...))); e != want {
				t.Errorf("%v: %v", op, e)
			}
		}
		for _, op := range [][]string{
			{"mkdirall", "mine/a/b"}, {"symlink", "mine/a/link", "x"}, {"replace", "mine/a/link", "y"}, {"write", "mine/a/file", "x"}, {"write", "mine/a/file", "y"},
			{"read", "mine/a/file"}, {"remove", "mine/a/link"}, {"removeall", "mine/a"}, {"lock", "/"}, {"stat", "hidden"},
		} {
			if e := run(t, nobody(helper("do", append([]string{root, how}, op...)...))); e != 0 {
				t.Errorf("%v: %v", op, e)
			}
		}
	}
	// A root that may be entered but not read has no lock, and all else.
	if err := os.Chmod(root, 0o711); err != nil {
		t.Fatal(err)
	}
	for op, want := range map[string]syscall.Errno{"lock": syscall.EACCES, "stat": 0, "read": 0} {
		if e := run(t, nobody(helper("do", root, "openat2", op, "d/file"))); e != want {
			t.Errorf("%s: %v, want %v", op, e, want)
		}
	}
}

// TestNoLeak: whatever fails, no file stays open.
func TestNoLeak(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root, _ := hostile(t)
		tr := open(root)
		before := openFiles(t)
		for _, p := range hostilePaths {
			_, _ = tr.Stat(p)
			_, _ = tr.Lstat(p)
			_, _ = tr.Readlink(p)
			_, _, _ = tr.ReadFile(p, 2)
			_, _ = tr.Resolve(p, true)
			_ = tr.WriteFile(p+"/etc/file", nil, 0o644)
			if d, err := tr.OpenDir(p); err == nil {
				_, _, _ = d.ReadFile("file", 2)
				_, _ = d.Entries()
				_ = d.ReplaceLink("x", "etc")
				d.Close()
			}
			if d, err := tr.MkdirAll(p+"/etc/x/y", 0o755); err == nil {
				d.Close()
			}
			_ = tr.RemoveAll(p + "/etc/x")
		}
		if unlock, err := tr.Lock(0); err == nil {
			unlock()
		}
		if after := openFiles(t); after != before {
			t.Errorf("before:\n%safter:\n%s", before, after)
		}
	})
}

func openFiles(t *testing.T) string {
	t.Helper()
	es, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range es {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if errors.Is(err, os.ErrNotExist) || strings.HasPrefix(target, "/proc/") {
			continue // what the directory was read with
		}
		fmt.Fprintln(&b, e.Name(), target)
	}
	return b.String()
}
