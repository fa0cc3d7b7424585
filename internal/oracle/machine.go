package oracle

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Machine is a container that was booted from Tree and in which nothing that is
// done lasts: its root directory is an overlay in memory that only its own
// processes see. Inside, ctl lies under all of systemctl's names in /ctl, the
// reference where it always is.
type Machine struct {
	Name   string
	leader int    // the PID of its PID 1
	dir    string // what it is made of
	group  string // its cgroup
	shell  *os.File
	ended  chan struct{}
	exit   int // the status of ctl, once it has ended
	env    []string
}

// bootLimit is how long a machine may take to boot; two seconds are usual.
const bootLimit = 60 * time.Second

// shellUnit is a service whose cgroup the commands run in, as those of a login run in that of a session.
const shellUnit = `[Unit]
Description=What Machine.Run runs
[Service]
ExecStart=/usr/bin/sleep infinity
`

// setUp makes the root directory of a machine, without the generators, which take half the time of a reload, and becomes ctl,
// called as systemd-nspawn(1), which boots it. All is mounted in a namespace of its own, which ends with it.
const setUp = `set -e
mount -t tmpfs -o mode=755 machine "$MEMORY"
mkdir "$MEMORY/upper" "$MEMORY/work" "$MEMORY/root"
mount -t overlay -o "lowerdir=$TREE,upperdir=$MEMORY/upper,workdir=$MEMORY/work" machine "$MEMORY/root"
root=$MEMORY/root
cp -dR --preserve=mode,timestamps "$FILES/." "$root"
mkdir -p "$root/ctl" "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/system-generators"
for g in "$root"/usr/lib/systemd/system-generators/*; do ln -s /dev/null "$root/etc/systemd/system-generators/${g##*/}"; done
cp "$CTL" "$root/ctl/systemctl"
for name in ctl halt poweroff reboot shutdown; do ln -s systemctl "$root/ctl/$name"; done
printf %s "$SHELL_UNIT" >"$root/etc/systemd/system/shell.service"
ln -s ../shell.service "$root/etc/systemd/system/multi-user.target.wants"
chroot "$root" passwd -qd root
unset CTL TREE FILES SHELL_UNIT
rm -f "$root/etc/machine-id"
exec "$NSPAWN" --keep-unit --register=no --private-network --notify-ready=yes -q -b -D "$root" -M "$NAME" --hostname=vm $OPTIONS
`

// Boot boots a machine, whose files are those of Tree and what is below the directory
// files, if it is not "". It ends with the test.
func Boot(t testing.TB, files string) *Machine {
	t.Helper()
	tree, err := Tree()
	Require(t, err)
	return BootTree(t, tree, files)
}

// BootTree is Boot of another tree than Tree.
func BootTree(t testing.TB, tree, files string) *Machine {
	t.Helper()
	NeedRoot(t, "booting a container")
	_, err := cgroupTop()
	Require(t, err)
	m, err := Start(tree, files)
	if err != nil {
		t.Fatalf("boot: %v", err)
	}
	t.Cleanup(func() {
		if err := m.End(); err != nil {
			t.Errorf("end the machine: %v", err)
		}
	})
	return m
}

// Start is BootTree outside of a test, with options of systemd-nspawn(1) besides: End is to be called.
func Start(tree, files string, options ...string) (_ *Machine, err error) {
	bin, err := Ctl()
	if err != nil {
		return nil, err
	}
	top, err := cgroupTop()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ctl-machine-")
	if err != nil {
		return nil, err
	}
	m := &Machine{Name: strings.ReplaceAll(filepath.Base(dir), "ctl-machine-", "ctl"), dir: dir, group: filepath.Join(top, filepath.Base(dir))}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.End())
		}
	}()
	if files == "" {
		files = dir + "/files"
	}
	for _, d := range []string{dir + "/memory", dir + "/files", m.group} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	nspawn := dir + "/systemd-nspawn"
	if err := os.Symlink(bin, nspawn); err != nil {
		return nil, err
	}
	m.env = append(os.Environ(), "NSPAWN="+nspawn, "MEMORY="+dir+"/memory", "TREE="+tree, "FILES="+files, "CTL="+bin, "NAME="+m.Name, "OPTIONS="+strings.Join(options, " "),
		"NOTIFY_SOCKET="+dir+"/notify", "SHELL_UNIT="+shellUnit)
	return m, m.boot()
}

