package runtest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// A life is a unit that is carried from its start to its stop by systemd and by ctl. In its text LOG is the command line of a shell that writes
// what follows into the log, FIFO a pipe by which a process tells the script that it is there.
type life struct {
	name   string
	text   string            // of the unit
	more   map[string]string // other units
	script string            // what is done meanwhile: await, stop, stop again, reload; what is left is awaited in any case
	deaf   bool              // the messages are not compared
	exit   string            // of ctl, where systemd's properties do not say it
}

// bySystemd and byCtl are what the scripts use.
const common = `D=/run/life/$N; mkdir -p $D; : >$D/log; rm -f $D/fifo $D/x; mkfifo $D/fifo
await() { read -r line <$D/fifo; echo "heard $line" >>$D/log; }
`

const bySystemd = common + `
begin() { timeout 60 systemctl start --wait $U 2>/dev/null & P=$!; }
stop() { systemctl stop --no-block $U; }
reload() { systemctl reload $U 2>/dev/null; }
begin
SCRIPT
wait $P
until systemctl show -P ActiveState $U | grep -qx 'inactive\|failed'; do sleep 0.1; done
systemctl show -p Result,NRestarts,ExecMainCode,ExecMainStatus $U >$D/result
journalctl --sync
journalctl -u $U -o cat _PID=1 >$D/messages
`

const byCtl = common + `
begin() { timeout 60 /ctl/ctl run $U 2>$D/messages & P=$!; }
child() { cat /proc/$P/task/$P/children; }
stop() { kill -TERM $(child); }
reload() { kill -HUP $(child); }
begin
SCRIPT
wait $P
echo "exit $?" >$D/result
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
`, script: "await; stop"},
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
`, script: "await; stop"},
	{name: "pidfile", text: `[Service]
Type=forking
PIDFile=/run/life-pidfile.pid
ExecStart=LOG start'; sh -c "trap \"exit 5\" USR1; read x <FIFO; sleep 0.3; echo \$\$ >/run/life-pidfile.pid; while :; do sleep 0.1; done" & exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "echo go >$D/fifo; until kill -USR1 $(cat /run/life-pidfile.pid) 2>/dev/null; do sleep 0.1; done", deaf: true},
	{name: "nopidfile", text: `[Service]
Type=forking
PIDFile=/run/life-nopidfile.pid
ExecStart=LOG start'; exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
	{name: "notifies", text: `[Service]
Type=notify
NotifyAccess=all
ExecStart=LOG start'; systemd-notify --ready --status=here; echo told >>/run/life/NAME/log; echo up >FIFO; sleep 1000'
ExecStartPost=LOG post'
ExecStop=LOG stop'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop"},
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
`, script: "await; reload; await; stop"},
	{name: "notifyreload", text: `[Service]
Type=notify-reload
NotifyAccess=all
ExecStart=LOG start'; trap "echo hup >>/run/life/NAME/log; systemd-notify --reloading; systemd-notify --ready; echo hup >FIFO" HUP; systemd-notify --ready; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; reload; await; stop"},
	{name: "mixed", text: `[Service]
KillMode=mixed
ExecStart=LOG start'; sh -c "trap \"echo child >>/run/life/NAME/log\" TERM; while :; do sleep 0.1; done" & trap "echo main >>/run/life/NAME/log; exit 0" TERM; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop", deaf: true},
	{name: "killsignal", text: `[Service]
KillSignal=SIGUSR2
SendSIGHUP=yes
ExecStart=LOG start'; trap "echo usr2 >>/run/life/NAME/log" USR2; trap "echo hup >>/run/life/NAME/log; exit 0" HUP; echo up >FIFO; while :; do sleep 0.1; done'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`, script: "await; stop"},
	{name: "leftover", text: `[Service]
ExecStart=LOG start'; sh -c "trap \"echo child >>/run/life/NAME/log; exit 0\" TERM; echo up >FIFO; while :; do sleep 0.1; done" & read x <FIFO; exit 0'
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
`, script: "await; stop"},
	{name: "exitcgroup", text: `[Service]
ExitType=cgroup
ExecStart=LOG start'; (sleep 0.5; echo child >>/run/life/NAME/log) & exit 0'
ExecStopPost=LOG stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS'
`},
}

// TestLife has systemd and ctl run the same units.
func TestLife(t *testing.T) {
	m := machine(t)
	for _, l := range lives {
		put(t, m, "/etc/systemd/system/"+l.unit(), l.expand(l.text))
		for name, text := range l.more {
			put(t, m, "/etc/systemd/system/"+name, l.expand(text))
		}
	}
	m.Shell(t, "systemctl daemon-reload")
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
				t.Errorf("%q makes exit %q, but it was %q", want.result, w, got.result)
			}
		})
	}
}

func (l *life) unit() string { return "life-" + l.name + ".service" }

// expand puts in what the short words of a unit mean.
func (l *life) expand(text string) string {
	text = strings.Replace(text, "[Service]\n", "[Service]\nStandardError=null\n", 1)
	text = regexp.MustCompile(`LOG ([^'\n]*)'`).ReplaceAllString(text, `/bin/sh -c 'echo "$1" >>/run/life/NAME/log`)
	text = regexp.MustCompile(`(?m)(>>/run/life/NAME/log)$`).ReplaceAllString(text, "$1'")
	text = strings.ReplaceAll(text, "FIFO", "/run/life/NAME/fifo")
	return strings.ReplaceAll(text, "NAME", l.name)
}

// A lived is what came of it.
type lived struct{ log, result, messages string }

func (l *life) run(t *testing.T, m *oracle.Machine, how string) lived {
	t.Helper()
	r := m.Run(t, "N="+l.name+" U="+l.unit()+"\n"+strings.Replace(how, "SCRIPT", l.script, 1)+"\ncat $D/log; echo =; cat $D/result; echo =; cat $D/messages")
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
