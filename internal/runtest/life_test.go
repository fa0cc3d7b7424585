package runtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// A life is a unit that is carried from its start to its stop by systemd and by ctl. In its text LOG is the command line of a shell that writes
// what follows into the log, FIFO a pipe by which a process tells the script that it is there.
type life struct {
	name   string
	kind   string            // of the unit, service if ""
	args   string            // of ctl besides the unit
	text   string            // of the unit
	more   map[string]string // other units
	script string            // what is done meanwhile: await, stop, stop again, reload; what is left is awaited in any case
	deaf   bool              // the messages are not compared
	exit   string            // of ctl, where systemd's properties do not say it
}

// bySystemd and byCtl are what the scripts use.
const common = `D=/run/life/$N; mkdir -p $D; : >$D/log; rm -f $D/fifo $D/x $D/messages; : >$D/messages; mkfifo $D/fifo
await() { line=; until test -n "$line"; do line=$(timeout 40 head -n 1 $D/fifo) || line="nothing"; done; echo "heard $line" >>$D/log; } # who wrote before may close late
`

const bySystemd = common + `
case "$A" in -*) ;; *) O=$A; esac
begin() { timeout 20 systemctl start --wait $U $O 2>/dev/null & P=$!; }
stop() { systemctl stop --no-block $U; test $U = life-$N.service || systemctl stop --no-block life-$N 2>/dev/null; }
over() { wait $P; }
reload() { systemctl reload $U 2>/dev/null; }
alive() { kill -0 $P 2>/dev/null; }
up() { until systemctl is-active -q $U || ! alive; do sleep 0.05; done; }
begin
SCRIPT
wait $P
for i in 1 2 3 4 5 6 7 8 9; do systemctl show -P ActiveState $U | grep -qx 'inactive\|failed' || sleep 0.1; done
systemctl show -p Result,NRestarts,ExecMainCode,ExecMainStatus $U >$D/result
journalctl --sync
journalctl -u "life-$N.*" -u "life-$N-?.*" -u "life-$N@*" -o cat _PID=1 >$D/messages
`

const byCtl = common + `
begin() { timeout 20 /ctl/ctl run $A $U 2>$D/messages & P=$!; }
child() { cat /proc/$P/task/$P/children; }
stop() { kill -TERM $(child); }
over() { wait $P; E=$?; P=; }
reload() { kill -HUP $(child); }
alive() { kill -0 $P 2>/dev/null; }
up() { while alive && ! grep -q "^Started\|^Finished\|^Listening" $D/messages; do sleep 0.05; done; }
begin
SCRIPT
test -z "$P" || over
echo "exit $E" >$D/result
`

