package seccomp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
)

// probeEnv makes this test binary a payload that does nothing until its input ends.
const probeEnv = "CTL_SECCOMP_PROBE"

func TestMain(m *testing.M) {
	if os.Getenv(probeEnv) != "" {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	oracle.Main(m)
}

// nspawn runs the real systemd-nspawn in a mount namespace where all cgroups are of the kind that it wants.
const nspawn = `set -e
mount --make-rprivate /
mount -t tmpfs run /run
[ "$GROUPS_AT" = /sys/fs/cgroup ] || mount --bind "$GROUPS_AT" /sys/fs/cgroup
lib=$TREE/usr/lib/x86_64-linux-gnu
exec "$TREE/usr/lib64/ld-linux-x86-64.so.2" --library-path "$lib:$lib/systemd" "$TREE/usr/bin/systemd-nspawn" \
	--keep-unit --register=no --pipe -q -D "$DIR" -M ctl-seccomp --setenv=` + probeEnv + `=1 "$@" /probe
`

// reference returns the filters that the real systemd-nspawn loads with the options, the first loaded first.
func reference(t *testing.T, options ...string) [][]unix.SockFilter {
	t.Helper()
	oracle.NeedRoot(t, "reading the filters of a process")
	tree, err := oracle.PlacesTree()
	oracle.Require(t, err)
	groups := groupsAt(t)
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/usr", 0o755); err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/probe", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	group, err := os.Open(makeGroup(t, groups))
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	cmd := exec.Command("sh", append([]string{"-c", nspawn, "sh"}, options...)...)
	cmd.Env = append(os.Environ(), "TREE="+tree, "DIR="+dir, "GROUPS_AT="+groups)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close() // the probe ends, and systemd-nspawn with it
		if err := cmd.Wait(); err != nil {
			t.Errorf("systemd-nspawn: %v", err)
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the payload says %q, %v", line, err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatalf("children of systemd-nspawn: %v", err)
	}
	filters, err := filtersOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return filters
}

// groupsAt is where the cgroup hierarchy of the second kind is mounted.
func groupsAt(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var s unix.Statfs_t
		if unix.Statfs(p, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
			return p
		}
	}
	oracle.Require(t, errors.New("no unified cgroup hierarchy is mounted"))
	return ""
}

// makeGroup makes a cgroup, in which systemd-nspawn makes two more.
func makeGroup(t *testing.T, top string) string {
	t.Helper()
	path, err := os.MkdirTemp(top, "ctl-seccomp-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range []string{path + "/payload", path + "/supervisor", path} {
			// The last processes leave a cgroup a moment after they were waited for.
			err := syscall.EBUSY
			for range 100 {
				if err, _ = syscall.Rmdir(p).(syscall.Errno); err != syscall.EBUSY {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err != 0 && err != syscall.ENOENT {
				t.Errorf("remove %s: %v", p, err)
			}
		}
	})
	return path
}

// filtersOf reads the filters of a process, the first loaded first.
func filtersOf(pid int) ([][]unix.SockFilter, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(pid); err != nil {
		return nil, fmt.Errorf("seize: %w", err)
	}
	defer func() { _ = unix.PtraceDetach(pid) }()
	if err := unix.PtraceInterrupt(pid); err != nil {
		return nil, fmt.Errorf("interrupt: %w", err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return nil, fmt.Errorf("wait: %w", err)
	}
	var filters [][]unix.SockFilter
	for {
		program := make([]unix.SockFilter, unix.BPF_MAXINSNS)
		n, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SECCOMP_GET_FILTER, uintptr(pid), uintptr(len(filters)), uintptr(unsafe.Pointer(&program[0])), 0, 0)
		if errno == unix.ENOENT {
			return filters, nil
		} else if errno != 0 {
			return nil, fmt.Errorf("filter %d: %w", len(filters), errno)
		}
		filters = append(filters, program[:n])
	}
}

