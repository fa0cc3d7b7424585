package cgroup

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Getenv("CGROUP_TRY") != "" {
		attempts()
		return
	}
	os.Exit(m.Run())
}

// TestAttributes: what is written is what the kernel's documentation, Documentation/admin-guide/cgroup-v2.rst, says of the files, and
// systemd.resource-control(5) of the settings.
func TestAttributes(t *testing.T) {
	m := Machine{Memory: 1000 << 20, Tasks: 32768, Device: func(p string) (string, error) { return "8:16", nil }}
	for _, c := range []struct{ settings, want string }{
		{"MemoryMax=1G", "memory.max=1073741824"},
		{"MemoryMax=infinity", "memory.max=max"},
		{"MemoryMax=50%", "memory.max=524288000"},
		{"MemoryHigh=1K;MemoryHigh=2K", "memory.high=2048"},
		{"MemoryMin=0;MemoryLow=4096", "memory.min=0 memory.low=4096"},
		{"MemorySwapMax=0;MemoryZSwapMax=1M;MemoryZSwapWriteback=no", "memory.swap.max=0 memory.zswap.max=1048576 memory.zswap.writeback=0"},
		{"TasksMax=10", "pids.max=10"},
		{"TasksMax=15%", "pids.max=4915"},
		{"TasksMax=infinity", "pids.max=max"},
		{"CPUWeight=20", "cpu.weight=20"},
		{"CPUWeight=idle", "cpu.idle=1"},
		{"CPUQuota=20%", "cpu.max=20000 100000"},
		{"CPUQuota=200%", "cpu.max=200000 100000"},
		{"CPUQuota=50%;CPUQuotaPeriodSec=10ms", "cpu.max=5000 10000"},
		{"CPUQuota=1%;CPUQuotaPeriodSec=1ms", "cpu.max=1000 100000"},
		{"CPUQuota=0.5%", "cpu.max=1000 200000"},
		{"CPUQuota=100%;CPUQuotaPeriodSec=5s", "cpu.max=1000000 1000000"},
		{"AllowedCPUs=0-3 5;AllowedMemoryNodes=0", "cpuset.cpus=0-3,5 cpuset.mems=0"},
		{"AllowedCPUs=0,1;AllowedCPUs=3", "cpuset.cpus=0,1,3"},
		{"CPUSetPartition=root", "cpuset.cpus.partition=root"},
		{"IOWeight=300", "io.weight=default 300"},
		{"IODeviceWeight=/dev/sda 1000", "io.weight=8:16 1000"},
		{"IOReadBandwidthMax=/dev/sda 5M;IOWriteBandwidthMax=/dev/sda infinity", "io.max=8:16 rbps=5000000 io.max=8:16 wbps=max"},
		{"IOReadIOPSMax=/dev/sda 1K;IOWriteIOPSMax=/dev/sda 10", "io.max=8:16 riops=1000 io.max=8:16 wiops=10"},
		{"IODeviceLatencyTargetSec=/dev/sda 25ms", "io.latency=8:16 target=25000"},
		{"OOMPolicy=kill", "memory.oom.group=1"},
		{"MemoryAccounting=yes;DeviceAllow=/dev/null", ""},
	} {
		var l Limits
		for s := range strings.SplitSeq(c.settings, ";") {
			k, v, _ := strings.Cut(s, "=")
			l = append(l, [2]string{k, v})
		}
		a, err := l.Attributes(m)
		var got []string
		for _, a := range a {
			got = append(got, a.File+"="+a.Value)
		}
		if s := strings.Join(got, " "); err != nil || s != c.want {
			t.Errorf("%s: %s %v, want %s", c.settings, s, err, c.want)
		}
	}
}

