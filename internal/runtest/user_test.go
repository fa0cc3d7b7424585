package runtest

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// userSettings are those that a user's manager and ctl, as a user, start a service with.
var userSettings = []string{"", "PrivateUsers=yes", "ProtectSystem=strict", "PrivateTmp=yes", "PrivateTmp=disconnected", "ReadOnlyPaths=/home", "PrivateNetwork=yes", "PrivateDevices=yes",
	"ProtectHome=tmpfs", "ProtectHome=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "NoNewPrivileges=yes", "SystemCallFilter=@system-service;SystemCallErrorNumber=EPERM",
	"RestrictNamespaces=yes", "MemoryDenyWriteExecute=yes", "ProtectHostname=yes", "PrivateIPC=yes", "TemporaryFileSystem=/opt", "BindPaths=/usr:/opt", "InaccessiblePaths=/etc", "PrivateMounts=yes",
	"CapabilityBoundingSet=CAP_KILL", "AmbientCapabilities=CAP_KILL", "LimitNOFILE=100", "Nice=5", "Nice=-5", "User=u1", "User=daemon", "Group=daemon", "SupplementaryGroups=daemon",
	"StateDirectory=foo", "RuntimeDirectory=foo", "CacheDirectory=foo", "LogsDirectory=foo", "ConfigurationDirectory=foo", "WorkingDirectory=~", "WorkingDirectory=/usr", "SetCredential=a:b",
	"PrivatePIDs=yes", "ProtectControlGroups=yes", "RootDirectory=/", "UMask=0077", "OOMScoreAdjust=300", "CPUSchedulingPolicy=batch", "Environment=A=%h %t %S %C %L %E", "ProtectClock=yes",
	"LockPersonality=yes", "KeyringMode=private", "ExecStart=;ExecStart=+/usr/bin/probe process;UMask=0", "ProtectSystem=strict;NoNewPrivileges=yes;SystemCallFilter=~@mount:EPERM;PrivateDevices=yes;ReadWritePaths=%h"}

// asUser runs a command as a user with a session.
const asUser = `setpriv --reuid 1000 --regid 1000 --init-groups env -i PATH=$PATH XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/u1 USER=u1 LOGNAME=u1 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus `

// userBoth starts the unit u-N of each number, by the user's manager or, as one of its services, by ctl.
const userBoth = `cd; for n in $(seq 0 LAST); do
	rm -f /tmp/u; W
	test -f /tmp/u && cat /tmp/u; echo "exit $e"; printf '\001'
done`

// TestUser has a user's manager and ctl, as the user, start the same services.
func TestUser(t *testing.T) {
	m := machine(t)
	putProbe(t, m)
	makeUser(t, m)
	for i, s := range userSettings {
		put(t, m, "/home/u1/.config/systemd/user/u-"+strconv.Itoa(i)+".service", "[Service]\nType=oneshot\nStandardOutput=truncate:/tmp/u\nStandardError=null\n"+
			"ExecStart=/usr/bin/probe process limits signals fds environment namespaces try spare\n"+strings.ReplaceAll(s, ";", "\n")+"\n")
	}
	script := strings.Replace(userBoth, "LAST", strconv.Itoa(len(userSettings)-1), 1)
	put(t, m, "/home/u1/by-systemd", "systemctl --user daemon-reload\n"+strings.Replace(script, "W", "systemctl --user start u-$n.service 2>/dev/null; e=$(systemctl --user show -P ExecMainStatus u-$n.service)", 1))
	put(t, m, "/home/u1/by-ctl", strings.Replace(script, "W", "/ctl/ctl run -q u-$n.service 2>/home/u1/said; e=$?; cat /home/u1/said >&2", 1))
	want := strings.Split(m.Run(t, asUser+"sh /home/u1/by-systemd").Stdout, "\x01")
	// As a service, which has what the manager gives its services.
	r := m.Run(t, asUser+"systemd-run --user -q --wait --pipe sh /home/u1/by-ctl")
	got := strings.Split(r.Stdout, "\x01")
	if len(want) != len(userSettings)+1 || len(got) != len(want) {
		t.Fatalf("%d and %d of %d: %s", len(want)-1, len(got)-1, len(userSettings), r.Stderr)
	}
	for i, s := range userSettings {
		if d := differing(userSeen(want[i]), userSeen(got[i])); d != "" {
			t.Errorf("%s: systemd -, ctl +:\n%s", s, d)
		}
	}
}

// makeUser makes a user with a manager.
func makeUser(t *testing.T, m *oracle.Machine) {
	t.Helper()
	m.Shell(t, "id u1 2>/dev/null || useradd -m -u 1000 -s /bin/sh u1; systemctl start user@1000.service; install -d -o u1 -g u1 /home/u1/.config /home/u1/.config/systemd /home/u1/.config/systemd/user")
}

// userSeen is launchSeen without what a shell adds to the environment.
func userSeen(text string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(launchSeen(text), "\n"), func(l string) bool {
		for _, name := range []string{"PWD", "OLDPWD", "SHLVL", "_", "SHELL"} {
			if strings.HasPrefix(l, "environment "+name+":") {
				return true
			}
		}
		return strings.HasPrefix(l, "process autogroup:")
	}), "\n")
}
