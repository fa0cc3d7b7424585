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

// A daemon is a service of Debian's that is carried with the unit that its package has.
type daemon struct {
	unit    string
	args    string // of ctl
	spawn   string // of the container
	prepare string // what a machine has that this container lacks
	request string // fails if the daemon does not serve
	still   bool   // it has no ExecReload=
	crashes bool   // it has no Restart=: when it is killed, that was all
}

// daemons are what is tried.
var daemons = []daemon{
	{unit: "nginx.service", request: "http 80", crashes: true},
	{unit: "apache2.service", request: "http 80"},
	{unit: "cron.service", prepare: "echo '@reboot root touch /tmp/ran' >/etc/cron.d/try", request: "test -e /tmp/ran", still: true},
	{unit: "redis-server.service", request: "redis-cli ping | grep PONG", still: true},
	{unit: "postgresql@18-main.service", request: "su postgres -c \"psql -Atc 'select 6*7'\" | grep -x 42", crashes: true},
	{unit: "ssh.service", prepare: `ssh-keygen -qt ed25519 -N "" -f /tmp/key; mkdir -p /root/.ssh; cp /tmp/key.pub /root/.ssh/authorized_keys`,
		request: "ssh -o StrictHostKeyChecking=no -o BatchMode=yes -i /tmp/key root@127.0.0.1 echo served | grep served"},
	{unit: "dbus.service", args: "--with-dependencies", crashes: true,
		request: "dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep string"},
	{unit: "chrony.service", args: "--allow-degraded", spawn: "--capability=CAP_SYS_TIME", still: true, crashes: true,
		prepare: `mkdir -p /etc/systemd/system/chrony.service.d; printf '[Unit]\nConditionVirtualization=\n' >/etc/systemd/system/chrony.service.d/here.conf
echo 'DAEMON_OPTS="-x"' >/etc/default/chrony`,
		request: "chronyc -n activity | grep 'sources online'"},
	{unit: "haproxy.service", request: "http 8080",
		prepare: `perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "/dev/log") or die; sleep 1000' & until test -S /dev/log; do sleep 0.01; done; systemd-tmpfiles --create haproxy.conf
printf 'listen try\n mode http\n bind :8080\n http-request return status 200\n' >>/etc/haproxy/haproxy.cfg`},
	{unit: "unbound.service", request: `perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Proto => "udp", PeerAddr => "127.0.0.1:53");
$s->send("\0\1\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1"); alarm 5; $s->recv($x, 512); exit(substr($x, -4) ne "\x7f\0\0\1")'`},
}

// carry starts a service in a container that has no manager, makes a request, reloads, makes another one, and has it crash and stop.
const carry = `talk() { exec 3<>/dev/tcp/127.0.0.1/$1 && printf '%s\r\n\r\n' "$2" >&3 && timeout 5 head -c 12 <&3; }
http() { talk $1 "GET / HTTP/1.0" | grep HTTP/; }
request() { (REQUEST) >/tmp/request 2>&1; }
until_() { for i in $(seq 200); do "$@" && return; alive || break; sleep 0.05; done; return 1; }
alive() { kill -0 $P 2>/dev/null; }
serves() { until_ request || { echo "no answer $1:"; cat /tmp/request; }; }
said() { test $(grep -c "$2" /tmp/messages) -ge $1; }
begin() { : >/tmp/messages; /ctl/ctl run ARGS UNIT >>/tmp/messages 2>&1 & P=$!; until_ said 1 '^Started UNIT' || echo "it did not start"; serves "after the start"; }
crash() { for p in $(cat /proc/$P/task/*/children); do grep -q guardian /proc/$p/comm || kill -KILL $p; done; }
ends() { wait $P; S=$?; test $S = $1 || echo "exit $S"; }
leaves() { ps -eo pid,ppid,comm --no-headers | awk '$3 !~ /^(ps|awk|perl|bash|.sd-stubinit.)$/'; find /run/ctl -mindepth 1; }
# With KillMode=process the session of the last request ends by itself.
left() { for i in $(seq 100); do test -z "$(leaves)" && return; sleep 0.05; done; leaves; }
mkdir -p /run/lock # which booting makes
PREPARE
begin
if test STILL = false; then
	kill -HUP $P
	until_ said 1 '^Reloaded UNIT' || echo "it was not reloaded"
	serves "after the reload"
fi
if test CRASHES = true; then
	kill -TERM $P; ends 0; left
	begin
	crash; ends 137
else
	crash
	until_ said 2 '^Started UNIT' || echo "it was not restarted"
	serves "after the restart"
	kill -TERM $P; ends 0
fi
left
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
		t.Run(d.unit, func(t *testing.T) {
			word := map[bool]string{true: "true", false: "false"}
			script := strings.NewReplacer("REQUEST", d.request, "UNIT", d.unit, "ARGS", d.args, "PREPARE", d.prepare, "STILL", word[d.still],
				"CRASHES", word[d.crashes]).Replace(carry)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			args := append([]string{"spawn", "-qD", tree, "--volatile=overlay", "--private-network", "--pipe", "--register=no", "--keep-unit",
				"--as-pid2", "--bind-ro=" + bin + ":/ctl/ctl"}, strings.Fields(d.spawn)...)
			out, err := exec.CommandContext(ctx, ctl, append(args, "--", "/bin/bash", "-c", "{ "+script+"} >/tmp/said 2>&1; cat /tmp/said; test ! -s /tmp/said || cat /tmp/messages")...).CombinedOutput()
			if err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