// TestLimit writes into a directory that stands for a cgroup, with the files of some controllers only.
func TestLimit(t *testing.T) {
	g := &Group{Path: t.TempDir()}
	for _, f := range []string{"memory.max", "memory.high", "pids.max", "cpu.max", "cgroup.kill"} {
		if err := os.WriteFile(g.Path+"/"+f, []byte("max\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	failed := g.Limit(Limits{{"MemoryMax", "64M"}, {"TasksMax", "7"}, {"CPUQuota", "30%"}, {"IOWeight", "50"}})
	if len(failed) != 1 || !strings.HasPrefix(failed[0].Error(), "IOWeight= is not applied: ") {
		t.Errorf("%v", failed)
	}
	for file, want := range map[string]string{"memory.max": "67108864", "memory.high": "max\n", "pids.max": "7", "cpu.max": "30000 100000"} {
		if got, _ := os.ReadFile(g.Path + "/" + file); string(got) != want {
			t.Errorf("%s: %q", file, got)
		}
	}
}

// TestGive: controllers are given on, and taken back.
func TestGive(t *testing.T) {
	h := &Home{path: t.TempDir()}
	file := func(name, text string) {
		if err := os.WriteFile(h.path+"/"+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file("cgroup.controllers", "cpu memory pids\n")
	file("cgroup.subtree_control", "cpu\n")
	file("cgroup.type", "domain\n")
	file("cgroup.procs", fmt.Sprintln(os.Getpid()))
	if !h.Has("cpu") || !h.Has("memory") || h.Has("io") {
		t.Error("alone in it")
	}
	file("cgroup.procs", fmt.Sprintln(os.Getpid(), 1))
	if !h.Has("cpu") || h.Has("memory") {
		t.Error("with another in it")
	}
	file("cgroup.procs", "") // nobody is there to be moved, which plain files could not show
	if err := h.Give([]string{"cpu", "memory"}); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(h.path + "/cgroup.subtree_control"); string(got) != "+memory" {
		t.Errorf("%q", got)
	}
	h.Close()
	if got, _ := os.ReadFile(h.path + "/cgroup.subtree_control"); string(got) != "-memory" {
		t.Errorf("%q", got)
	}
}

// group is a cgroup of the test's own.
func group(t *testing.T) *Group {
	t.Helper()
	h := Find()
	if os.Geteuid() != 0 || h == nil {
		t.Skip("needs root and the unified hierarchy")
	}
	if !Decides() {
		t.Skip("no programs of BPF here")
	}
	g := h.New(strings.ReplaceAll(t.Name(), "/", "-"), func(string) {})
	if g == nil {
		t.Skip("no cgroup can be made")
	}
	t.Cleanup(func() {
		g.Remove()
		if _, err := os.Stat(g.Path); err == nil {
			t.Errorf("%s is left", g.Path)
		}
	})
	return g
}

// try has a process in the group try what the words say.
func try(t *testing.T, g *Group, words string) string {
	t.Helper()
	dir, err := os.Open(g.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CGROUP_TRY="+words, "DIR="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// attempts are what is tried: devices to make, addresses to send to, ports to bind. It says which of them went well.
func attempts() {
	_ = exec.Command("ip", "link", "set", "lo", "up").Run()
	for w := range strings.FieldsSeq(os.Getenv("CGROUP_TRY")) {
		what, rest, _ := strings.Cut(w, "=")
		var err error
		switch what {
		case "mknod", "read", "write":
			var kind rune
			var major, minor uint32
			_, _ = fmt.Sscanf(rest, "%c%d:%d", &kind, &major, &minor)
			p := filepath.Join(os.Getenv("DIR"), strings.ReplaceAll(w, ":", "-"))
			mode := map[rune]uint32{'c': unix.S_IFCHR, 'b': unix.S_IFBLK}[kind]
			if what != "mknod" { // made by who may
				p = map[string]string{"c1:3": "/dev/null", "c1:5": "/dev/zero", "c1:8": "/dev/random", "c10:237": "/dev/loop-control", "c5:2": "/dev/ptmx"}[rest]
				fd, e := unix.Open(p, map[string]int{"read": unix.O_RDONLY, "write": unix.O_WRONLY}[what]|unix.O_NOCTTY, 0)
				if err = e; e == nil {
					unix.Close(fd)
				}
				break
			}
			err = unix.Mknod(p, mode|0o600, int(unix.Mkdev(major, minor)))
		case "send":
			l, e := net.ListenPacket("udp", rest)
			if err = e; e == nil {
				c, e := net.Dial("udp", l.LocalAddr().String())
				if err = e; e == nil {
					_, err = c.Write([]byte("x"))
					c.Close()
				}
				l.Close()
			}
		case "tcp", "udp":
			family, sa := unix.AF_INET, unix.Sockaddr(nil)
			var port int
			_, _ = fmt.Sscanf(rest, "%d", &port)
			sa = &unix.SockaddrInet4{Port: port}
			if strings.HasSuffix(rest, "v6") {
				family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: port}
			}
			fd, e := unix.Socket(family, map[string]int{"tcp": unix.SOCK_STREAM, "udp": unix.SOCK_DGRAM}[what], 0)
			if err = e; e == nil {
				err = unix.Bind(fd, sa)
				unix.Close(fd)
			}
		}
		if err == nil {
			fmt.Println(w)
		}
	}
}

// TestDecides: DeviceAllow= and its kin, as systemd.resource-control(5) has them.
func TestDecides(t *testing.T) {
	const devices = "mknod=c1:3 mknod=c1:1 mknod=b7:0 mknod=c10:237 read=c1:3 write=c1:3 read=c1:8 write=c1:8 read=c10:237 read=c5:2"
	const network = "send=127.0.0.1:0 send=127.1.2.3:0 send=[::1]:0 tcp=80 tcp=8080 udp=80 tcp=80v6"
	for _, c := range []struct {
		settings [][2]string
		words    string
		lost     string
	}{
		{[][2]string{{"DevicePolicy", "auto"}}, devices, ""},
		{[][2]string{{"DevicePolicy", "closed"}}, devices, "mknod=c1:1 mknod=b7:0 mknod=c10:237 read=c10:237"},
		{[][2]string{{"DevicePolicy", "strict"}}, devices, devices},
		{[][2]string{{"DeviceAllow", "/dev/loop-control r"}}, devices, "mknod=c1:1 mknod=b7:0 mknod=c10:237"},
		{[][2]string{{"DevicePolicy", "strict"}, {"DeviceAllow", "/dev/random r"}, {"DeviceAllow", "/dev/null w"}, {"DeviceAllow", "block-loop m"}}, devices,
			"mknod=c1:3 mknod=c1:1 mknod=c10:237 read=c1:3 write=c1:8 read=c10:237 read=c5:2"},
		{[][2]string{{"DeviceAllow", "block-* rwm"}}, devices, "mknod=c1:1 mknod=c10:237 read=c10:237"},
		{[][2]string{{"DeviceAllow", "char-*"}, {"DeviceAllow", "/nosuch"}}, devices, "mknod=b7:0"},
		{[][2]string{{"DevicePolicy", "strict"}, {"DeviceAllow", "char-mem m"}, {"DeviceAllow", "char-10 rm"}}, devices,
			"mknod=b7:0 read=c1:3 write=c1:3 read=c1:8 write=c1:8 read=c5:2"},
		{[][2]string{{"IPAddressAllow", "any"}}, network, ""},
		{[][2]string{{"IPAddressDeny", "any"}}, network, "send=127.0.0.1:0 send=127.1.2.3:0 send=[::1]:0"},
		{[][2]string{{"IPAddressDeny", "any"}, {"IPAddressAllow", "localhost"}}, network, ""},
		{[][2]string{{"IPAddressDeny", "127.1.0.0/16"}}, network, "send=127.1.2.3:0"},
		{[][2]string{{"IPAddressDeny", "127.0.0.0/8"}, {"IPAddressAllow", "127.1.2.3 10.0.0.0/8"}}, network, "send=127.0.0.1:0"},
		{[][2]string{{"IPAddressDeny", "::1 link-local"}}, network, "send=[::1]:0"},
		{[][2]string{{"IPAddressDeny", "::/1"}, {"IPAddressAllow", "::2"}}, network, "send=[::1]:0"},
		{[][2]string{{"SocketBindDeny", "any"}}, network, network},
		{[][2]string{{"SocketBindDeny", "tcp"}}, "tcp=80 tcp=8080 udp=80 tcp=80v6", "tcp=80 tcp=8080 tcp=80v6"},
		{[][2]string{{"SocketBindDeny", "any"}, {"SocketBindAllow", "ipv4:tcp:80-100"}}, "tcp=80 tcp=8080 udp=80 tcp=80v6", "tcp=8080 udp=80 tcp=80v6"},
		{[][2]string{{"SocketBindDeny", "80"}}, "tcp=80 tcp=8080 udp=80 tcp=80v6", "tcp=80 udp=80 tcp=80v6"},
		{[][2]string{{"SocketBindDeny", "ipv6:80"}}, "tcp=80 tcp=8080 udp=80 tcp=80v6", "tcp=80v6"},
		{[][2]string{{"RestrictNetworkInterfaces", "lo"}}, network, ""},
		{[][2]string{{"RestrictNetworkInterfaces", "~lo"}}, network, "send=127.0.0.1:0 send=127.1.2.3:0 send=[::1]:0"},
		{[][2]string{{"RestrictNetworkInterfaces", "nosuch"}}, network, "send=127.0.0.1:0 send=127.1.2.3:0 send=[::1]:0"},
	} {
		t.Run(fmt.Sprint(c.settings), func(t *testing.T) {
			g := group(t)
			l := Limits(c.settings)
			if d, ok := l.Devices(); ok {
				if err := g.RestrictDevices(d); err != nil {
					t.Fatal(err)
				}
			}
			if err := g.RestrictNetwork(l); err != nil {
				t.Fatal(err)
			}
			var want []string
			for w := range strings.FieldsSeq(c.words) {
				if !strings.Contains(" "+c.lost+" ", " "+w+" ") {
					want = append(want, w)
				}
			}
			if got := strings.Join(strings.Fields(try(t, g, c.words)), " "); got != strings.Join(want, " ") {
				t.Errorf("went well: %s\nwanted:    %s", got, strings.Join(want, " "))
			}
		})
	}
}
