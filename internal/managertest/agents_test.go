package managertest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// agents are programs in the places of those that ask for passwords, and what they are told is in /tmp/agents. They go on
// until they are ended.
const agents = `useradd -u 1000 walter
cat >/usr/bin/pkttyagent <<'END'
#!/bin/sh
name=$(basename $0)
trap 'echo "$name ends" >>/tmp/agents; exit' TERM
on() { if [ -t $1 ]; then echo terminal; else echo "no terminal"; fi; }
case $1 in --notify-fd) number=$2 given="$1 N $3";; *) given="$*";; esac
echo "$name $given, $(on 0), $(on 1), $(on 2), child of $(cat /proc/$PPID/comm)" >>/tmp/agents
[ -z "$number" ] || eval "exec $number>&-"
exec 2>/dev/null
mkfifo /tmp/never.$$
read line </tmp/never.$$
END
chmod 755 /usr/bin/pkttyagent
cp /usr/bin/pkttyagent /usr/bin/systemd-tty-ask-password-agent
printf '[Service]\nType=oneshot\nExecStart=sh -c "until grep -q password /tmp/agents; do :; done"\n' >/run/systemd/system/asks.service
systemctl daemon-reload`

// TestAgents sees which programs are started to ask for passwords, by whom, and that they are ended.
func TestAgents(t *testing.T) {
	m := oracle.Boot(t, "testdata/files")
	m.Shell(t, agents)
	const walter = "setpriv --reuid walter --regid walter --init-groups "
	for _, line := range []string{
		"$S start asks",
		"$S start asks </dev/null >/dev/null 2>&1",
		"$S is-active asks",
		walter + "$S start asks",
		walter + "$S start asks </dev/null >/dev/null 2>&1",
		walter + "$S --no-ask-password start asks",
		walter + "$S start --dry-run asks",
		walter + "$S --user start asks",
		walter + "$S -M .host start asks",
		walter + "$S is-active asks",
		walter + "$S kill asks",
		walter + "$S enable --now asks",
		walter + "$S set-default multi-user",
		walter + "$S get-default",
		walter + "$S daemon-reload",
		walter + "$S rescue",
		walter + "$S poweroff",
		walter + "$S poweroff --dry-run",
		walter + "$S poweroff -ff",
		walter + "$S reboot --when=+100",
		walter + "$S exit 3",
		walter + "$S log-level info",
		"setsid -w " + walter + "$S start asks",
	} {
		var said [2]string
		for i, program := range [...]string{"/usr/bin/systemctl", "/ctl/systemctl"} {
			r := m.RunOnTerminal(t, ": >/tmp/agents; chmod 666 /tmp/agents; export S="+program+"; "+line, 80)
			for l := range strings.Lines(m.Run(t, "sort /tmp/agents").Stdout) {
				// One that is ended while it starts says nothing.
				if strings.HasPrefix(line, "$S") || strings.HasPrefix(l, "pkttyagent") {
					said[i] += l
				}
			}
			said[i] += settled(r.Stdout)
		}
		if d := cmp.Diff(said[0], said[1]); d != "" {
			t.Errorf("%s: - the reference, + ctl\n%s", line, d)
		}
		if strings.HasPrefix(line, "$S start asks") && !strings.Contains(said[0], "systemd-tty-ask-password-agent ends") {
			t.Errorf("%s: the reference starts no agent: %s", line, said[0])
		}
	}
}
