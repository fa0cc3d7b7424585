package vmtest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// startServices boots systemd in a PID namespace of the machine, with all devices of that, and has it run a script that starts each unit with
// systemd, and then with ctl. What it says of each begins with "=== ".
const startServices = `export SYSTEMD_COLORS=0
[ -e /ctl/init ] || exit 1 # nowhere but in a virtual machine
cat >/run/look.sh <<'END'
look() {
	for i in $(seq 0 $LAST); do echo "=== $(cat /run/out$i)"; done; rm -f /run/out*
	dmsetup ls; losetup -a; ls -A /var/lib/systemd/ephemeral-trees 2>/dev/null
}
all=$(for i in $(seq 0 $LAST); do echo c$i; done)
systemctl start $all 2>/dev/null
systemctl show -P ExecMainStatus $all | { for i in $(seq 0 $LAST); do [ $i = 0 ] || read blank; read s; echo "exit $s" >>/run/out$i; done; }
look
systemctl stop c.socket 2>/dev/null
for i in $(seq 0 $LAST); do /ctl/ctl run --with-dependencies c$i.service 2>/run/err; echo "exit $?" >>/run/out$i; sed 's/^/err: /' /run/err >>/run/out$i; done
look
END
cat >/run/systemd/system/look.service <<END
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
TimeoutStartSec=infinity
StandardOutput=file:/run/said
StandardError=inherit
Environment=LAST=$LAST
ExecStart=/bin/sh /run/look.sh
ExecStopPost=/bin/systemctl exit --force
END
container=other unshare --pid --fork --mount --mount-proc --cgroup --propagation=slave /usr/lib/systemd/systemd --unit=look.service \
	--log-target=console --show-status=0 </dev/null >/run/console 2>&1 || tail /run/console
cat /run/said
`

// services has a booted systemd and ctl start services with these settings, separated by ";", and an after for each.
func services(t *testing.T, before, after string, settings []string) {
	t.Helper()
	if only := os.Getenv("ONLY"); only != "" {
		settings = slices.DeleteFunc(settings, func(s string) bool { return !strings.Contains(s, only) })
	}
	script := before + "\nmkdir -p /run/systemd/system /var/lib/systemd/ephemeral-trees\n"
	for i, s := range settings {
		script += fmt.Sprintf("cat >/run/systemd/system/c%d.service <<END\n[Service]\nType=oneshot\nStandardOutput=truncate:/run/out%d\nStandardError=inherit\n%s\n%s\nEND\n",
			i, i, strings.ReplaceAll(s, ";", "\n"), strings.ReplaceAll(after, "$", `\$`))
	}
	script += fmt.Sprintf("LAST=%d\n", len(settings)-1) + startServices
	r := oracle.NewHost(t).VM(t, oracle.KernelNow, script)
	parts := strings.Split(r.Stdout, "=== ")
	if len(parts) != 1+2*len(settings) {
		t.Fatalf("%d\n%s", r.Exit, r.Stdout)
	}
	for i, s := range settings {
		want, got := seen(parts[1+i]), seen(parts[1+len(settings)+i])
		switch {
		case strings.HasPrefix(s, refused):
			want = "exit 226\n"
		case strings.HasPrefix(s, works):
			want, _, _ = strings.Cut(seen(parts[1+i-1]), "exit") // as the case before
			got, _, _ = strings.Cut(got, "exit")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s\n- systemd, + ctl\n%s%s", s, d, parts[1+len(settings)+i])
		}
		t.Logf("%s\n%s", s, want)
	}
}

// Before settings with which ctl starts nothing, where systemd goes on without what was asked for (deviation 118), and with which it starts what
// it starts without RootEphemeral=, where systemd fails (deviation 119).
const (
	refused = "# deviates: refused;"
	works   = "# deviates: works;"
)

// In what is seen of mounts, what has another name with each is left out: numbers, the name of a device, layers, and what ctl says.
var (
	mapped = regexp.MustCompile(`(?m)^(/\w*) 25[0-3] `)
	device = regexp.MustCompile(`(?m)^(/\w*) \d+ `)
	source = regexp.MustCompile(`(?m)( - \S+) \S+`)
	groups = regexp.MustCompile(`(shared|master):\d+`)
	layers = regexp.MustCompile(`dir=[^, \n]*`)
	errors = regexp.MustCompile(`(?m)^err: .*\n`)
)

