package runtest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// fixture is a tree with one of everything that can be at a path, on the machine and in a root directory.
const fixture = `set -e
fill() {
	mkdir -p $1/dir/sub/deep $1/other $1/m $1/rom $1/noexec $1/bin
	echo a >$1/file; echo b >$1/dir/file; echo c >$1/dir/sub/deep/file
	ln -s dir $1/link; ln -s /fix/dir/sub $1/abslink; ln -s nowhere/at/all $1/dangling; ln -s loop $1/loop
	ln -s ../other $1/dir/up; ln -s link/up/../abslink/deep $1/chain
	mkfifo $1/fifo; mknod $1/chr c 1 3; mknod $1/blk b 7 250
	perl -e 'use IO::Socket::UNIX; IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => shift, Listen => 1) or die' $1/sock
	cp /probe/mountprobe $1/bin/prog
}
mkdir -p /fix /new /srv/orig/probe /run/out
fill /fix
mount -t tmpfs m /fix/m; mkdir /fix/m/in /fix/m/n; mount -t tmpfs n /fix/m/n; echo n >/fix/m/n/file
mount -t tmpfs -o ro rom /fix/rom
mount -t tmpfs -o noexec,nosuid noexec /fix/noexec; mkdir /fix/noexec/sub; cp /probe/mountprobe /fix/noexec/prog
cp /probe/mountprobe /srv/orig/probe/mountprobe
fill /srv/orig/fix
ln -s /fix /srv/orig/out; ln -s ../../../../fix/dir /srv/orig/esc
mkdir -p /srv/orig/usr/bin /srv/orig/usr/lib64 /srv/orig/etc /srv/orig/var/tmp /srv/orig/home
echo f >/srv/file; ln -s root /srv/link
mkdir -p /run/systemd/unit-extensions /run/systemd/unit-private-tmp /run/systemd/dynamic-uid /run/ctl
extension() { # a name, where it says what it extends, what it says, and what it has
	mkdir -p "/ext/$1$2/extension-release.d"; printf "$3" >"/ext/$1$2/extension-release.d/extension-release.$1"
	shift 3; for d; do mkdir -p "/ext/$d"; echo "$d" >"/ext/$d/extension"; done
}
. /etc/os-release
extension same /usr/lib "ID=$ID\nVERSION_ID=$VERSION_ID\n" same/usr/share/same same/opt same/etc
extension any /usr/lib 'ID=_any\n' any/usr/share/any
extension level /usr/lib "ID=$ID\nSYSEXT_LEVEL=7\n" level/opt
extension other /usr/lib 'ID=other\n' other/usr
extension arch /usr/lib 'ID=_any\nARCHITECTURE=s390\n' arch/usr
extension none /usr/share 'ID=_any\n' none/usr
extension conf /etc 'ID=_any\n' conf/etc/conf conf/usr/conf
extension both /etc 'ID=_any\n' both/etc; extension both /usr/lib 'ID=_any\n' both/opt/both
extension named /usr/lib 'ID=_any\n' named/opt; mv /ext/named/usr/lib/extension-release.d/extension-release.named /ext/named/usr/lib/extension-release.d/extension-release.x
version() { mkdir -p /ver/$2; cp -a /ext/any/. /ver/$2; mv /ver/$2/usr/lib/extension-release.d/extension-release.any /ver/$2/usr/lib/extension-release.d/extension-release.$1; }
version one one.v/one_1; version one one.v/one_2; version two_2 two.v/two_2; version three three.v/three_1_x86-64+0; version four four_1; version five five_1_2.x; version six six-1; version seven_1 seven_1_2
mkdir /ver/none.v /ver/sys.v /ver/sys.v/sys_9+0-3 /ver/lost.v; ln -s /srv/root /ver/sys.v/sys_2; ln -s nowhere /ver/lost.v/lost_1; touch /ver/file.v
find /fix | sort >/srv/list
`

const tried = "/ /fix /fix/dir /fix/dir/file /fix/dir/sub /fix/dir/sub/deep /fix/file /fix/other /fix/m /fix/m/in /fix/m/n /fix/m/n/file /fix/rom /fix/noexec /fix/noexec/prog " +
	"/fix/bin/prog /fix/fifo /fix/sock /fix/chr /fix/blk /new /new/a /new/m /dev /dev/shm /dev/mqueue /dev/char /tmp /var/tmp /usr /usr/lib/modules /etc /home /root /run /run/user /usr/share/same/extension /usr/share/any/extension /opt/extension /etc/extension /etc/conf/extension /opt/both/extension " +
	"/run/credentials /run/credentials/%n /run/credentials/%n/a /run/host /run/host/os-release /run/systemd /run/systemd/journal /run/systemd/incoming /run/foo /var/lib /var/lib/foo /var/lib/private /var/cache/foo /var/log/foo /proc /proc/sys /proc/1 /proc/kmsg /proc/kallsyms " +
	"/proc/sys/kernel/hostname /proc/sysrq-trigger /sys /sys/fs/cgroup /sys/kernel /out /esc"

