package runtest

import (
	"strings"
	"testing"
)

// TestJoin: units that share what is private to others, JoinsNamespaceOf=, see the same by systemd and by ctl.
func TestJoin(t *testing.T) {
	m := machine(t)
	tell := func(file string) string {
		return `/usr/bin/sh -c 'echo ` + file + ` >/tmp/` + file + `; echo ` + file + ` >/var/tmp/` + file + `; cd /tmp; echo ` + file + `: *; cd /var/tmp; echo *; ` +
			`for n in net ipc; do test $(readlink /proc/self/ns/$n) = "$(cat /out/$n 2>/dev/null)" && echo same || readlink /proc/self/ns/$n >/out/$n; done'`
	}
	for _, c := range []struct{ name, first, second, third string }{
		{"all", "PrivateTmp=yes\nPrivateNetwork=yes\nPrivateIPC=yes", "PrivateTmp=yes\nPrivateNetwork=yes\nPrivateIPC=yes", ""},
		{"some", "PrivateTmp=yes\nPrivateNetwork=yes", "PrivateNetwork=yes", "PrivateTmp=yes"},
		{"nothing", "", "PrivateTmp=yes\nPrivateIPC=yes", ""},
		{"memory", "PrivateTmp=disconnected", "PrivateTmp=yes", "PrivateTmp=yes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const head = "[Service]\nType=oneshot\nRemainAfterExit=yes\nStandardOutput=append:/out/said\nExecStart="
			put(t, m, "/etc/systemd/system/join-1.service", head+tell("one")+"\n"+c.first+"\n")
			put(t, m, "/etc/systemd/system/join-2.service", "[Unit]\nRequires=join-1.service\nAfter=join-1.service\nJoinsNamespaceOf=join-1.service\n"+head+tell("two")+"\n"+c.second+"\n")
			put(t, m, "/etc/systemd/system/join-3.service", "[Unit]\nRequires=join-2.service\nAfter=join-2.service\nJoinsNamespaceOf=join-1.service\n"+strings.Replace(head, "RemainAfterExit=yes\n", "", 1)+tell("three")+"\n"+c.third+"\n")
			m.Shell(t, "mkdir -p /out; systemctl daemon-reload")
			const end = `; sed 's/systemd-private-[^ ]*//g;s/systemd-[^ ]*//g;s/  */ /g' /out/said; rm -rf /out/* /tmp/one /tmp/two /tmp/three /var/tmp/one /var/tmp/two /var/tmp/three`
			want := m.Run(t, "systemctl start join-3.service; systemctl stop 'join-*'"+end)
			got := m.Run(t, "timeout 20 /ctl/ctl run -q --with-dependencies join-3.service"+end)
			if want.Stdout == "" || want.Stdout != got.Stdout {
				t.Errorf("systemd:\n%s\nctl:\n%s%s", want.Stdout, got.Stdout, got.Stderr)
			}
			if left := m.Run(t, "ls -d /tmp/systemd-private-*join* /var/tmp/systemd-private-*join*").Stdout; left != "" {
				t.Errorf("left: %s", left)
			}
		})
	}
}