func seen(s string) string {
	s = device.ReplaceAllString(mapped.ReplaceAllString(s, "$1 mapped "), "$1 ")
	s = layers.ReplaceAllString(source.ReplaceAllString(groups.ReplaceAllString(s, "$1"), "$1"), "dir=")
	return errors.ReplaceAllString(s, "")
}

// TestServiceImages: images of services, checked by hashes or not.
func TestServiceImages(t *testing.T) {
	const bare = "RootImage=/mnt/root.raw;RootVerity=/mnt/root.hashes;"
	services(t, protectedImages+`
echo $H >hash
cp root.raw beside.raw; cp root.hashes beside.verity; echo $H >beside.roothash
cp root.raw wrong.raw; echo nonsense >wrong.roothash
cp part.raw attr.raw; setfattr -n user.verity.roothash -v $R attr.raw
mkdir -p fit/usr/lib/extension-release.d fit/opt; touch fit/usr/fit fit/opt/fit
for n in fit fitting; do echo ID=_any >fit/usr/lib/extension-release.d/extension-release.$n; done
mkfs.erofs fit.raw fit >/dev/null 2>&1; cp fit.raw fitting.raw
mkdir -p ver/r.raw.v ver/fit.raw.v ver/none.raw.v; ln root.raw ver/r.raw.v/r_2.raw; touch ver/r.raw.v/r_10+0-1.raw; ln fit.raw ver/fit.raw.v/fit_1.raw
veritysetup format fitting.raw fitting.verity | sed -n 's/Root hash:[[:space:]]*//p' >fitting.roothash`,
		`MountAPIVFS=yes
ExecStart=/bin/sh -c "while read id parent device root at how rest; do case $$at in /|/mnt|/usr|/opt) echo $$at $${device%%:*} $$root $$how $$rest;; esac; done </proc/self/mountinfo; for f in /mnt/bin /usr/fit /opt/fit; do [ ! -e $$f ] || echo $$f; done; echo x >/x && read x </x && echo $$x"`,
		[]string{
			"RootImage=/mnt/root.raw",
			works + "RootImage=/mnt/root.raw;RootEphemeral=yes",
			"RootImage=/mnt/nosuch.raw",
			bare + "RootHash=$H",
			works + bare + "RootHash=$H;RootEphemeral=yes",
			bare,
			bare + "RootHash=/mnt/hash",
			bare + "RootHash=/mnt/nosuch",
			bare + "RootHash=/mnt/root.hashes",
			bare + "RootHash=${H%??}00",
			refused + "RootImage=/mnt/root.raw;RootHash=$H",
			"RootImage=/mnt/root.raw;RootHash=$H;RootVerity=/mnt/nosuch",
			"RootImage=/mnt/root.raw;RootHash=$H;RootVerity=/mnt/root.raw",
			"RootImage=$(losetup --show -f /mnt/root.raw);" + bare[len("RootImage=/mnt/root.raw;"):] + "RootHash=$H",
			bare + "RootHash=$H;RootImagePolicy=root=unprotected",
			bare + "RootHash=$H;RootImagePolicy=root=verity",
			bare + "RootHash=$H;RootImagePolicy=root=signed",
			bare + "RootHash=$H;RootHashSignature=base64:AAAA",
			bare + "RootHash=$H;RootHashSignature=/mnt/cert.pem",
			bare + "RootHash=$H;RootHashSignature=/mnt/nosuch",
			bare + "RootHash=$H;RootImagePolicy=root=signed;RootHashSignature=base64:AAAA",
			"RootImage=/mnt/ver/r.raw.v",
			"RootImage=/mnt/ver/r.raw.v/r___.raw;ExtensionImages=/mnt/ver/fit.raw.v",
			"RootImage=/mnt/ver/none.raw.v",
			"RootDirectory=/mnt/t;ExtensionImages=/mnt/ver/none.raw.v",
			"RootDirectory=/mnt/t;ExtensionImages=-/mnt/ver/none.raw.v",
			bare + "RootHash=$H;RootImageOptions=nosuid",
			"RootImage=/mnt/beside.raw",
			"RootImage=/mnt/wrong.raw",
			"RootImage=/mnt/attr.raw",
			"RootImage=/mnt/part.raw",
			"RootImage=/mnt/part.raw;RootHash=$R",
			"RootImage=/mnt/part.raw;RootHash=$H",
			"RootImage=/mnt/part.raw;RootImagePolicy=root=verity",
			"RootImage=/mnt/part.raw;RootImagePolicy=root=signed",
			"RootImage=/mnt/part.raw;RootImagePolicy=root=unprotected",
			"RootImage=/mnt/signed.raw",
			"RootImage=/mnt/signed.raw;RootImagePolicy=root=signed",
			"RootImage=/mnt/signed.raw;RootImagePolicy=root=verity+signed",
			"RootDirectory=/mnt/t;MountImages=/mnt/beside.raw:/mnt",
			"RootDirectory=/mnt/t;MountImages=/mnt/wrong.raw:/mnt",
			"RootDirectory=/mnt/t;MountImages=/mnt/part.raw:/mnt;MountImagePolicy=root=verity",
			"RootDirectory=/mnt/t;MountImages=/mnt/root.raw:/mnt;MountImagePolicy=root=verity",
			"RootDirectory=/mnt/t;ExtensionImages=/mnt/fit.raw",
			"RootDirectory=/mnt/t;ExtensionImages=/mnt/fit.raw;ExtensionImagePolicy=root=verity",
			"RootDirectory=/mnt/t;ExtensionImages=/mnt/fitting.raw;ExtensionImagePolicy=root=verity",
		})
}

