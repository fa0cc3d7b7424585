package spawntest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// registeredTree is what the containers are made of.
const registeredTree = `mkdir -p /run/inner/upper /run/inner/work /inner /ctl/n
mount -t overlay -o lowerdir=/,upperdir=/run/inner/upper,workdir=/run/inner/work inner /inner
rm -f /inner/etc/machine-id
ln -s ../systemctl /ctl/n/systemd-nspawn
systemctl start dbus systemd-machined`

// registered starts containers that the machine's managers know, looks at them, and ends them from outside. $S is the program.
const registered = `N="$S -q --restrict-address-families= -D /inner -M foo --console=passive"
run() { $N "$@" 2>/run/err & p=$!; until machinectl show foo >/dev/null 2>&1 && grep -q payload /proc/$(machinectl show -p Leader --value foo)/cgroup; do kill -0 $p || break; sleep 0.05; done; }
over() { wait $p; echo "exit $?"; cat /run/err; systemctl show -p LoadState foo.scope; machinectl list --no-legend; ls /run/systemd/nspawn/propagate; }
run --slice=my-own.slice --property=MemoryMax=500M --bind=/dev/null sleep 1000
machinectl list --no-legend
systemctl show -p Slice,MemoryMax,Description,Delegate,CollectMode,DevicePolicy,DeviceAllow,KillMode,KillSignal,ControlGroup,Transient foo.scope
cat /proc/$(machinectl show -p Leader --value foo)/cgroup | tail -1
mkdir -p /run/shown; touch /run/shown/hello
machinectl bind --mkdir foo /run/shown /mnt/shown; ls /proc/$(machinectl show -p Leader --value foo)/root/mnt/shown
machinectl terminate foo; over
run --kill-signal=SIGKILL sleep 1000; systemctl stop foo.scope; over
$N --property=Foo=bar true 2>&1; echo $?
$N --property=MemoryMax=x true 2>&1; echo $?
$N --register=no sh -c 'exit 3'; echo $?
for i in 1 2 3 4 5 6 7 8; do $N --register=no true; echo $?; done # one after the other, whose scopes have one name
rm -f /inner/etc/machine-id; run -b --kill-signal=SIGRTMIN+3 >/dev/null
until case $(systemctl -M foo is-system-running 2>/dev/null) in running|degraded) systemctl -M foo is-active -q dbus;; *) false;; esac; do kill -0 $p || break; sleep 0.1; done # --wait may miss the end
machinectl list --no-legend
machinectl status foo -n0 | sed 's/^foo(.*/foo/; s/Since:.*/Since:/; s/[0-9]\{2,\}/N/g; /─/d'
/ctl/systemctl -M foo is-active dbus; /usr/bin/systemctl -M foo is-active dbus
machinectl -q shell foo /usr/bin/touch /root/made </dev/null; echo "shell $?"; machinectl -q shell nobody@foo /usr/bin/id -un </dev/null
echo text >/run/text; machinectl copy-to foo /run/text /root/copied; machinectl copy-from foo /root/copied /run/back; cat /run/back; rm /run/back
ls /inner/root; rm /inner/root/*
machinectl poweroff foo; over`

// TestRegistered compares scopes and machines on a booted machine.
func TestRegistered(t *testing.T) {
	tree, err := oracle.PlacesTree()
	oracle.Require(t, err)
	m := oracle.BootTree(t, tree, "")
	m.Shell(t, registeredTree)
	want := m.Run(t, "S=/usr/bin/systemd-nspawn\n"+registered)
	got := m.Run(t, "S=/ctl/n/systemd-nspawn\n"+registered)
	early := regexp.MustCompile(`(?m)^.*Parent died too early.*\n`) // a child may have the time to say it
	want.Stdout = early.ReplaceAllString(want.Stdout, "")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("- the reference, + ctl\n%s", d)
	}
	if !strings.Contains(want.Stdout, "hello") || !strings.Contains(want.Stdout, "termination requested") {
		t.Errorf("it did not come to pass: %+v", want)
	}
}
