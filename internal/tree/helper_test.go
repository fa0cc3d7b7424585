package tree

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is run again for what a process cannot undo: another root, another
// user, another view of the mounts, system calls that fail, death.
const helperEnv = "CTL_TEST_HELPER"

func TestMain(m *testing.M) {
	switch args := os.Args[1:]; os.Getenv(helperEnv) {
	case "":
		os.Exit(m.Run())
	case "chroot":
		os.Exit(status(chrootHelper(args[0])))
	case "do":
		runtime.LockOSThread() // strace counts the calls of each thread
		os.Exit(status(do(args)))
	case "compare":
		os.Exit(status(compareHelper(args[0])))
	default:
		os.Exit(255)
	}
}

// status tells an errno by the exit status: what writes to standard output may be made to fail.
func status(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return int(e)
	}
	return 255
}

// helper is a command that runs the test binary in one of the modes of TestMain.
func helper(mode string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+mode, "GOMAXPROCS=1")
	return cmd
}

// run returns what the helper ended with: an errno, 0 for success.
func run(t *testing.T, cmd *exec.Cmd) syscall.Errno {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil {
		return 0
	}
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok || e.ExitCode() < 0 || e.ExitCode() > 133 {
		t.Fatalf("%v: %v: %s", cmd.Args, err, out)
	}
	return syscall.Errno(e.ExitCode())
}

// publicDir is a temporary directory that everybody may enter, unlike t.TempDir's.
func publicDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// nobody makes cmd run as a user without rights.
func nobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// mounted makes cmd run after a shell script that may mount: nobody else sees it.
func mounted(script string, cmd *exec.Cmd) *exec.Cmd {
	exe, _ := os.Executable()
	cmd.Args = append([]string{"sh", "-c", "set -e; " + script + "\nexec \"$@\"", "sh", exe}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// do carries out one operation on a tree: its root, whether to walk, the name, the operands.
func do(args []string) error {
	t, err := Open(args[0])
	if err != nil {
		return err
	}
	defer t.Close()
	t.walks.Store(args[1] == "walk")
	op, p := args[2], args[3]
	dir, name := split(p)
	switch op {
	case "stat":
		_, err = t.Stat(p)
		return err
	case "read":
		_, _, err = t.ReadFile(p, 1<<20)
		return err
	case "lock":
		_, err = t.Lock(0)
		return err
	case "hold":
		if _, err = t.Lock(0); err != nil {
			return err
		}
		fmt.Println("held")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the parent has seen enough
		return nil
	case "write":
		return t.WriteFile(p, []byte(args[4]), 0o644)
	case "removeall":
		return t.RemoveAll(p)
	case "mkdirall":
		d, err := t.MkdirAll(p, 0o755)
		if err == nil {
			d.Close()
		}
		return err
	}
	d, err := t.OpenDir(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	switch op {
	case "symlink":
		return d.Symlink(args[4], name)
	case "replace":
		return d.ReplaceLink(args[4], name)
	case "remove":
		return d.Remove(name)
	case "rmdir":
		return d.Rmdir(name)
	case "mkdir":
		return d.Mkdir(name, 0o755)
	case "clean":
		d.CleanTemporary()
		return nil
	case "entries":
		_, err := d.Entries()
		return err
	}
	return errors.New("no such operation: " + op)
}

// chrootHelper is the second opinion: in a chroot of the tree the kernel says where
// the paths on standard input lead.
func chrootHelper(root string) error {
	if err := syscall.Chroot(root); err != nil {
		return err
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		var st, lst syscall.Stat_t
		e1 := syscall.Stat("/"+s.Text(), &st)
		e2 := syscall.Lstat("/"+s.Text(), &lst)
		fmt.Println(seen(st.Ino, e1), seen(lst.Ino, e2))
	}
	return nil
}

func seen(ino uint64, err error) string {
	if err != nil {
		e, _ := errors.AsType[syscall.Errno](err)
		return e.Error()
	}
	return fmt.Sprint("#", ino)
}

// look is what a tree says of a path, in the words of chrootHelper.
func look(tr *Tree, p string) string {
	st, e1 := tr.Stat(p)
	lst, e2 := tr.Lstat(p)
	return seen(st.Ino, e1) + " " + seen(lst.Ino, e2)
}

// inChroot has the kernel look at paths in a chroot of root.
func inChroot(t *testing.T, root string, paths []string) []string {
	t.Helper()
	cmd := helper("chroot", root)
	cmd.Stdin = strings.NewReader(strings.Join(paths, "\n") + "\n")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	l := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(l) != len(paths) {
		t.Fatalf("%d answers to %d questions", len(l), len(paths))
	}
	return l
}

// compareHelper compares openat2 with the walk, for a user whom the kernel keeps out here and there.
func compareHelper(root string) error {
	a, err := Open(root)
	if err != nil {
		return err
	}
	b, err := Open(root)
	if err != nil {
		return err
	}
	b.walks.Store(true)
	for s := bufio.NewScanner(os.Stdin); s.Scan(); {
		x, y := look(a, s.Text()), look(b, s.Text())
		fmt.Println(x)
		if x != y {
			return fmt.Errorf("%q: openat2 says %s, the walk %s", s.Text(), x, y)
		}
	}
	return nil
}

// lingering bounds tests that would else hang.
const lingering = 20 * time.Second
