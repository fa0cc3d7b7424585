package runtest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ctl/internal/oracle"
)

// daemons are services of Debian's with a command that fails if they do not serve.
var daemons = []struct {
	name, args, request string
	restarts            bool // after a crash
}{
	{"nginx", "", "http 80", false},
	{"cron", "", "true", true},
}

// carry starts a service in a container that has no manager, makes a request, reloads, kills it, makes another one, and stops it.
const carry = `talk() { exec 3<>/dev/tcp/127.0.0.1/$1 && printf '%s\r\n\r\n' "$2" >&3 && timeout 5 head -c 12 <&3; }
http() { talk $1 "GET / HTTP/1.0" | grep HTTP/; }
request() { (REQUEST) >/tmp/request 2>&1; }
soon() { for i in $(seq 60); do request && return; kill -0 $P 2>/dev/null || break; sleep 0.1; done; echo "no answer $1"; cat /tmp/request; }
mkdir -p /run/sshd /run/lock
/ctl/ctl run ARGS UNIT.service 2>/tmp/messages & P=$!
for i in $(seq 200); do grep -q '^Started UNIT' /tmp/messages && break; kill -0 $P 2>/dev/null || break; sleep 0.1; done
grep -q '^Started UNIT' /tmp/messages || echo "it did not start"
soon "after the start"
kill -HUP $P
for i in $(seq 100); do grep -q '^Reload\|cannot be reloaded' /tmp/messages && ! tail -1 /tmp/messages | grep -q '^Reloading' && break; sleep 0.1; done
grep -q '^Reload failed' /tmp/messages && echo "reload failed"
soon "after the reload"
if test CRASH = true; then
	kill -KILL $(cat /proc/$P/task/*/children | cut -d' ' -f1)
	for i in $(seq 100); do grep -q 'restart counter is at 1' /tmp/messages && test $(grep -c '^Started UNIT' /tmp/messages) = 2 && break; sleep 0.1; done
	soon "after the crash"
fi
kill -TERM $P; wait $P; S=$?
test $S = 0 || echo "exit $S"
test -z "$(cat /proc/*/comm 2>/dev/null | grep -vx 'bash\|cat\|grep\|(sd-stubinit)\|ctl.*')" || { echo "left:"; cat /proc/*/comm; }
`

// TestDaemons carries daemons of Debian's with the units that their packages have.
func TestDaemons(t *testing.T) {
	oracle.NeedRoot(t, "a container")
	tree, err := oracle.DaemonTree()
	oracle.Require(t, err)
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	ctl := t.TempDir() + "/ctl"
	if err := os.Symlink(bin, ctl); err != nil {
		t.Fatal(err)
	}
	for _, d := range daemons {
		if !oracle.Chosen(d.name, 0, 2) {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			crash := "false"
			if d.restarts {
				crash = "true"
			}
			script := strings.NewReplacer("REQUEST", d.request, "UNIT", d.name, "ARGS", d.args, "CRASH", crash).Replace(carry)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, ctl, "spawn", "-qD", tree, "--volatile=overlay", "--private-network", "--pipe", "--register=no", "--keep-unit",
				"--as-pid2", "--bind-ro="+bin+":/ctl/ctl", "--", "/bin/bash", "-c", script+"test -s /tmp/messages && echo said: && cat /tmp/messages")
			out, err := cmd.CombinedOutput()
			said, _, _ := strings.Cut(string(out), "said:\n")
			if err != nil || said != "" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
