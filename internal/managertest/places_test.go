package managertest

import (
	"testing"

	"ctl/internal/oracle"
)

// sessions makes a user with a manager of its own, a manager for root, and lets root in by ssh.
const sessions = `useradd -m -u 1000 walter
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
}
