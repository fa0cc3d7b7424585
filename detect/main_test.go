package detect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
)

// TestMain answers questions where it is called for that, in the places that the tests make:
// CTL_TEST_DETECT says for whose answer. With arguments it does something else first.
func TestMain(m *testing.M) {
	mode := os.Getenv("CTL_TEST_DETECT")
	switch {
	case mode == "":
		m.Run()
	case len(os.Args) > 1:
		begin(os.Args[1], os.Args[2:])
	case mode == "reference":
		becomeReference()
	default:
		answer()
	}
}

// answer prints what we make of the place, and whether process 1 hides its root from us; then the
// same as on Linux before 5.8.
func answer() {
	_, err := os.Stat("/proc/1/root")
	hidden := errors.Is(err, fs.ErrPermission)
	w, old := New(os.Getenv), New(os.Getenv)
	old.statx = func(int, string, int, int, *unix.Statx_t) error { return unix.ENOSYS }
	for _, w := range []*Where{w, old} {
		fmt.Printf("chroot=%v offline=%v hidden=%v proc=%v runtime=%v booted=%v container=%q why=%s\n",
			w.Chroot(), w.ChrootOrOffline(), hidden, w.ProcMounted(),
			w.RuntimeDirectory(), w.Booted(), w.Container(), w.Why())
	}
}

// begin has the question answered by a child of ours without privilege, in the
// root directory "/" or another, makes a socket, or passes another's answer on.
func begin(what string, args []string) {
	cmd := exec.Command(os.Args[0])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr // there may be no /dev/null
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	switch what {
	case "socket":
		if err := syscall.Mknod(args[0], syscall.S_IFSOCK|0o666, 0); err != nil {
			fmt.Println(err)
		}
		return
	case "copy":
		f, err := os.Open(args[0])
		if err == nil {
			_, err = io.Copy(os.Stdout, f)
		}
		if err != nil {
			fmt.Println(err)
		}
		return
	case "chroot":
		cmd.SysProcAttr.Chroot = args[0]
	}
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Println(err)
	}
}

// becomeReference puts the real systemctl in our place, with our number and parents.
func becomeReference() {
	dir := "/reference"
	if _, err := os.Stat(dir); err != nil {
		dir = os.Getenv("T") + dir
	}
	argv := []string{dir + "/ld.so", "--argv0", "systemctl", "--library-path", dir, dir + "/systemctl", "start", "x"}
	fmt.Println(syscall.Exec(argv[0], argv, os.Environ()))
}

// trees makes the trees that tests enter: our test program, with the C library for one that
// was linked to it, and, if wanted, the reference. They are hard links to one.
type trees struct{ base string }

func newTrees(t *testing.T, reference bool) trees {
	t.Helper()
	oracle.NeedRoot(t, "namespaces and chroot(2)")
	base := filepath.Join(t.TempDir(), "base")
	for _, d := range []string{"proc", "old", "mnt", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyProgram(t, self, base)
	if reference {
		ref, _ := oracle.Programs(t)
		if _, err := oracle.CopyReference(ref, base+"/reference"); err != nil {
			t.Fatal(err)
		}
	}
	return trees{base}
}

func copyProgram(t *testing.T, program, tree string) {
	t.Helper()
	script := `cp -L "$1" "$2/test"
		for f in $(ldd "$1" 2>/dev/null | grep -o '/[^ )]*'); do mkdir -p "$2$(dirname "$f")"; cp -L "$f" "$2$f"; done`
	if out, err := exec.Command("sh", "-ec", script, "sh", program, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tree is a new one, which users other than root may enter.
func (b trees) tree(t *testing.T) string {
	t.Helper()
	// Not t.TempDir: its names are no mount options.
	dir, err := os.MkdirTemp("", "detect")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	if out, err := exec.Command("cp", "-al", b.base, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return tree
}

// prelude is what the places' shell commands are made of. HIDE runs a program without the right
// to look into process 1, which has more capabilities then; NOBODY without any.
const prelude = `set -e
HIDE="setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace --"
NOBODY="setpriv --reuid 65534 --regid 65534 --clear-groups --"
proc() { mount -t proc ${2:+-o $2} proc "$1/proc"; }
bound() { mount --rbind "$T" "$T"; cd "$T"; }
overlay() { mkdir "$T.d"; mount -t tmpfs t "$T.d"; mkdir "$T.d/u" "$T.d/w" "$T.d/m"
	mount -t overlay -o lowerdir="$T",upperdir="$T.d/u",workdir="$T.d/w" o "$T.d/m"; cd "$T.d/m"; }
memory() { mkdir "$T.m"; mount -t tmpfs t "$T.m"; cp -a "$T/." "$T.m"; cd "$T.m"; }
`

// ask runs shell commands in a new mount and PID namespace, of which the shell
// is process 1 as long as it does not exec, and returns what they print.
func ask(t *testing.T, tree, shell, mode string, env ...string) string {
	t.Helper()
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-c", prelude+shell)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "T=" + tree, "CTL_TEST_DETECT=" + mode}, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || mode != "reference") || len(out) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}
