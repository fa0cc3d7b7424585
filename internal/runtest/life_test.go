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
}

// bySystemd and byCtl are what the scripts use.
const common = `D=/run/life/$N; mkdir -p $D; : >$D/log; rm -f $D/fifo; mkfifo $D/fifo
await() { read -r line <$D/fifo; echo "heard $line" >>$D/log; }
`

const bySystemd = common + `
begin() { timeout 60 systemctl start --wait $U 2>/dev/null & P=$!; }
stop() { systemctl stop --no-block $U; }
reload() { systemctl reload $U 2>/dev/null; }
begin
SCRIPT
wait $P
systemctl stop $U 2>/dev/null
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
			if w := want.exit(); w != got.result {
				t.Errorf("%q makes exit %q, but it was %q", want.result, w, got.result)
			}
		})
	}
}

func (l *life) unit() string { return "life-" + l.name + ".service" }

// expand puts in what the short words of a unit mean.
func (l *life) expand(text string) string {
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
var passing = regexp.MustCompile(`(?m)^.*(Consumed .* CPU time|Triggering|Converting job).*\n`)

// plain are messages without what differs by nature.
func plain(s string) string {
	s = passing.ReplaceAllString(s, "")
	return regexp.MustCompile(`PID [0-9]+|process [0-9]+`).ReplaceAllString(s, "PID")
}

// exit is what ctl has to end with.
func (l lived) exit() string {
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
