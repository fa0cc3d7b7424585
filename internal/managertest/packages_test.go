package managertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// services are packages whose maintainer scripts start, stop, enable and mask services.
const services = "openssh-server cron rsyslog chrony redis-server memcached avahi-daemon haveged smartmontools irqbalance acct " +
	"anacron logrotate acpid vsftpd at sysstat rpcbind uuid-runtime lighttpd"

// TestPackages installs service packages on a running system and purges them, with the real systemctl and with ctl in its
// place, and compares what was said, the links, and the state of each unit.
func TestPackages(t *testing.T) {
	tree, err := oracle.TreeWith("services", services)
	oracle.Require(t, err)
	some := strings.Join(slices.DeleteFunc(strings.Fields(services), func(name string) bool {
		return name != "rsyslog" && name != "logrotate" && !oracle.Chosen(name, 1, 4) // these two are used
	}), " ")
	t.Log(some)
	var want, got [2]string
	t.Run("both", func(t *testing.T) {
		t.Run("reference", func(t *testing.T) { t.Parallel(); want = packages(t, tree, some, ":") })
		t.Run("ctl", func(t *testing.T) {
			t.Parallel()
			got = packages(t, tree, some, "cp --remove-destination /ctl/systemctl /usr/bin/systemctl")
		})
	})
	if len(want[0]) < 2000 || !strings.Contains(want[0], "rotated: 0\nagain: 0\n") {
		t.Fatalf("the reference shows only this:\n%s", want[0])
	}
	for i := range want {
		if d := cmp.Diff(want[i], got[i]); d != "" {
			t.Errorf("- the reference, + ctl\n%s", d)
		}
	}
}

// state shows the links of /etc/systemd and the units.
const state = `find /etc/systemd -type l -printf '%p → %l\n' | sort
systemctl list-units -a --plain --no-legend --type=service,socket,timer,target,path | awk '{ print $1, $2, $3, $4 }' | sort
systemctl is-system-running`

// use has logs be rotated, by hand and by the service, whose scripts call systemctl, and a timer start something.
const use = `logrotate -f /etc/logrotate.conf; echo "rotated: $?"; systemctl start logrotate; echo "again: $?"; systemctl show -p Result,ActiveState logrotate rsyslog
printf '[Timer]\nOnActiveSec=1ms\nAccuracySec=1ms\n' >/run/systemd/system/tick.timer
printf '[Service]\nType=oneshot\nExecStart=touch /run/ticked\n' >/run/systemd/system/tick.service
systemctl daemon-reload; systemctl start tick.timer; until [ -e /run/ticked ]; do sleep 0.1; done; systemctl stop tick.timer; ls /var/log/syslog*`

// packages is the state after the installation and after the removal, with what systemctl said meanwhile.
func packages(t *testing.T, tree, services, prepare string) (states [2]string) {
	t.Helper()
	m := oracle.BootTree(t, tree, "")
	m.Shell(t, prepare)
	for i, apt := range [...]string{"install --no-download --no-install-recommends " + services, "purge --autoremove " + services} {
		r := m.Run(t, "DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io "+apt)
		if r.Exit != 0 {
			t.Fatalf("apt-get %s: %d\n%s%s", apt, r.Exit, r.Stdout, r.Stderr)
		}
		var said []string
		for line := range strings.Lines(r.Stdout + r.Stderr) {
			if strings.Contains(line, "symlink") || strings.Contains(line, "Removed '") || strings.Contains(line, "ailed") {
				said = append(said, line)
			}
		}
		slices.Sort(said)
		// What a service does of its own accord has an end, but not a known time.
		if i == 0 {
			said = append(said, m.Run(t, use).Stdout)
		}
		states[i] = strings.Join(said, "") + m.Run(t, "systemctl is-system-running --wait >/dev/null; "+state).Stdout
	}
	return states
}
