package difftest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ctl/internal/oracle"
)

// faultTree has what is needed for the calls to come as far as writing.
func faultTree() *scenario {
	s := &scenario{}
	s.file(usr+"a.service", "[Install]\nWantedBy=x.target\nAlias=b.service\n")
	s.file(usr+"c.service", "[Install]\nWantedBy=x.target\n")
	s.file(usr+"x.target", "[Unit]\n")
	s.link(etc+"x.target.wants/c.service", usr+"c.service")
	s.link(etc+"m.service", "/dev/null")
	s.link(etc+"b.service", usr+"c.service")
	s.file(etc+"d.service.d/1.conf", "[Unit]\n")
	return s
}

var faultCommands = []string{"enable a", "-f enable a", "disable c", "mask a", "unmask m", "preset-all", "preset a", "set-default x", "revert a", "add-wants x a", "is-enabled a c m"}

// TestFaults: a tree that cannot be written to, for one reason or another. Both say
// the same, and leave it as it is.
func TestFaults(t *testing.T) {
	oracle.NeedRoot(t, "mounting")
	ref, ctl := oracle.Programs(t)
	for _, f := range []struct{ name, mount string }{
		{"read-only", "mount -t tmpfs t $R && cp -a $T/. $R/ && mount -o remount,ro $R"},
		{"no space", "mount -t tmpfs -o size=64k,nr_inodes=17 t $R && cp -a $T/. $R/ && i=0; while touch $R/fill$i 2>/dev/null; do i=$((i+1)); done"},
	} {
		t.Run(f.name, func(t *testing.T) {
			want := inFault(t, f.mount, ref)
			got := inFault(t, f.mount, ctl)
			if canonicalFault(want) != canonicalFault(got) {
				t.Errorf("the reference:\n%s\nctl:\n%s", want, got)
			}
			if strings.Contains(got, ".ctl-") {
				t.Errorf("a temporary name was left:\n%s", got)
			}
		})
	}
}

// canonicalFault sorts within the answers of verbs that walk directories.
func canonicalFault(s string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(s, "$ ") {
		b.WriteString(sortedLines(part))
	}
	return b.String()
}

// inFault runs the commands in a private mount namespace with the faulty tree at $R.
func inFault(t *testing.T, mount string, p oracle.Program) string {
	t.Helper()
	dir := t.TempDir()
	faultTree().build(t, dir+"/tree")
	// Both see the tree at one path: the mount point is private to each.
	script := "mount -t tmpfs t /mnt; R=/mnt/r; mkdir $R; " + mount + "\n"
	for _, c := range append(faultCommands, "revert d") {
		script += "echo \"$ " + c + "\"; \"$@\" --root=$R " + c + " 2>&1; echo $?\n"
	}
	script += "cd $R; find . -name '*.service' -o -name '.ctl*' | sort"
	argv := p.Argv()
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh"}, argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "T=" + dir + "/tree"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

// TestNobody: a user who may not write, or not read, the tree.
func TestNobody(t *testing.T) {
	oracle.NeedRoot(t, "changing users")
	ref, ctl := oracle.Programs(t)
	dir, err := os.MkdirTemp("", "difftest-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// The programs and the tree lie where only root may go; nobody gets a copy of
	// ctl, and the reference through the caches that root made readable.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(ctl.Argv()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/systemctl", data, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := oracle.Installed(dir + "/systemctl")
	theirs, err := oracle.CopyReference(ref, dir+"/ref")
	if err != nil {
		t.Fatal(err)
	}
	root := dir + "/r"
	faultTree().build(t, root)
	if err := os.Mkdir(root+"/usr/lib/systemd/system/hidden.service.d", 0o700); err != nil {
		t.Fatal(err)
	}
	// One that is nobody's own cannot be removed either, but the reference sees that later.
	etc := root + "/etc/systemd/system/"
	if err := errors.Join(os.Mkdir(etc+"e.service.d", 0o755), os.Chown(etc+"e.service.d", 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	before := oracle.Snapshot(root)
	for _, c := range append(faultCommands, "revert d", "revert e") {
		run := func(p oracle.Program) string {
			argv := p.Argv(append([]string{"--root=" + root}, strings.Fields(c)...)...)
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Dir, cmd.Env = "/", []string{"LANG=C.UTF-8"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := cmd.CombinedOutput()
			status := ""
			if err != nil {
				status = err.Error()
			}
			return sortedLines(string(out)) + status
		}
		if want, got := run(theirs), run(mine); want != got {
			t.Errorf("%s: the reference:\n%s\nctl:\n%s", c, want, got)
		}
	}
	if d := oracle.Diff(before, oracle.Snapshot(root)); d != "" {
		t.Errorf("nobody changed the tree:\n%s", d)
	}
}

func mkfifo(p string) error { return syscall.Mkfifo(p, 0o644) }
