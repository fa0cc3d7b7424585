package oracle

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A Host is a small machine on which systemd-nspawn 262 and ctl start containers: its root is SpawnTree, all its namespaces and
// its cgroup are its own, and no manager runs there. Each call gets one that nobody has used, and what the call left behind on it
// is told.
type Host struct {
	tree, layer, small, bin string
	top                     string // of the cgroups
}

// A HostCall is what is done on a host.
type HostCall struct {
	Setup  string // a shell script run before
	Script string // the shell script that is watched; $S is the program
	Env    []string
	TTY    bool   // it has a terminal of 24 lines with 80 columns
	Stdin  string // "" for /dev/null, "pipe", "closed", or "=TEXT" for a file with a text
	Steps  []Step
	Full   bool // the machine has the whole of SpawnTree at ./full
}

// A Step is done while the script runs: "expect" waits for a text in what was said, "send" types one, "signal" sends a signal
// by its number, "close" closes the standard input, "size" changes the terminal's ("LINESxCOLUMNS").
type Step struct{ Do, Text string }

// A HostResult is what came of a HostCall.
type HostResult struct {
	Result
	Left []string // what was changed on the host
	Err  string   // why the call could not be made
}

// HostDir is the working directory of all that runs on a Host: it has the tree ./t and whatever Setup makes.
const HostDir = "/var/lib/machines"

// hostEnv has the description of the host for a test binary that is to be the first process of one.
const hostEnv = "CTL_TEST_HOST"

// hostLimit is how long a call may take.
const hostLimit = 60 * time.Second

// hostSpec is what the first process of a host has to know.
type hostSpec struct {
	Tree, Layer, Small, Bin, Dir string
	Call                         HostCall
}

// NewHost makes what all calls share.
func NewHost(t testing.TB) *Host {
	t.Helper()
	NeedRoot(t, "a host of containers")
	h, err := theHost()
	Require(t, err)
	return h
}

var theHost = sync.OnceValues(func() (*Host, error) {
	tree, err := SpawnTree()
	if err != nil {
		return nil, err
	}
	bin, err := Ctl()
	if err != nil {
		return nil, err
	}
	top, err := cgroupTop()
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(bin) // Main removes it
	h := &Host{tree: tree, layer: dir + "/layer", small: dir + "/small", bin: dir + "/bin", top: top}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/probe", "./internal/spawntest/probe")
	build.Dir = Repo()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the probe: %w: %s", err, out)
	}
	script := exec.Command("sh", "-ec", hostFiles)
	script.Env = append(os.Environ(), "TREE="+tree, "DIR="+dir)
	if out, err := script.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("files of the host: %w: %s", err, tail(out))
	}
	return h, nil
})