// cases are the units of a list: settings, and an empty line after each.
func cases(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n\n")
}

// start starts all units with a command in which %s is the name of one, and returns what each has said.
func start(t *testing.T, m *oracle.Machine, command string, n int) []string {
	t.Helper()
	var all []string
	for len(all) < n {
		last := min(len(all)+40, n)
		r := m.Run(t, fmt.Sprintf("/probe/mountprobe loop %d %d '%s'", len(all), last, command))
		l := strings.Split(r.Stdout, "\x01")
		if r.Exit != 0 || len(l) != last-len(all)+1 {
			t.Fatalf("exit %d, %d units from %d on: %s", r.Exit, len(l)-1, len(all), r.Stderr)
		}
		all = append(all, l[:last-len(all)]...)
	}
	return all
}

var processes = regexp.MustCompile(`/[0-9]{2,}/`)

var runtimeDir = regexp.MustCompile(`/ctl/run-[0-9]+/\.os-release-stage`)

var dynamicUser = regexp.MustCompile(`6[1-5][0-9]{3}:6[1-5][0-9]{3}`)

var ephemeralTree = regexp.MustCompile(`/ephemeral-trees/\S+`)

var leftInTree = regexp.MustCompile(`(?m)^left /srv/root/.*\n?`)

var notifySocket = regexp.MustCompile(`/ctl/run-[0-9]+/notify-[0-9]+`)

var extensionLayers = regexp.MustCompile(`(systemd-extensions ro,lowerdir=)(\S*?)(,|$)`)

var exitStatus = regexp.MustCompile(`(?m)^exit [0-9]+$`)

var unitNumber = regexp.MustCompile(`systemd-private-[^/]*-m?t?[0-9]*\.service-[A-Za-z0-9]*`)

// normal is what a unit has said without what is never the same: numbers of mounts, file systems and groups of mounts.
func normal(said string, host map[string]string) string {
	point, device := map[string]string{}, map[string]string{}
	var mounts, rest []string
	for line := range strings.Lines(said) {
		if f := strings.Fields(line); f[0] == "mount" && len(f) > 6 {
			point[f[1]] = f[5]
		}
	}
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "mount") && strings.Contains(line, "memory.pressure") {
			continue // of the cgroup that systemd has made
		}
		line = extensionLayers.ReplaceAllStringFunc(line, func(s string) string { // by the paths where each has them on the way
			return "systemd-extensions of " + strconv.Itoa(1+strings.Count(s, ":"))
		})
		line = notifySocket.ReplaceAllString(line, "/systemd/notify")
		line = runtimeDir.ReplaceAllString(line, "/systemd/propagate/.os-release-stage")
		line = dynamicUser.ReplaceAllString(line, "UID:UID")
		line = ephemeralTree.ReplaceAllString(line, "/ephemeral-trees/COPY")
		line = processes.ReplaceAllString(line, "/N/")
		line = unitNumber.ReplaceAllString(line, "PRIVATE")
		f := strings.Fields(line)
		if f[0] != "mount" || !slices.Contains(f, "-") {
			rest = append(rest, strings.TrimRight(line, "\n"))
			continue
		}
		fs, ok := host[f[3]]
		if !ok {
			if fs, ok = device[f[3]]; !ok {
				fs = "new " + f[5]
				device[f[3]] = fs
			}
		}
		above, ok := point[f[2]]
		if !ok {
			above = "?"
		}
		dash := slices.Index(f, "-")
		groups := ""
		for _, o := range f[7:dash] {
			kind, id, _ := strings.Cut(o, ":")
			if kind == "master" || kind == "propagate_from" {
				kind += ":" + host["group "+id]
			}
			groups += " " + kind
		}
		mounts = append(mounts, fmt.Sprintf("%s on %s fs %s root %s %s%s - %s", f[5], above, fs, f[4], f[6], groups, strings.Join(f[dash+1:], " ")))
	}
	sort.Strings(mounts)
	return strings.Join(append(mounts, rest...), "\n")
}

