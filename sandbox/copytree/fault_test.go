package copytree_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
	"ctl/sandbox/copytree"
)

var background = context.Background()

// names are what is in a directory.
func names(t testing.TB, dir string) string {
	t.Helper()
	l, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, e := range l {
		s = append(s, e.Name())
	}
	return strings.Join(s, " ")
}

// start starts this binary as a process that copies, which runs as that user.
func start(t testing.TB, uid uint32, words string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	exe := oracle.Scratch(t)
	if err := os.Chmod(exe, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run(t, "cp", self, exe+"/copytree") // where everybody can read it
	cmd := exec.Command(exe + "/copytree")
	cmd.Env = append(os.Environ(), helperEnv+"="+words)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// big makes a tree that takes a while.
func big(t testing.TB, root string, files, size int) {
	t.Helper()
	for i := range files {
		dir := fmt.Sprintf("%s/%d/%d", root, i%7, i%31)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoSpace: a full file system, and one that is full of inodes, say so, and what was made is gone.
func TestNoSpace(t *testing.T) {
	oracle.NeedRoot(t, "mounting a file system")
	src := oracle.Scratch(t) + "/src"
	big(t, src, 200, 50_000)
	for _, limit := range []string{"size=3m", "size=100m,nr_inodes=100"} {
		at := fileSystem(t, "tmpfs", "1")
		run(t, "mount", "-o", "remount,"+limit, at)
		for _, how := range []func() error{
			func() error { return copytree.Copy(background, src, at+"/dst", copytree.Options{}) },
			func() error { return copytree.Template(background, src, at+"/dst", copytree.Options{}) },
		} {
			err := how()
			var where *fs.PathError
			if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &where) {
				t.Errorf("%s: %v", limit, err)
			}
			if left := names(t, at); left != "" {
				t.Errorf("%s: left: %s", limit, left)
			}
		}
	}
}

// TestQuota is TestNoSpace with a limit for the user.
func TestQuota(t *testing.T) {
	at := fileSystem(t, "tmpfs", "100")
	if exec.Command("mount", "-t", "tmpfs", "-o", "usrquota,usrquota_block_hardlimit=2m,mode=777", "quota", at).Run() != nil {
		t.Skip("no quotas of tmpfs")
	}
	defer run(t, "umount", at)
	src := oracle.Scratch(t)
	big(t, src, 100, 50_000)
	run(t, "chown", "-R", "65534:65534", src)
	cmd, out := start(t, 65534, "copy "+src+" "+at+"/dst")
	if cmd.Wait() == nil || !strings.Contains(out.String(), "disk quota exceeded") || names(t, at) != "" {
		t.Errorf("%s left: %s", out, names(t, at))
	}
}

// TestNobody: a user may copy what is his, and nothing else.
func TestNobody(t *testing.T) {
	oracle.NeedRoot(t, "other users")
	at := oracle.Scratch(t)
	run(t, "chmod", "777", at)
	big(t, at+"/src", 20, 10)
	cmd, out := start(t, 65534, "copy "+at+"/src "+at+"/dst")
	if cmd.Wait() == nil || !strings.Contains(out.String(), "operation not permitted") {
		t.Errorf("root's: %s", out)
	}
	if got := names(t, at); got != "src" {
		t.Errorf("left: %s", got)
	}
	run(t, "chown", "-R", "65534:65534", at+"/src")
	if err := os.Chmod(at+"/src/1", 0o555); err != nil { // nothing can be made in it
		t.Fatal(err)
	}
	before := describe(t, at+"/src")
	cmd, out = start(t, 65534, "copy "+at+"/src "+at+"/dst")
	if err := cmd.Wait(); err != nil {
		t.Errorf("his own: %s", out)
	}
	same(t, "nobody's", before, describe(t, at+"/dst"))
	if err := os.Chmod(at, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"copy ", "template "} {
		cmd, out = start(t, 65534, how+at+"/src "+at+"/new")
		if cmd.Wait() == nil || !strings.Contains(out.String(), "permission denied") {
			t.Errorf("no right to write: %s", out)
		}
	}
}

// TestInterrupt: a copy that is called off leaves nothing.
func TestInterrupt(t *testing.T) {
	at := oracle.Scratch(t)
	big(t, at+"/src", 3000, 20_000)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(background, time.Duration(i)*time.Millisecond)
		err := copytree.Template(ctx, at+"/src", at+"/dst", copytree.Options{})
		cancel()
		if err == nil {
			if err := copytree.Remove(at + "/dst"); err != nil {
				t.Fatal(err)
			}
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if got := names(t, at); got != "src" {
			t.Fatalf("left: %s", got)
		}
	}
}

// TestKill kills copies at random moments. What they leave is removed by the next, and nothing that is in use.
func TestKill(t *testing.T) {
	oracle.NeedRoot(t, "a process elsewhere")
	at := oracle.Scratch(t)
	src := at + "/src"
	big(t, src, 1500, 10_000)
	before := describe(t, src)
	live, err := copytree.Ephemeral(background, src, copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for range 12 {
		for _, words := range []string{"ephemeral " + src, "template " + src + " " + at + "/dst"} {
			cmd, _ := start(t, 0, words)
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // the moment is random
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
		}
		if _, err := os.Lstat(at + "/dst"); err == nil { // as a whole, if at all
			same(t, "the template", before, describe(t, at+"/dst"))
			if err := copytree.Remove(at + "/dst"); err != nil {
				t.Fatal(err)
			}
		}
		for _, tree := range []string{src, at + "/dst"} {
			removed, err := copytree.Clean(tree)
			if err != nil {
				t.Fatal(err)
			}
			left += len(removed)
		}
		base := filepath.Base(live.Path)
		if got := names(t, at); got != ".#"+base+".lck "+base+" src" {
			t.Fatalf("left: %s", got)
		}
	}
	t.Logf("%d leftovers", left)
	same(t, "the live copy", before, describe(t, live.Path))
	if err := live.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, at); got != "src" {
		t.Errorf("left: %s", got)
	}
}

// TestCleanUsed: a copy whose lock was lost but in which a process lives is no leftover.
func TestCleanUsed(t *testing.T) {
	oracle.NeedRoot(t, "a chroot")
	at := oracle.Scratch(t)
	copied := at + "/.#snapshot.src0123456789abcdef"
	for _, d := range []string{at + "/src", copied, at + "/.#snapshot.src0123456789abcdefa", at + "/.#snapshot.sr0123456789abcdef"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied+"/wait", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/wait")
	cmd.Env = []string{helperEnv + "=wait"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: copied, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if l, err := copytree.Clean(at + "/src"); len(l) > 0 || err != nil {
		t.Errorf("in use: %q %v", l, err)
	}
	in.Close()
	_ = cmd.Wait()
	if l, err := copytree.Clean(at + "/src"); len(l) != 1 || l[0] != copied || err != nil {
		t.Errorf("left: %q %v", l, err)
	}
	if got := names(t, at); got != ".#snapshot.sr0123456789abcdef .#snapshot.src0123456789abcdefa src" {
		t.Errorf("left: %s", got)
	}
}

// TestSwap: while a tree is copied, its names become links to what is outside, and back. No copy has it.
func TestSwap(t *testing.T) {
	at := oracle.Scratch(t)
	src := at + "/src"
	for _, d := range []string{"/secret/deep", "/src/dir/deep", "/away"} {
		if err := os.MkdirAll(at+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for p, text := range map[string]string{"/secret/file": "secret", "/secret/deep/file": "secret", "/src/dir/file": "mine", "/src/dir/deep/file": "mine", "/src/file": "mine"} {
		if err := os.WriteFile(at+p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for n, target := range map[string]string{"dir": "/secret", "file": "/secret/file", "deep": "/secret/deep"} {
		if err := os.Symlink(at+target, at+"/away/"+n); err != nil {
			t.Fatal(err)
		}
	}
	inner, err := unix.Open(src+"/dir", unix.O_PATH, 0) // wherever it is moved to
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inner)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			_ = unix.Renameat2(unix.AT_FDCWD, at+"/away/deep", inner, "deep", unix.RENAME_EXCHANGE)
			for _, n := range []string{"dir", "file"} {
				_ = unix.Renameat2(unix.AT_FDCWD, at+"/away/"+n, unix.AT_FDCWD, src+"/"+n, unix.RENAME_EXCHANGE)
			}
		}
	}()
	links := 0
	for i := range 500 {
		dst := fmt.Sprintf("%s/dst%d", at, i)
		if err := copytree.Copy(background, src, dst, copytree.Options{}); err != nil {
			if !strings.Contains(err.Error(), "changed meanwhile") {
				t.Errorf("%v", err)
			}
			continue
		}
		err := filepath.WalkDir(dst, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.Type()&fs.ModeSymlink != 0 {
				links++
			} else if d.Type().IsRegular() {
				if text, err := os.ReadFile(p); err != nil || string(text) != "mine" {
					t.Errorf("%s: %q %v", p, text, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := copytree.Remove(dst); err != nil {
			t.Error(err)
		}
	}
	close(done)
	<-ended
	if links == 0 {
		t.Error("nothing was ever a link")
	}
	if got := names(t, at+"/secret") + "/" + names(t, at+"/secret/deep"); got != "deep file/file" {
		t.Errorf("the secret: %s", got)
	}
}