// TestContainer compares what systemd-nspawn loads with what Container makes, for each number of each ABI.
func TestContainer(t *testing.T) {
	const retained = 0xfdecafff
	bits := func(l ...uint) (s uint64) {
		for _, c := range l {
			s |= 1 << c
		}
		return s
	}
	for _, c := range []struct {
		options     []string
		added, gone uint64
		allow, deny []string
		more        func(*Policy)
	}{
		{},
		{
			options: []string{"--capability=CAP_SYS_TIME,CAP_SYS_MODULE,CAP_SYS_RAWIO,CAP_IPC_LOCK,CAP_SYS_PACCT,CAP_SYSLOG,CAP_BPF"},
			added:   bits(unix.CAP_SYS_TIME, unix.CAP_SYS_MODULE, unix.CAP_SYS_RAWIO, unix.CAP_IPC_LOCK, unix.CAP_SYS_PACCT, unix.CAP_SYSLOG, unix.CAP_BPF),
		},
		{options: []string{"--drop-capability=CAP_SYS_PTRACE,CAP_SYS_BOOT,CAP_SYS_TTY_CONFIG"}, gone: bits(unix.CAP_SYS_PTRACE, unix.CAP_SYS_BOOT, unix.CAP_SYS_TTY_CONFIG)},
		{options: []string{"--system-call-filter=@swap bpf nosuchcall @nosuchgroup @pkey"}, allow: []string{"@swap", "bpf", "nosuchcall", "@nosuchgroup", "@pkey"}},
		{options: []string{"--system-call-filter=~@mount @keyring socket msgget ptrace nosuchcall @nosuchgroup"}, deny: []string{"@mount", "@keyring", "socket", "msgget", "ptrace", "nosuchcall", "@nosuchgroup"}},
		{options: []string{"--system-call-filter=~@network-io"}, deny: []string{"@network-io"}},
		{options: []string{"--system-call-filter=@system-service @privileged", "--system-call-filter=~@pkey @chown creat semop"}, allow: []string{"@system-service", "@privileged"}, deny: []string{"@pkey", "@chown", "creat", "semop"}},
		{options: []string{"--system-call-filter=@known", "--system-call-filter=~@obsolete"}, allow: []string{"@known"}, deny: []string{"@obsolete"}},
		{options: []string{"--suppress-sync=yes"}, more: (*Policy).SuppressSync},
		{options: []string{"--system-call-filter=~fsync syncfs", "--suppress-sync=yes"}, deny: []string{"fsync", "syncfs"}, more: (*Policy).SuppressSync},
		{options: []string{"--restrict-address-families=AF_INET AF_INET6 AF_UNIX AF_NETLINK"}, more: restrict(false, "AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK")},
		{options: []string{"--restrict-address-families=AF_MCTP AF_LOCAL", "--restrict-address-families=~AF_UNIX"}, more: func(p *Policy) {
			var f Families
			_ = f.Assign(false, []string{"AF_MCTP", "AF_LOCAL"})
			_ = f.Assign(true, []string{"AF_UNIX"})
			p.RestrictAddressFamilies(f)
		}},
		{options: []string{"--restrict-address-families=~AF_PACKET AF_VSOCK AF_ROUTE"}, more: restrict(true, "AF_PACKET", "AF_VSOCK", "AF_ROUTE")},
		{options: []string{"--restrict-address-families=none"}, more: func(p *Policy) {
			var f Families
			f.Reset(true)
			p.RestrictAddressFamilies(f)
		}},
		{options: []string{"--restrict-address-families="}, more: restrict(false)},
	} {
		t.Run(strings.Join(c.options, " "), func(t *testing.T) {
			want := reference(t, c.options...)
			p, _ := Container(retained&^c.gone|c.added, c.allow, c.deny)
			if c.more != nil {
				c.more(&p)
			}
			program := p.Program()
			n := 0
			for _, w := range want {
				n += len(w)
			}
			t.Logf("%d filters of %d instructions; ours has %d", len(want), n, len(program))
			for _, a := range Local() {
				same(t, want, program, a)
			}
		})
	}
}

func restrict(inverted bool, names ...string) func(*Policy) {
	return func(p *Policy) {
		var f Families
		if len(names) > 0 {
			_ = f.Assign(inverted, names)
		}
		p.RestrictAddressFamilies(f)
	}
}