// hostTable are the file systems and groups of mounts of the machine, by their numbers.
func hostTable(table string) map[string]string {
	h := map[string]string{}
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if _, ok := h[f[2]]; !ok {
			h[f[2]] = f[4]
		}
		if id, ok := strings.CutPrefix(f[6], "shared:"); ok {
			h["group "+id] = f[4]
		}
	}
	return h
}

// TestMounts has systemd and ctl start the same units, whose program tells what is mounted.
func TestMounts(t *testing.T) {
	m := machine(t)
	copyTo(t, m, "/probe/mountprobe", buildProbe(t, "./mountprobe"))
	m.Shell(t, fixture)
	t.Cleanup(func() {
		m.Shell(t, "umount /fix/m/n /fix/m /fix/rom /fix/noexec; rm -rf /fix /new /ext /ver /srv/* /probe /run/out")
	})
	units := cases(t, "testdata/mounts.txt")
	if only := os.Getenv("ONLY"); only != "" {
		units = slices.DeleteFunc(units, func(u string) bool { return !strings.Contains(u, only) })
	} else {
		units = slices.DeleteFunc(units, func(u string) bool { return !oracle.Chosen(u, 0, 4) })
	}
	seed, n := oracle.Number("CTL_SEED", 1), oracle.Number("CTL_RANDOM", 20)
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		units = append(units, randomMounts(r))
	}
	t.Logf("seed %d", seed)
	compareMounts(t, m, units)
}

// randomMounts are settings about random paths of the fixture.
func randomMounts(r *rand.Rand) string {
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	where := func() string {
		p := pick("/fix", "/fix", "/fix/dir", "/fix/dir/sub", "/fix/dir/sub/deep", "/fix/dir/sub/deep/file", "/fix/dir/file", "/fix/file", "/fix/other", "/fix/m", "/fix/m/n",
			"/fix/m/in", "/fix/m/n/file", "/fix/rom", "/fix/noexec", "/fix/noexec/sub", "/fix/noexec/prog", "/fix/bin", "/fix/bin/prog", "/fix/fifo", "/fix/sock", "/fix/chr",
			"/fix/link", "/fix/link/sub", "/fix/abslink", "/fix/abslink/deep", "/fix/dir/up", "/fix/dir/up/x", "/fix/chain", "/fix/link/up", "/fix/nope", "/fix/dir/nope/a",
			"/fix/dangling", "/fix/loop", "/usr", "/usr/lib", "/etc", "/home", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc", "/proc/sys", "/sys", "/sys/fs/cgroup", "/run",
			"/run/systemd", "/run/credentials", "/", "/new", "/root")
		if r.IntN(8) == 0 {
			p = "/srv/root" + p
		}
		return p
	}
	// What systemd mounts on the way is in /run/systemd (deviation 105), and the directories of PrivateTmp= are in /tmp; /proc is another at each moment.
	// These are no sources.
	source := func() string {
		for {
			if p := where(); p != "/" && p != "/proc" && !strings.HasPrefix(p, "/run") && !strings.HasSuffix(p, "/tmp") && p != "/srv/root/" {
				return p
			}
		}
	}
	var l []string
	var access, binds, temporary, protect int
	if r.IntN(5) == 0 {
		l = append(l, "RootDirectory="+pick("/srv/root", "/srv/root", "/srv/link"))
		if r.IntN(2) == 0 {
			l = append(l, pick("MountAPIVFS=no", "BindLogSockets=no", "BindLogSockets=yes"))
		}
	}
	for range 1 + r.IntN(5) {
		switch k := r.IntN(10); {
		case k < 5 && access < 4:
			access++
			line := pick("ReadOnlyPaths=", "ReadWritePaths=", "InaccessiblePaths=", "NoExecPaths=", "ExecPaths=")
			for i := range 1 + r.IntN(3) {
				if i > 0 {
					line += " "
				}
				line += pick("", "-", "-", "-", "+", "-+") + where()
			}
			l = append(l, line)
		case k < 7 && binds < 3:
			binds++
			line := pick("BindPaths=", "BindReadOnlyPaths=") + pick("-", "", "-") + source()
			if r.IntN(4) > 0 {
				line += ":" + pick(where(), where(), "/new/a", "/new/a/b", "/fix/other/x") + pick("", "", ":norbind", ":rbind")
			}
			l = append(l, line)
		case k < 8 && temporary < 2:
			temporary++
			l = append(l, "TemporaryFileSystem="+pick(where(), where(), "/new/t")+pick("", ":ro", ":mode=700,noexec", ":size=1m,suid"))
		case protect < 3:
			protect++
			l = append(l, pick("ProtectSystem=strict", "ProtectSystem=full", "ProtectSystem=yes", "ProtectHome=yes", "ProtectHome=tmpfs", "ProtectHome=read-only", "PrivateDevices=yes", "PrivateTmp=yes",
				"PrivateTmp=disconnected", "NoNewPrivileges=yes", "ProtectKernelTunables=yes", "ProtectKernelLogs=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes", "ProtectProc=invisible",
				"ProcSubset=pid", "PrivateNetwork=yes", "PrivateIPC=yes", "MountFlags=slave", "MountFlags=private", "PrivateMounts=yes", "ProtectHostname=yes", "MountAPIVFS=yes", "BindLogSockets=yes",
				"StateDirectory=foo"))
		}
	}
	return strings.Join(l, "\n")
}