// hostFiles makes what a host has over SpawnTree, and the small tree that most containers are made of.
const hostFiles = `umask 022
mkdir -p "$DIR/bin" "$DIR/layer/etc/systemd" "$DIR/layer/ctl" "$DIR/layer/root" "$DIR/layer/usr/bin"
cp "$DIR/systemctl" "$DIR/bin/ctl"
ln -s ctl "$DIR/bin/systemd-nspawn"
cp "$DIR/probe" "$DIR/layer/usr/bin/probe"
cd "$DIR/layer/etc"
echo 0123456789abcdef0123456789abcdef >machine-id
echo host >hostname
echo nameserver 192.0.2.1 >resolv.conf
ln -s ../usr/share/zoneinfo/Europe/Berlin localtime
mkdir -m 755 "$DIR/small"
cd "$DIR/small"
mkdir -p usr/bin usr/lib usr/sbin usr/lib64 etc root var/tmp var/log tmp proc sys dev run home srv/data usr/share/zoneinfo/Europe usr/share/zoneinfo/Etc
chmod 700 root; chmod 1777 tmp var/tmp
for d in bin lib sbin lib64; do ln -s usr/$d $d; done
cp "$DIR/probe" usr/bin/probe
cp "$TREE/usr/bin/busybox" usr/bin/busybox
for n in sh cat ls echo sleep true false id env kill stat stty mount umount readlink test touch mkdir rm printf reboot poweroff mkfifo wc head grep sort tr nohup setsid trap seq hostname chmod ln cp mv date timeout tty rmdir find dd; do
	[ -e usr/bin/$n ] || ln -s busybox usr/bin/$n; done
ln -s ../bin/probe usr/sbin/init
for f in "$TREE"/usr/lib/*/libc.so.6 "$TREE"/usr/lib64/ld-linux* "$TREE"/usr/lib/ld-linux* "$TREE"/usr/bin/getent; do
	[ -e "$f" ] || continue; mkdir -p "./${f%/*}" 2>/dev/null; done 2>/dev/null
rm -rf "./$TREE" "./${TREE#/}"
(cd "$TREE"; tar -ch --ignore-failed-read usr/lib/*/libc.so.6 $(ls usr/lib64/ld-linux* usr/lib/ld-linux* 2>/dev/null) usr/bin/getent) | tar -x
cp "$TREE/usr/share/zoneinfo/Europe/Berlin" usr/share/zoneinfo/Europe/
cp "$TREE/usr/share/zoneinfo/Etc/UTC" usr/share/zoneinfo/Etc/
printf 'ID=small\nVERSION_ID=1\nPRETTY_NAME="Small"\n' >usr/lib/os-release
ln -s ../usr/lib/os-release etc/os-release
printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nann:x:1000:1000:Ann:/home/ann:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\ndaemon:x:1:\naudio:x:29:ann\ntty:x:5:\nann:x:1000:\nnogroup:x:65534:\n' >etc/group
printf 'passwd: files\ngroup: files\n' >etc/nsswitch.conf
echo data >srv/data/file
`

// Run makes a host and does a call on it, with the program "reference" or "ctl".
func (h *Host) Run(program string, c HostCall) (HostResult, error) {
	dir, err := os.MkdirTemp("", "ctl-host-")
	if err != nil {
		return HostResult{}, err
	}
	defer os.RemoveAll(dir)
	group := filepath.Join(h.top, filepath.Base(dir))
	if err := os.MkdirAll(group+"/caller", 0o755); err != nil {
		return HostResult{}, err
	}
	defer removeGroup(group)
	g, err := os.Open(group)
	if err != nil {
		return HostResult{}, err
	}
	defer g.Close()
	spec := hostSpec{Tree: h.tree, Layer: h.layer, Small: h.small, Bin: h.bin, Dir: dir, Call: c}
	s := "/usr/bin/systemd-nspawn"
	if program == "ctl" {
		s = "/ctl/systemd-nspawn"
	}
	spec.Call.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb",
		"K=--keep-unit --register=no", "S=" + s}, c.Env...)
	ctx, cancel := context.WithTimeout(context.Background(), hostLimit+5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), hostEnv+"=1")
	var said strings.Builder
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		Unshareflags: syscall.CLONE_NEWCGROUP, // after the process is in its cgroup, which becomes the root
		Setsid:       true,
		Pdeathsig:    syscall.SIGKILL,
		UseCgroupFD:  true, CgroupFD: int(g.Fd()),
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return HostResult{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return HostResult{}, err
	}
	if err := cmd.Start(); err != nil {
		return HostResult{}, err
	}
	var r HostResult
	err = gob.NewEncoder(in).Encode(spec)
	if err == nil {
		err = gob.NewDecoder(out).Decode(&r)
	}
	in.Close()
	_ = cmd.Wait()
	_ = os.WriteFile(group+"/cgroup.kill", []byte("1"), 0)
	if e := awaitEmpty(group); e != nil && err == nil {
		err = e
	}
	if err != nil {
		return r, fmt.Errorf("host: %w: %s", err, said.String())
	}
	if r.Err != "" {
		return r, fmt.Errorf("host: %s", r.Err)
	}
	return r, nil
}

// copyTree copies a tree with modes, but no owners; it is all root's.
func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		q := to + strings.TrimPrefix(p, from)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			if err := os.Mkdir(q, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(target, q)
		default:
			if err := copyFile(q, p); err != nil {
				return err
			}
		}
		return os.Chmod(q, info.Mode())
	})
}
