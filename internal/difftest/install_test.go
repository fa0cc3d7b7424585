package difftest

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// services are packages whose maintainer scripts call systemctl, directly or through deb-systemd-helper.
const services = "openssh-server,nginx-light,postgresql,cron,rsyslog,network-manager,cups-daemon,avahi-daemon,bluez,chrony,dnsmasq," +
	"redis-server,memcached,lighttpd,vsftpd,smartmontools,anacron,acpid,rpcbind,openvpn," +
	"at,atop,sysstat,logrotate,haveged,irqbalance,stunnel4,plocate,uuid-runtime,gpm"

// TestInstallation has Debian install service packages twice, with the real systemctl and
// with ctl in its place, and compares all links and what deb-systemd-helper remembers of them.
func TestInstallation(t *testing.T) {
	_, err := oracle.Tree()
	oracle.Require(t, err)
	oracle.NeedRoot(t, "installing packages")
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	var want, got string
	t.Run("both", func(t *testing.T) {
		t.Run("reference", func(t *testing.T) { t.Parallel(); want = referenceInstallation(t) })
		t.Run("ctl", func(t *testing.T) { t.Parallel(); got = installation(t, bin) })
	})
	if t.Failed() {
		return
	}
	if len(strings.Split(want, "\n")) < 100 {
		t.Fatalf("the reference made only these:\n%s", want)
	}
	if want != got {
		t.Errorf("- the reference, + ctl:\n%s", lineDiff(want, got))
	}
	t.Logf("%d links and records compared", strings.Count(want, "\n"))
}