func (m *Machine) boot() error {
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: m.dir + "/notify"})
	if err != nil {
		return err
	}
	defer notify.Close()
	group, err := os.Open(m.group)
	if err != nil {
		return err
	}
	defer group.Close()
	log, err := os.OpenFile(m.dir+"/log", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", setUp)
	cmd.Env, cmd.Stdout, cmd.Stderr = m.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS,
		Setsid:       true,
		Pdeathsig:    syscall.SIGKILL,
		UseCgroupFD:  true, CgroupFD: int(group.Fd()),
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	m.ended = make(chan struct{})
	go func() {
		_ = cmd.Wait()
		m.exit = cmd.ProcessState.ExitCode()
		notify.Close() // nobody will write
		close(m.ended)
	}()
	if err := m.await(notify); err != nil {
		said, _ := os.ReadFile(m.dir + "/log")
		return fmt.Errorf("%w: %s", err, tail(said))
	}
	m.shell, err = os.Open(filepath.Join(m.group, "payload/system.slice/shell.service"))
	return err
}

// await reads what ctl tells: who is PID 1, and that it has started all.
func (m *Machine) await(notify *net.UnixConn) error {
	if err := notify.SetReadDeadline(time.Now().Add(bootLimit)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return errors.New("ctl spawn ended")
		} else if err != nil {
			return err
		}
		for line := range strings.Lines(string(buf[:n])) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "X_NSPAWN_LEADER_PID":
				if m.leader, err = strconv.Atoi(value); err != nil {
					return err
				}
			case "READY":
				return nil
			}
		}
	}
}

// Ended waits until the machine has ended by itself and returns the status that ctl ended with, that of
// the machine or 0.
func (m *Machine) Ended(t testing.TB) int {
	t.Helper()
	select {
	case <-m.ended:
	case <-time.After(bootLimit):
		t.Fatal("the machine goes on")
	}
	return m.exit
}

// Again waits until the machine, or its user space, has started again.
func (m *Machine) Again(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(bootLimit); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		shell, err := os.Open(m.shell.Name())
		if err != nil {
			continue // it is between its end and its start
		}
		was, err := m.shell.Stat()
		is, isErr := shell.Stat()
		first, procsErr := os.ReadFile(m.group + "/payload/init.scope/cgroup.procs")
		pid, _, _ := strings.Cut(string(first), "\n")
		leader, pidErr := strconv.Atoi(pid)
		if errors.Join(err, isErr, procsErr, pidErr) == nil && !os.SameFile(was, is) {
			m.shell.Close()
			m.shell, m.leader = shell, leader
			return
		}
		shell.Close()
	}
	t.Fatal("the machine does not start again")
}

// End kills all processes of the machine, waits until they are gone, and removes what it was made of.
func (m *Machine) End() error {
	var err error
	if m.ended != nil {
		err = os.WriteFile(m.group+"/cgroup.kill", []byte("1"), 0)
		<-m.ended
		err = errors.Join(err, awaitEmpty(m.group))
	}
	if m.shell != nil {
		m.shell.Close()
	}
	err = errors.Join(err, removeGroup(m.group))
	return errors.Join(err, os.RemoveAll(m.dir))
}

// awaitEmpty waits until no process is in a cgroup, of which the kernel tells by an exceptional condition (cgroups(7)).
func awaitEmpty(group string) error {
	f, err := os.Open(group + "/cgroup.events")
	if err != nil {
		return err
	}
	defer f.Close()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLPRI}}
	for range 100 {
		buf := make([]byte, 256)
		n, err := f.ReadAt(buf, 0)
		if n == 0 {
			return err
		}
		if strings.Contains(string(buf[:n]), "populated 0") {
			return nil
		}
		if _, err := unix.Poll(fds, 5000); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return errors.New("processes are left")
}

// removeGroup removes a cgroup with those below it.
func removeGroup(path string) error {
	var dirs []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		err = errors.Join(err, os.Remove(dirs[i]))
	}
	return err
}

// cgroupTop is where the unified cgroup hierarchy is mounted.
func cgroupTop() (string, error) {
	for _, p := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var s unix.Statfs_t
		if unix.Statfs(p, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
			return p, nil
		}
	}
	return "", errors.New("no unified cgroup hierarchy is mounted")
}
