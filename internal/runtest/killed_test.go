package runtest

import (
	"regexp"
	"slices"
	"testing"

	"ctl/internal/oracle"
)

// crowdScript has processes leave the session, their parents and their environment, in every order.
const crowdScript = `#!/bin/sh
trap "" TERM
(setsid sh -c "setsid env -i sleep 7777 & sleep 7777 & exit" &)
sleep 7777 &
env -i setsid -f setsid -f sleep 7777
echo up
for i in $(seq 14); do
	env -i setsid -f sh -c '(sleep 7777 &); exec setsid -f sh -c "echo line; exec sleep 7777"'
done
exec sleep 7777
`

// crowd is a service that runs it.
const crowd = `RuntimeDirectory=killed
SetCredential=secret:x
ExecStartPre=/bin/sh -c '(setsid -f sleep 7777 &)'
ExecStart=/usr/bin/crowd
`

// crowds are calls that are killed at any moment. What is said by them is nobody's to read.
var crowds = []struct{ name, text, before string }{
	{name: "plain", text: crowd},
	{name: "sandbox", text: "PrivateTmp=yes\nProtectSystem=strict\nPrivateNetwork=yes\nDynamicUser=yes\nStateDirectory=killed\n" + crowd},
	{name: "first", text: "PrivatePIDs=yes\n" + crowd},
	{name: "cgroup", text: "Delegate=yes\nProtectControlGroups=private\nTasksMax=1000\n" + crowd, before: "systemd-run -q --pipe --wait -p Delegate=yes "},
	{name: "user", text: crowd, before: asUser},
	{name: "user sandbox", text: "PrivateTmp=yes\nProtectSystem=strict\n" + crowd, before: asUser},
	{name: "user cgroup", text: "Delegate=yes\n" + crowd, before: asUser + "systemd-run --user -q --pipe --wait -p Delegate=yes "},
}

// TestKilledAnytime kills ctl at its system calls and while its services start others: nobody lives, and nothing is left, if need be by the next call.
func TestKilledAnytime(t *testing.T) {
	m := machine(t)
	makeUser(t, m)
	copyTo(t, m, "/usr/bin/killer", buildProbe(t, "./killer"))
	put(t, m, "/usr/bin/crowd", crowdScript)
	m.Shell(t, "chmod 755 /usr/bin/crowd")
	put(t, m, "/run/next.service", "[Service]\nExecStart=/bin/true\n")
	step := "101"
	if oracle.All() {
		step = "7"
	}
	for _, c := range crowds {
		t.Run(c.name, func(t *testing.T) {
			const name = "/run/units/killed.service"
			put(t, m, name, "[Service]\n"+c.text)
			const left = `/run/ctl/* /run/killed /run/credentials/* /tmp/systemd-private*killed* /var/tmp/systemd-private*killed* /run/user/1000/ctl/* /run/user/1000/killed /run/user/1000/credentials/* ` +
				`/sys/fs/cgroup/system.slice/*/run-* /sys/fs/cgroup/unified/system.slice/*/run-* /sys/fs/cgroup/user.slice/user-1000.slice/*/*/*/run-* /sys/fs/cgroup/unified/user.slice/user-1000.slice/*/*/*/run-*`
			r := m.Run(t, c.before+"/usr/bin/killer "+step+" '/ctl/ctl run -q /run/next.service' '"+left+"' /ctl/ctl run -q "+name)
			if r.Stdout != "done true 6\n" {
				t.Errorf("%s%s", r.Stdout, r.Stderr)
			}
		})
	}
}

// TestKilled kills ctl, beside which others are, and looks what its guardian leaves of it.
func TestKilled(t *testing.T) {
	cmd := entry(t, "killed", "", `PrivateTmp=yes
RuntimeDirectory=killed
SetCredential=secret:x
ExecStart=/bin/sh -c '(env -i setsid sleep 1000 &); sleep 1000 & echo up; exec sleep 1000'`)
	script := `: >/tmp/up; sleep 999 & ctl run -q killed.service >/tmp/up 2>&1 & P=$!
until grep -q up /tmp/up; do sleep 0.02; done
kill -KILL $P; { wait $P; } 2>/dev/null
for i in $(seq 200); do cat /proc/[0-9]*/comm 2>/dev/null | grep -q "guardian\|^exe" || break; sleep 0.02; done
cat /proc/[0-9]*/comm 2>/dev/null | grep "sleep\|guardian"
ls -d /run/ctl/* /run/killed /run/credentials/* /tmp/systemd-private* /var/tmp/systemd-private* 2>/dev/null || :
mkdir /run/ctl/run-1; echo '"/" "/run/left"' >/run/ctl/run-1/left; mkdir /run/left # of one whose guardian was killed, too
printf '[Service]\nExecStart=/bin/true\n' >/run/next.service
ctl run /run/next.service
ls -d /run/ctl/* /run/left 2>/dev/null || :
`
	at := slices.Index(cmd.Args, "--")
	cmd.Args = append(cmd.Args[:at:at], "--as-pid2", "--", "/bin/sh", "-c", script)
	out, err := cmd.CombinedOutput()
	if said := regexp.MustCompile(`run-[0-9]+`).ReplaceAllString(string(out), "run-N"); err != nil || said != `sleep
Removed /run/ctl/run-N, which a call that was killed has left.
Started next.service.
next.service: Deactivated successfully.
` {
		t.Errorf("%v: %s", err, out)
	}
}