// TestSocketAttributes: sockets and their files have extended attributes, since Linux 7.0.
func TestSocketAttributes(t *testing.T) {
	services(t, `mkdir -p /run/systemd/system; cat >/run/systemd/system/c.socket <<END
[Socket]
ListenStream=/run/c.sock
Service=c0.service
XAttrEntryPoint=user.varlink=entrypoint
XAttrEntryPoint=user.of=%n
XAttrListen=user.varlink=listen
XAttrListen=
XAttrListen=user.a=b=c
XAttrAccept=user.varlink=server
END`, `ExecStart=/bin/sh -c "getfattr -d --absolute-names /run/c.sock; getfattr -d --absolute-names /proc/self/fd/3"`,
		[]string{"[Unit];Requires=c.socket;After=c.socket;[Service]"})
}

// TestServiceNoVerity: the kernel has no dm-verity.
func TestServiceNoVerity(t *testing.T) {
	services(t, protectedImages+"\necho /bin/false >/proc/sys/kernel/modprobe", "ExecStart=/bin/true", []string{
		"RootImage=/mnt/root.raw;RootVerity=/mnt/root.hashes;RootHash=$H",
		"RootImage=/mnt/part.raw;RootImagePolicy=root=verity",
		"RootImage=/mnt/part.raw",
		"RootImage=/mnt/part.raw;RootImagePolicy=root=unprotected",
	})
}

// TestLabels: the kernel has AppArmor, in which no profile is loaded.
func TestLabels(t *testing.T) {
	services(t, "mount -t securityfs s /sys/kernel/security; cat /sys/module/apparmor/parameters/enabled >/run/enabled; mkdir -p /srv/t; cp -a /var/lib/machines/t/. /srv/t",
		`ExecStart=/bin/sh -c "read x </proc/self/attr/apparmor/current; echo $$x; read x </run/enabled; echo $$x; while read x y z; do [ $$x != Uid: ] || echo $$y; done </proc/self/status"`,
		[]string{
			"AppArmorProfile=unconfined",
			"AppArmorProfile=nosuch",
			"AppArmorProfile=-nosuch",
			"AppArmorProfile=nosuch;AppArmorProfile=",
			"AppArmorProfile=-nosuch;User=daemon;NoNewPrivileges=yes;CapabilityBoundingSet=",
			"AppArmorProfile=unconfined;User=daemon;NoNewPrivileges=yes;PrivateUsers=yes;ProtectProc=invisible;ProtectSystem=strict",
			"AppArmorProfile=unconfined;PrivatePIDs=yes",
			"AppArmorProfile=nosuch;User=daemon",
			"AppArmorProfile=nosuch;ExecStartPre=+/bin/true",
			"AppArmorProfile=nosuch;Type=simple;ExecStop=/bin/true",
			"SELinuxContext=nosuch;SmackProcessLabel=nosuch",
			"AppArmorProfile=unconfined;RootDirectory=/srv/t;MountAPIVFS=yes",
		})
}