// lives are the cases.
var lives = []life{
	{name: "order", text: `[Service]
Type=oneshot
ExecCondition=LOG condition'
ExecStartPre=LOG pre 1'
ExecStartPre=LOG pre 2'
ExecStart=LOG start 1'
ExecStart=LOG start 2'
ExecStartPost=LOG post'
ExecStop=LOG stop $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "fails", text: `[Service]
ExecStart=LOG start'; exit 7'
ExecStop=LOG stop $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "skip", text: `[Service]
ExecCondition=LOG condition'; exit 3'
ExecStart=LOG start'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "badcondition", text: `[Service]
ExecCondition=LOG condition'; exit 255'
ExecStart=LOG start'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, exit: "255"},
	{name: "pre", text: `[Unit]
Description=The pre fails
[Service]
ExecStartPre=-LOG pre 1'; exit 3'
ExecStartPre=LOG pre 2'; exit 4'
ExecStartPre=LOG pre 3'
ExecStart=LOG start'
ExecStop=LOG stop'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, exit: "4"},
	{name: "ignored", text: `[Service]
Type=oneshot
ExecStart=-LOG one'; exit 1'
ExecStart=-LOG two'; kill -KILL $$$$'
ExecStart=-/nonexistent/program
ExecStart=LOG three'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "oneshotfails", text: `[Service]
Type=oneshot
ExecStart=LOG one'; exit 1'
ExecStart=LOG two'
ExecStartPost=LOG post'
ExecStop=LOG stop'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "signal", text: `[Service]
ExecStart=LOG start'; kill -USR1 $$$$'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "cleansignal", text: `[Service]
ExecStart=LOG start'; kill -HUP $$$$'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "oneshotsignal", text: `[Service]
Type=oneshot
ExecStart=LOG start'; kill -TERM $$$$'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "goodstatus", text: `[Service]
ExecStart=LOG start'; exit 42'
SuccessExitStatus=42 SIGUSR1
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "remains", text: `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=LOG start'
ExecStartPost=LOG post'; echo up >FIFO'
ExecStop=LOG stop $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; stop"},
	{name: "missing", text: `[Service]
ExecStart=/nonexistent/program
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "execmissing", text: `[Service]
Type=exec
ExecStart=/nonexistent/program
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "stopped", text: `[Service]
Type=exec
ExecStart=LOG start'; echo up >FIFO; exec sleep 1000'
ExecStop=LOG stop $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop"},
	{name: "stubborn", text: `[Service]
ExecStart=LOG start'; trap "" TERM; echo up >FIFO; while sleep 1000; do :; done'
TimeoutStopSec=500ms
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop"},
	{name: "starttimeout", text: `[Service]
Type=notify
TimeoutStartSec=500ms
ExecStart=LOG start'; exec sleep 1000'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "pretimeout", text: `[Service]
TimeoutStartSec=500ms
ExecStartPre=LOG pre'; exec sleep 1000'
ExecStart=LOG start'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "runtimemax", text: `[Service]
RuntimeMaxSec=500ms
ExecStart=LOG start'; exec sleep 1000'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "restarts", text: `[Unit]
StartLimitBurst=3
StartLimitIntervalSec=100
[Service]
Restart=on-failure
RestartSec=50ms
ExecStart=LOG start'; exit 1'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "prevented", text: `[Service]
Restart=always
RestartSec=50ms
RestartPreventExitStatus=3
ExecStart=LOG start'; test -e /run/life/NAME/x && exit 3; touch /run/life/NAME/x; exit 0'
ExecStopPost=-LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "forced", text: `[Service]
RestartSec=50ms
RestartForceExitStatus=3
ExecStart=LOG start'; test -e /run/life/NAME/x && exit 4; touch /run/life/NAME/x; exit 3'
`},
	{name: "forks", text: `[Service]
Type=forking
ExecStart=LOG start'; (sleep 1000 & echo $! >/run/life/NAME/child); exit 0'
ExecStartPost=LOG post'; test "$MAINPID" = "$(cat /run/life/NAME/child)" && echo guessed >>/run/life/NAME/log; echo up >FIFO'
ExecStop=LOG stop'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; stop"},
	{name: "pidfile", text: `[Service]
Type=forking
PIDFile=/run/life-pidfile.pid
ExecStart=LOG start'; (trap "exit 5" USR1; read x <FIFO; sh -c "echo \\$$PPID" >/run/life-pidfile.pid; while :; do sleep 0.1; done) & exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "echo go >$D/fifo; up; kill -USR1 $(cat /run/life-pidfile.pid)", deaf: true},
	{name: "nopidfile", text: `[Service]
Type=forking
PIDFile=/run/life-nopidfile.pid
ExecStart=LOG start'; exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "notifies", text: `[Service]
Type=notify
NotifyAccess=all
ExecStart=LOG start'; systemd-notify --ready --status=here; sleep 1000'
ExecStartPost=LOG post'; echo up >FIFO'
ExecStop=LOG stop'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; stop"},
	{name: "nevernotifies", text: `[Service]
Type=notify
ExecStart=LOG start'; exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "watchdog", text: `[Service]
Type=notify
NotifyAccess=all
WatchdogSec=500ms
ExecStart=LOG start $WATCHDOG_USEC'; systemd-notify --ready; exec sleep 1000'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "reloads", text: `[Service]
Type=exec
ExecStart=LOG start'; trap "echo hup >>/run/life/NAME/log; echo hup >FIFO" HUP; echo up >FIFO; while :; do sleep 0.1; done'
ExecReload=LOG reload'; kill -HUP $MAINPID'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; reload; await; stop"},
	{name: "notifyreload", text: `[Service]
Type=notify-reload
NotifyAccess=all
ExecStart=LOG start'; trap "echo hup >>/run/life/NAME/log; systemd-notify --reloading; systemd-notify --ready; echo hup >FIFO" HUP; systemd-notify --ready; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; reload; await; stop"},
	{name: "mixed", text: `[Service]
KillMode=mixed
ExecStart=LOG start'; (trap "echo child >>/run/life/NAME/log" TERM; while :; do sleep 0.1; done) & trap "echo main >>/run/life/NAME/log; exit 0" TERM; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop", deaf: true},
	{name: "killsignal", text: `[Service]
KillSignal=SIGUSR2
SendSIGHUP=yes
ExecStart=LOG start'; trap "echo usr2 >>/run/life/NAME/log" USR2; trap "echo hup >>/run/life/NAME/log; exit 0" HUP; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop"},
	{name: "leftover", text: `[Service]
ExecStart=LOG start'; (trap "echo child >>/run/life/NAME/log; exit 0" TERM; echo up >FIFO; while :; do sleep 0.1; done) & read x <FIFO; exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "conditioned", text: `[Unit]
Description=Under a condition
ConditionPathExists=!/etc
[Service]
ExecStart=LOG start'
`},
	{name: "triggers", text: `[Unit]
ConditionPathExists=|/nonexistent
ConditionPathExists=|/nonexistent2
[Service]
ExecStart=LOG start'
`},
	{name: "asserted", text: `[Unit]
AssertPathExists=/nonexistent
[Service]
ExecStart=LOG start'
`, exit: "1"},
	{name: "noexecstart", text: `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStartPost=LOG post'; echo up >FIFO'
ExecStop=LOG stop'
`, script: "await; up; stop"},
	{name: "exitcgroup", text: `[Service]
ExitType=cgroup
ExecStart=LOG start'; (sleep 0.5; echo child >>/run/life/NAME/log) & exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "activated", kind: "socket", text: `[Socket]
ListenStream=/run/life/NAME/s
FileDescriptorName=here
SocketMode=0600
Symlinks=/run/life/NAME/link
RemoveOnStop=yes
`, more: map[string]string{"life-activated.service": `[Service]
ExecStart=LOG start $LISTEN_FDS $LISTEN_FDNAMES'; ls -l /run/life/NAME/s | cut -c1-10 >>/run/life/NAME/log; readlink /run/life/NAME/link >>/run/life/NAME/log; exec perl -MIO::Socket -e "open(S,\\"+<&=3\\"); accept(C,S); print C \\"served \\".<C>"'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`}, script: "up; CONNECT; CONNECT; for i in $(seq 100); do test $(grep -c stoppost $D/log) = 2 && break; sleep 0.05; done; stop", deaf: true},
	{name: "accepts", kind: "socket", text: `[Socket]
ListenStream=/run/life/NAME/s
Accept=yes
`, more: map[string]string{"life-accepts@.service": `[Service]
StandardInput=socket
StandardOutput=socket
ExecStart=LOG start $LISTEN_FDS $LISTEN_FDNAMES'; read x; echo "answer $$x"; test -n "$REMOTE_ADDR" || echo none'
`}, script: "up; CONNECT; CONNECT; stop", deaf: true},
	{name: "chain", args: "--with-dependencies", text: `[Unit]
Requires=life-chain-b.service
Wants=life-chain-c.service
After=life-chain-b.service life-chain-c.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-chain-b.service": `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=LOG b'
ExecStop=LOG stop b'
`, "life-chain-c.service": `[Unit]
After=life-chain-b.service
[Service]
Type=oneshot
ExecStart=LOG c'; exit 1'
`}, script: "over; systemctl stop life-chain-b 2>/dev/null || :", deaf: true},
	{name: "needs", args: "--with-dependencies", text: `[Unit]
Requires=life-needs-b.service
After=life-needs-b.service
[Service]
ExecStart=LOG a'
`, more: map[string]string{"life-needs-b.service": `[Service]
Type=oneshot
ExecStart=LOG b'; exit 1'
`}, exit: "1"},
	{name: "cycle", deaf: true, args: "--with-dependencies", text: `[Unit]
Wants=life-cycle-b.service
After=life-cycle-b.service
[Service]
Type=oneshot
ExecStart=LOG a'
`, more: map[string]string{"life-cycle-b.service": `[Unit]
After=life-cycle.service
[Service]
Type=oneshot
ExecStart=LOG b'
`}},
	{name: "stores", text: `[Service]
Type=notify
NotifyAccess=all
FileDescriptorStoreMax=4
Restart=on-failure
RestartSec=50ms
ExecStart=LOG start $LISTEN_FDS $LISTEN_FDNAMES $FDSTORE'; if test -n "$LISTEN_FDS"; then cat <&3 >>/run/life/NAME/log; systemd-notify --ready; exit 0; fi; echo kept >/run/life/NAME/x; systemd-notify --fd=4 --fdname=mine 4</run/life/NAME/x; systemd-notify --ready; exit 1'
`},
	{name: "mainpid", text: `[Service]
Type=notify
NotifyAccess=all
ExecStart=LOG start'; (sleep 1000 & systemd-notify --ready MAINPID=$!); echo up >FIFO; exit 0'
ExecStop=LOG stop'; kill -0 $MAINPID'
`, script: "await; up; stop", deaf: true},
	{name: "extends", text: `[Service]
Type=notify
NotifyAccess=all
TimeoutStartSec=500ms
ExecStart=LOG start'; systemd-notify EXTEND_TIMEOUT_USEC=5000000; sleep 1; systemd-notify --ready; exit 0'
`},
	{name: "abort", text: `[Service]
TimeoutStopSec=300ms
TimeoutAbortSec=300ms
TimeoutStopFailureMode=abort
FinalKillSignal=SIGINT
ExecStart=LOG start'; trap "" TERM ABRT; trap "exit 3" INT; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop", deaf: true},
	{name: "killprocess", text: `[Service]
KillMode=process
ExecStart=LOG start'; (trap "echo child >>/run/life/NAME/log; exit 0" TERM; echo up >FIFO; read x <FIFO) & exec sleep 1000'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop; over; timeout 1 sh -c 'echo go >'$D/fifo", deaf: true},
	{name: "direct", text: `[Service]
Restart=on-failure
RestartMode=direct
RestartSec=50ms
ExecStartPre=LOG pre'; test -e /run/life/NAME/x || { touch /run/life/NAME/x; exit 1; }'
ExecStart=LOG start'
`},
	{name: "follows", args: "--with-dependencies", text: `[Unit]
OnFailure=life-follows-b.service
[Service]
ExecStart=LOG a'; exit 9'
`, more: map[string]string{"life-follows-b.service": `[Service]
Type=oneshot
ExecStart=LOG b $MONITOR_SERVICE_RESULT $MONITOR_EXIT_CODE $MONITOR_EXIT_STATUS $MONITOR_UNIT'
`}, script: "over; for i in 1 2 3 4 5 6 7 8 9; do grep -q '^b' $D/log || sleep 0.1; done", deaf: true},
	{name: "bus", text: `[Service]
Type=dbus
BusName=org.freedesktop.hostname1
ExecStart=/usr/lib/systemd/systemd-hostnamed
ExecStartPost=LOG post'; echo up >FIFO'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; up; stop"},
	{name: "nobusname", text: `[Service]
Type=dbus
BusName=org.example.life
ExecStart=LOG start'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "steps", text: `[Unit]
StartLimitIntervalSec=0
[Service]
Restart=on-failure
RestartSec=20ms
RestartSteps=2
RestartMaxDelaySec=100ms
ExecStart=LOG start'; echo >>/run/life/NAME/x; test $(wc -l </run/life/NAME/x) -ge 4 && exit 0; exit 1'
`},
	{name: "bound", args: "--with-dependencies", text: `[Unit]
BindsTo=life-bound-b.service
After=life-bound-b.service
[Service]
ExecStart=LOG a'; exec sleep 1000'
ExecStopPost=LOG stoppost a $SERVICE_RESULT'
`, more: map[string]string{"life-bound-b.service": `[Service]
Type=exec
ExecStartPre=LOG b'
ExecStart=/bin/sleep 1
`}, deaf: true},
	{name: "environment", text: `[Service]
Type=forking
PIDFile=/run/life-environment.pid
WatchdogSec=100
FileDescriptorStoreMax=2
NotifyAccess=all
ExecCondition=ENV condition'
ExecStartPre=ENV pre'
ExecStart=ENV start'; (read x <FIFO; exit 3) & echo $! >/run/life-environment.pid'
ExecStartPost=ENV post'
ExecReload=ENV reload'
ExecStop=ENV stop'
ExecStopPost=ENV stoppost'
`, script: "up; reload; timeout 9 sh -c 'echo go >'$D/fifo", deaf: true},
	{name: "idle", text: `[Service]
Type=idle
ExecStart=LOG start'
`},
	{name: "noise", text: `[Service]
Type=notify
NotifyAccess=main
ExecStart=LOG start'; systemd-notify --ready; exit 0'
`, deaf: true},
}

// TestLife has systemd and ctl run the same units.
func TestLife(t *testing.T) {
	m := machine(t)
	lives := slices.Concat(lives, many, bad)
	for _, l := range lives {
		put(t, m, "/etc/systemd/system/"+l.unit(), l.expand(l.text))
		for name, text := range l.more {
			put(t, m, "/etc/systemd/system/"+name, l.expand(text))
		}
	}
	m.Shell(t, "systemctl stop systemd-hostnamed; systemctl mask --runtime systemd-hostnamed; systemctl daemon-reload") // two may not have a name on the bus
	for _, l := range lives {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			want, got := l.run(t, m, bySystemd), l.run(t, m, byCtl)
			if d := cmp.Diff(want.log, got.log); d != "" {
				t.Errorf("what was run: - systemd, + ctl\n%s", d)
			}
			if d := cmp.Diff(want.messages, got.messages); d != "" && !l.deaf {
				t.Errorf("what was said: - systemd, + ctl\n%s", d)
			}
			if w := want.exit(l.exit); w != got.result {
				t.Errorf("%q makes exit %q, but it was %q\n%s", want.result, w, got.result, got.messages)
			}
		})
	}
}

func (l *life) unit() string {
	if l.kind != "" {
		return "life-" + l.name + "." + l.kind
	}
	return "life-" + l.name + ".service"
}

// expand puts in what the short words of a unit mean.
func (l *life) expand(text string) string {
	text = strings.Replace(text, "[Service]\n", "[Service]\nStandardError=null\n", 1)
	text = regexp.MustCompile(`ENV ([^'\n]*)'`).ReplaceAllString(text, `LOG $1'; env | grep -v "^PWD\|^JOURNAL\|^MEMORY\|^USER" | cut -d= -f1 | sort >>/run/life/NAME/log'`)
	text = strings.ReplaceAll(text, "NAME/log';", "NAME/log;")
	text = regexp.MustCompile(`LOG ([^'\n]*)'`).ReplaceAllString(text, `/bin/sh -c 'echo "$1" >>/run/life/NAME/log`)
	text = regexp.MustCompile(`(?m)(>>/run/life/NAME/log)$`).ReplaceAllString(text, "$1'")
	text = strings.ReplaceAll(text, "FIFO", "/run/life/NAME/fifo")
	text = strings.ReplaceAll(text, "CONNECT", `perl -MIO::Socket::UNIX -e '$s=IO::Socket::UNIX->new(Peer=>"/run/life/NAME/s") or die; print $s "hi\n"; $s->shutdown(1); print <$s>' >>$D/log`)
	return strings.ReplaceAll(text, "NAME", l.name)
}

// A lived is what came of it.
type lived struct{ log, result, messages string }

func (l *life) run(t *testing.T, m *oracle.Machine, how string) lived {
	t.Helper()
	r := m.Run(t, "N="+l.name+" U="+l.unit()+" A='"+l.args+"'\n"+strings.Replace(how, "SCRIPT", l.expand(l.script), 1)+"\ncat $D/log; echo =; cat $D/result; echo =; cat $D/messages")
	parts := strings.SplitN(r.Stdout, "=\n", 2)
	if len(parts) != 2 || r.Exit != 0 {
		t.Fatalf("%+v", r)
	}
	result, messages, _ := strings.Cut(parts[1], "\n=\n")
	return lived{parts[0], result, plain(messages)}
}

// passing are messages that only one of them has.
var passing = regexp.MustCompile(`(?m)^.*(Consumed .* CPU time|Failed at step|Failed to read pids.max).*\n`)

// plain are messages without what differs by nature.
func plain(s string) string {
	s = passing.ReplaceAllString(s, "")
	return regexp.MustCompile(`PID [0-9]+|process [0-9]+`).ReplaceAllString(s, "PID")
}

// exit is what ctl has to end with.
func (l lived) exit(known string) string {
	if known != "" {
		return "exit " + known
	}
	p := make(map[string]string)
	for _, line := range strings.Split(l.result, "\n") {
		k, v, _ := strings.Cut(line, "=")
		p[k] = v
	}
	switch {
	case p["Result"] == "success" || p["Result"] == "exec-condition":
		return "exit 0"
	case p["ExecMainCode"] == "1" && p["ExecMainStatus"] != "0":
		return "exit " + p["ExecMainStatus"]
	case p["ExecMainCode"] == "2" || p["ExecMainCode"] == "3":
		n := 0
		fmt.Sscan(p["ExecMainStatus"], &n)
		return fmt.Sprint("exit ", 128+n)
	}
	return "exit 1"
}
