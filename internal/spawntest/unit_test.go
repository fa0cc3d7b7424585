package spawntest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// asUnit starts, restarts and stops a container as machinectl(1) does, by systemd-nspawn@.service, and one that ends itself and one that
// does not start. $S is the program.
const asUnit = `mount --bind $S /usr/bin/systemd-nspawn
up() { until systemctl -M foo is-active -q multi-user.target; do sleep 0.1; done 2>/dev/null; }
over() { while case $(systemctl show -p ActiveState --value systemd-nspawn@foo) in active|deactivating) ;; *) ! :;; esac; do sleep 0.1; done; }
show() { echo "$1"; systemctl show -p ActiveState,SubState,Result,Type,NotifyAccess,ExecMainStatus,StatusText,NRestarts,KillMode,Slice systemd-nspawn@foo; machinectl list --no-legend | cut -d" " -f1-4; }
rm -f /inner/etc/machine-id
machinectl start foo; show started
up; systemctl -M foo is-active dbus
ls /sys/fs/cgroup/machine.slice/systemd-nspawn@foo.service 2>/dev/null | grep -v '\.'
systemctl reload systemd-nspawn@foo; echo "reload $?"
systemctl restart systemd-nspawn@foo; up; show restarted
machinectl reboot foo; up; show rebooted
machinectl poweroff foo; until systemctl is-failed -q systemd-nspawn@foo || ! systemctl is-active -q systemd-nspawn@foo; do sleep 0.1; done; systemctl --no-block stop systemd-nspawn@foo; systemctl stop systemd-nspawn@foo; show "powered off"
machinectl start foo; up; systemctl stop systemd-nspawn@foo; show stopped
machinectl start foo; systemctl kill -s KILL --kill-whom=main systemd-nspawn@foo; over; show killed
systemctl reset-failed systemd-nspawn@foo
machinectl start bar 2>&1; echo "$?"; systemctl show -p Result,ExecMainStatus systemd-nspawn@bar; systemctl reset-failed systemd-nspawn@bar
printf '[Exec]\nBoot=no\nParameters=/bin/sh -c "exit 3"\n' >/etc/systemd/nspawn/foo.nspawn
machinectl start foo 2>&1; over; show ended; systemctl reset-failed systemd-nspawn@foo
rm /etc/systemd/nspawn/foo.nspawn
umount /usr/bin/systemd-nspawn; ls /run/systemd/nspawn /var/lib/machines; ls /sys/class/net`

// TestUnit has systemd run containers.
func TestUnit(t *testing.T) {
	tree, err := oracle.PlacesTree()
	oracle.Require(t, err)
	m := oracle.BootTree(t, tree, "")
	m.Shell(t, "mkdir -p /run/inner/upper/var/log; mknod /run/inner/upper/var/log/journal c 0 0\n"+registeredTree+"\nmkdir -p /var/lib/machines/foo /etc/systemd/nspawn; mount --bind /inner /var/lib/machines/foo; cp /usr/bin/systemd-nspawn /run/reference; chmod 755 /run/reference\n")
	want := m.Run(t, "S=/run/reference\n"+asUnit)
	got := m.Run(t, "S=/ctl/systemctl\n"+asUnit)
	if d := cmp.Diff(strings.Split(want.Stdout, "\n"), strings.Split(got.Stdout, "\n")); d != "" || want.Stderr != got.Stderr {
		t.Errorf("- the reference, + ctl\n%s\n%s\n%s", d, want.Stderr, got.Stderr)
	}
}