// compareMounts has systemd and ctl start units with these settings.
func compareMounts(t *testing.T, m *oracle.Machine, units []string) {
	t.Helper()
	script := ""
	for i, u := range units {
		u, plus, _ := strings.Cut(u, "\nExecStart=")
		script += fmt.Sprintf("cat >/run/systemd/system/m%d.service <<'END'\n[Service]\nType=oneshot\nStandardOutput=truncate:/run/out/m%d\nStandardError=file:/dev/null\nExecStart=%s/probe/mountprobe %s\n%s\nEND\n",
			i, i, plus, tried, u)
	}
	feed(t, m, "sh", strings.NewReader(script+"systemctl daemon-reload\n"))
	host := hostTable(m.Run(t, "cat /proc/self/mountinfo").Stdout)
	want := start(t, m, `systemctl -q start %s 2>/dev/null`, len(units))
	names := ""
	for i := range units {
		names += fmt.Sprintf(" m%d", i)
	}
	for i, status := range strings.Fields(m.Run(t, "systemctl show -P ExecMainStatus"+names).Stdout) {
		want[i] = exitStatus.ReplaceAllString(want[i], "exit "+status)
	}
	got := start(t, m, `/ctl/ctl run /run/systemd/system/%s.service 2>>/srv/err`, len(units))
	bad := 0
	for i, u := range units {
		w, g := normal(want[i], host), normal(got[i], host)
		if strings.Contains(u, "ExtensionDirectories=") && strings.Contains(w, "exit 226") {
			w, g = leftInTree.ReplaceAllString(w, ""), leftInTree.ReplaceAllString(g, "") // systemd makes something before it finds out (deviation 120)
		}
		if strings.Contains(u, "PrivateTmp=disconnected") && strings.Contains(u, ":/tmp:norbind") {
			w, g = underTmp.ReplaceAllString(w, ""), underTmp.ReplaceAllString(g, "") // deviation 121
		}
		if d := cmp.Diff(strings.Split(w, "\n"), strings.Split(g, "\n")); d != "" {
			bad++
			t.Errorf("%s\n- systemd, + ctl\n%s", u, trim(d))
		}
	}
	t.Logf("%d of %d differ", bad, len(units))
}

// underTmp is what /tmp was before anything was mounted there.
var underTmp = regexp.MustCompile(`(?m)^/tmp on / fs .* - tmpfs tmpfs .*\n`)

// trim leaves out of a difference what is alike.
func trim(d string) string {
	var l []string
	for line := range strings.Lines(d) {
		if strings.HasPrefix(line, "-") || strings.HasPrefix(line, "+") {
			l = append(l, strings.Join(strings.Fields(line), " "))
		}
	}
	if len(l) > 40 {
		slices.SortStableFunc(l, func(a, b string) int { return strings.Compare(a[:1], b[:1]) })
		l = append(l[:40], "...")
	}
	return strings.Join(l, "\n")
}

// buildProbe builds a program of this package, which needs nothing to run.
func buildProbe(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "probe")
	cmd := exec.Command("go", "build", "-o", bin, dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// copyTo copies a program into the machine.
func copyTo(t *testing.T, m *oracle.Machine, to, from string) {
	t.Helper()
	f, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	feed(t, m, "mkdir -p "+filepath.Dir(to)+"; cat >"+to+"; chmod 755 "+to, f)
}

// feed runs a command in the machine that reads something.
func feed(t *testing.T, m *oracle.Machine, command string, stdin io.Reader) {
	t.Helper()
	cmd := m.Command(command)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