// referenceInstallation is kept in the cache; it depends on Debian's archive alone.
func referenceInstallation(t *testing.T) string {
	t.Helper()
	kept := filepath.Join(oracle.Cache(), "installation.txt")
	if data, err := os.ReadFile(kept); err == nil && strings.HasPrefix(string(data), services+"\n") {
		_, text, _ := strings.Cut(string(data), "\n")
		return text
	}
	text := installation(t, "")
	if err := os.WriteFile(kept, []byte(services+"\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	return text
}

// installation installs the packages, with ctl as systemctl if it is not "", and
// describes what they left.
func installation(t *testing.T, ctl string) string {
	t.Helper()
	dir, err := os.MkdirTemp(oracle.Cache(), "installation-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tree := dir + "/tree"
	if ctl != "" {
		// Before the package systemd comes, so that its file is put aside.
		os.Setenv("CTL_BIN", ctl)
		defer os.Unsetenv("CTL_BIN")
		err = oracle.Debootstrap(tree, "systemd,systemd-sysv,dbus,init-system-helpers,"+services,
			`--essential-hook=chroot "$1" dpkg-divert --local --rename --divert /usr/bin/systemctl.real --add /usr/bin/systemctl`,
			`--essential-hook=cp "$CTL_BIN" "$1/usr/bin/systemctl"`)
	} else {
		err = oracle.Debootstrap(tree, "systemd,systemd-sysv,dbus,init-system-helpers,"+services)
	}
	if err != nil {
		t.Fatal(err)
	}
	if ctl != "" {
		// That it was ctl which the maintainer scripts called.
		if !sameFile(t, ctl, tree+"/usr/bin/systemctl") || sameFile(t, ctl, tree+"/usr/bin/systemctl.real") {
			t.Fatal("ctl is not the tree's systemctl")
		}
	}
	return describe(t, tree)
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(x, y)
}

// describe lists links and records below the directories that systemctl and
// deb-systemd-helper write to.
func describe(t *testing.T, tree string) string {
	t.Helper()
	var b strings.Builder
	for _, d := range []string{"/etc/systemd", "/run/systemd", "/var/lib/systemd/deb-systemd-helper-enabled",
		"/var/lib/systemd/deb-systemd-user-helper-enabled", "/var/lib/systemd/deb-systemd-helper-masked"} {
		_ = filepath.WalkDir(tree+d, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			name := strings.TrimPrefix(p, tree)
			switch {
			case e.Type()&fs.ModeSymlink != 0:
				target, _ := os.Readlink(p)
				fmt.Fprintf(&b, "%s → %s\n", name, target)
			case e.Type().IsRegular():
				data, _ := os.ReadFile(p)
				fmt.Fprintf(&b, "%s %q\n", name, data)
			default:
				fmt.Fprintf(&b, "%s %v\n", name, e.Type())
			}
			return nil
		})
	}
	return b.String()
}

func lineDiff(a, b string) string {
	m := func(s string) oracle.State {
		l := make(oracle.State)
		for line := range strings.Lines(s) {
			l[strings.TrimSpace(line)] = oracle.Entry{}
		}
		return l
	}
	return oracle.Diff(m(a), m(b))
}

// TestUpdateHelper calls systemctl the way rpm's scriptlets do through
// systemd-update-helper (../shared/reference/users.md, 1.4).
func TestUpdateHelper(t *testing.T) {
	s := scenario{commands: [][]string{
		{"--no-reload", "preset", "a.service", "b.socket", "nope.service"},
		{"--no-reload", "preset", "--global", "u.service"},
		{"is-enabled", "a.service", "b.socket"},
		{"--no-reload", "disable", "--no-warn", "a.service", "b.socket"},
		{"--global", "disable", "--no-warn", "u.service"},
		{"--no-reload", "disable", "--now", "--no-warn", "a.service"},
		{"preset-all"}, {"--global", "preset-all"}, {"--preset-mode=enable-only", "preset-all"},
	}}
	s.file("/usr/lib/systemd/system/a.service", "[Install]\nWantedBy=multi-user.target\n")
	s.file("/usr/lib/systemd/system/b.socket", "[Install]\nWantedBy=sockets.target\n")
	s.file("/usr/lib/systemd/user/u.service", "[Install]\nWantedBy=default.target\n")
	s.file("/usr/lib/systemd/system-preset/90.preset", "enable a.*\ndisable *\n")
	s.file("/usr/lib/systemd/user-preset/90.preset", "enable *\n")
	for _, st := range []*stage{outside(t), inside(t)} {
		if d := s.compare(t, st); d != "" {
			t.Error(d)
		}
	}
}

// TestDebHelper runs deb-systemd-helper, which calls systemctl, in a chroot of the tree.
func TestDebHelper(t *testing.T) {
	tree, err := oracle.Tree()
	oracle.Require(t, err)
	if _, err := os.Stat(tree + "/usr/bin/deb-systemd-helper"); err != nil {
		t.Fatal(err)
	}
	oracle.NeedRoot(t, "a chroot")
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	run := func(ctl string) string {
		dir := t.TempDir()
		for _, d := range []string{dir + "/upper/usr/bin", dir + "/work", dir + "/root"} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if ctl != "" {
			data, err := os.ReadFile(ctl)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/upper/usr/bin/systemctl", data, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c",
			"mount --make-rprivate /; mount -t overlay overlay -o lowerdir=$L,upperdir=$D/upper,workdir=$D/work $D/root || exit 99\n"+
				"mount -t proc proc $D/root/proc; mount -t tmpfs none $D/root/dev; mknod -m 666 $D/root/dev/null c 1 3\n"+
				"chroot $D/root sh -c 'for a in enable disable unmask \"was-enabled\" mask unmask reenable update-state purge; do for u in dbus.service systemd-networkd.service getty@.service; do "+
				"deb-systemd-helper $a $u; echo $a $u $?; done; done' 2>&1; true")
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "L=" + tree, "D=" + dir, "LANG=C.UTF-8"}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		return out.String() + describe(t, dir+"/upper")
	}
	if want, got := run(""), run(bin); want != got {
		t.Errorf("the reference:\n%s\nctl:\n%s", want, got)
	}
}
