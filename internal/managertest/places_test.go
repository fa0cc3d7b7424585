package managertest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// sessions makes a user with a manager of its own, a manager for root, and lets root in by ssh.
const sessions = `useradd -m -u 1000 walter
printf "#!/bin/sh\nexec setpriv --reuid walter --regid walter --init-groups env HOME=/home/walter USER=walter XDG_RUNTIME_DIR=/run/user/1000 \"\$@\"\n" >/usr/local/bin/walter
chmod +x /usr/local/bin/walter
mkdir -p /var/lib/systemd/linger # or the last logout over ssh takes its user's manager with it, some time later
touch /var/lib/systemd/linger/root /var/lib/systemd/linger/walter
systemctl start user@0 user@1000
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n' >/root/.ssh/config
printf "127.0.0.1 localhost\\n" >>/etc/hosts
printf "PerSourcePenalties no\n" >>/etc/ssh/sshd_config
systemctl start ssh`

// TestPlaces asks managers elsewhere: users', over ssh, of containers.
func TestPlaces(t *testing.T) {
	tree, err := oracle.PlacesTree()
	oracle.Require(t, err)
	m := oracle.BootTree(t, tree, "testdata/files")
	m.Shell(t, sessions)
	compareLists(t, m, "testdata/places/*.txt")
	m.Shell(t, nested)
	compareLists(t, m, "testdata/machines/*.txt")
	t.Run("recursive", func(t *testing.T) { recursive(t, m) })
}

// nested boots a container in the machine. Its PID 1 says when it has started all.
const nested = `mkdir -p /run/inner/upper /run/inner/work /inner
mount -t overlay -o lowerdir=/,upperdir=/run/inner/upper,workdir=/run/inner/work inner /inner
rm -f /inner/etc/machine-id /inner/etc/systemd/system/multi-user.target.wants/shell.service
systemctl start systemd-machined
systemd-run -q --unit=inner -p Delegate=yes -p KillMode=mixed -p Type=notify systemd-nspawn --keep-unit --register=yes -M inner -b -D /inner --notify-ready=yes`

// recursive has ctl list what the machine and the container in it have. The reference writes what is left of names that it
// has freed, or fails; what is right is what it lists of each.
func recursive(t *testing.T, m *oracle.Machine) {
	t.Helper()
	for _, c := range []struct {
		verb string
		unit int // the column that has the unit's name
	}{
		{"list-units cron.service dbus.service", 0},
		{"list-units --state=running --type=service,target", 0},
		{"list-sockets --all", 1},
		{"list-paths --all", 2},
		{"list-automounts --all", 4},
	} {
		lines := func(args string) []string {
			r := m.Run(t, args+" --no-legend --plain "+c.verb)
			if r.Exit != 0 || r.Stderr != "" {
				t.Errorf("%s %s: %+v", args, c.verb, r)
			}
			return strings.Split(strings.TrimSpace(r.Stdout), "\n")
		}
		var want []string
		for _, line := range lines("/usr/bin/systemctl") {
			want = append(want, strings.Join(strings.Fields(line), " "))
		}
		for _, line := range lines("/usr/bin/systemctl -M inner") {
			words := strings.Fields(line)
			at := c.unit
			if c.verb == "list-sockets --all" && len(words) > 3 {
				at++ // "netlink 1" is two words
			}
			words[at] = "inner:" + words[at]
			want = append(want, strings.Join(words, " "))
		}
		var got []string
		for _, line := range lines("/ctl/systemctl -r") {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s -r: - the reference for each, + ctl\n%s", c.verb, d)
		}
	}
}
