package managertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// A fault is a way in which the other end misbehaves.
type fault struct {
	name  string
	serve func(*peer)
}

// faults are served once as a bus, with Hello, and once as the manager's own socket.
var faults = [...]fault{
	{"closes at once", func(p *peer) { _, _ = p.in.ReadString('\n') }},
	{"refuses", func(p *peer) { p.say("REJECTED EXTERNAL\r\n"); drain(p) }},
	{"says nonsense", func(p *peer) { p.say("HTTP/1.1 400 Bad Request\r\n\r\n"); drain(p) }},
	{"closes after the handshake", func(p *peer) { p.authenticate() }},
	{"closes at the call", func(p *peer) { p.ready(); p.next() }},
	{"garbage", answers(func(p *peer, c call) { p.say(strings.Repeat("garbage\x00\xff", 100)) })},
	{"an absurd length", answers(func(p *peer, c call) { p.say("l\x02\x01\x01\xff\xff\xff\xff\x01\x00\x00\x00\x08\x00\x00\x00") })},
	{"absurd fields", answers(func(p *peer, c call) { p.say("l\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff") })},
	{"another protocol", answers(func(p *peer, c call) { p.say("l\x02\x01\x09\x00\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00" + strings.Repeat("\x00", 64)) })},
	{"half a message", answers(func(p *peer, c call) { m := message(2, c.serial, "s", text("hello")); p.say(m[:len(m)/2]); p.Close() })},
	{"half a body", answers(func(p *peer, c call) { m := message(2, c.serial, "s", text("hello")); p.say(m[:len(m)-3]); p.Close() })},
	{"nothing in the reply", answers(func(p *peer, c call) { p.reply(c, "", nil) })},
	{"a number for all", answers(func(p *peer, c call) { p.reply(c, "u", []byte{1, 2, 3, 4}) })},
	{"a string for all", answers(func(p *peer, c call) { p.reply(c, "s", text("hello")) })},
	{"a path for all", answers(func(p *peer, c call) { p.reply(c, "o", text("/hello")) })},
	{"a variant for all", answers(func(p *peer, c call) { p.reply(c, "v", variant("hello")) })},
	{"a list for all", answers(func(p *peer, c call) { p.reply(c, "as", []byte{0, 0, 0, 0}) })},
	{"a body too short", answers(func(p *peer, c call) { p.reply(c, "s", []byte{200, 0, 0, 0, 'a', 0}) })},
	{"a body too long", answers(func(p *peer, c call) { p.reply(c, "s", append(text("hello"), "more"...)) })},
	{"no text", answers(func(p *peer, c call) { p.reply(c, "s", text("\xff\xfe")) })},
	{"an array past its end", answers(func(p *peer, c call) { p.reply(c, "as", []byte{255, 255, 255, 3, 0, 0, 0, 0}) })},
	{"a bad signature", answers(func(p *peer, c call) { p.reply(c, "a{", []byte{0, 0, 0, 0}) })},
	{"deep nesting", answers(func(p *peer, c call) { p.reply(c, strings.Repeat("a", 100)+"s", []byte{0, 0, 0, 0}) })},
	{"an error of the system", answers(func(p *peer, c call) { p.refuse(c, "System.Error.ENOTTY", "Not a typewriter") })},
	{"an error without a text", answers(func(p *peer, c call) { p.say(message(3, c.serial, "", nil, field(4, "s", text("org.freedesktop.systemd1.LoadFailed")))) })},
	{"an error without a name", answers(func(p *peer, c call) { p.say(message(3, c.serial, "s", text("hello"))) })},
	{"an unknown error", answers(func(p *peer, c call) { p.refuse(c, "org.example.Error", "It is so") })},
	{"access denied", answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.AccessDenied", "You may not") })},
	{"no such method", answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.UnknownMethod", "No method "+c.member) })},
	{"nobody there", answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.ServiceUnknown", "Nobody") })},
	{"another's reply first", answers(func(p *peer, c call) {
		p.say(message(2, c.serial+1000, "s", text("hello")))
		p.refuse(c, "org.freedesktop.systemd1.NoSuchUnit", "No such unit")
	})},
	{"a job that never ends", answers(func(p *peer, c call) {
		p.reply(c, "o", text("/org/freedesktop/systemd1/job/1"))
		if strings.HasSuffix(c.member, "Unit") {
			p.Close()
		}
	})},
}

func drain(p *peer) { _, _ = p.in.WriteTo(discard{}) }

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// ready is where the first call of the verb comes.
func (p *peer) ready() bool { return p.authenticate() && (!p.bus || p.hello()) }

// answers answers each call with f.
func answers(f func(*peer, call)) func(*peer) {
	return func(p *peer) {
		if !p.ready() {
			return
		}
		for {
			c, ok := p.next()
			if !ok {
				return
			}
			f(p, c)
		}
	}
}

// faulty are command lines that one or more calls belong to.
var faulty = [...]string{
	"is-active a.service", "is-failed", "is-system-running", "list-units", "show a.service", "show -p Id a.service", "show", "start a.service",
	"start a.service b.service", "start 'a*'", "stop a.service", "start -T a.service", "start --no-block a.service", "start --wait a.service", "kill a.service",
	"daemon-reload", "daemon-reexec", "show-environment", "set-environment A=b", "reset-failed", "cancel 1", "log-level", "log-level debug", "service-watchdogs",
	"get-default", "is-enabled a.service", "enable a.service", "mask a.service", "enqueue-marked", "freeze a.service", "clean a.service", "service-log-level a.service",
	"set-default a.target", "whoami",
}

// TestFaults has both programs speak to a manager that does wrong.
func TestFaults(t *testing.T) {
	m := oracle.Boot(t, "testdata/files")
	const dir = "/run/peers"
	startPeers(t, m, dir)
	for _, bus := range []bool{true, false} {
		for i, f := range faults {
			t.Run(fmt.Sprint(f.name, " bus=", bus), func(t *testing.T) {
				t.Parallel()
				prepare := "mount --bind " + peerSocket(dir, i, bus) + " /run/systemd/private; "
				if bus {
					prepare = "export DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + peerSocket(dir, i, bus) + " SYSTEMCTL_FORCE_BUS=1; "
				}
				prepare += "export SYSTEMD_BUS_TIMEOUT=3;"
				want := m.Run(t, inNamespace(prepare+each("/usr/bin/systemctl")))
				got := m.Run(t, inNamespace(prepare+each("/ctl/systemctl")))
				w, g := strings.Split(want.Stdout, "\x01"), strings.Split(got.Stdout, "\x01")
				for i, line := range faulty {
					fmt.Printf("@@%s\t%v\t%s\t%q\t%q\n", f.name, bus, line, w[i], g[i])
					if d := cmp.Diff(w[i], g[i]); d != "" {
						t.Errorf("systemctl %s: - the reference, + ctl\n%s", line, d)
					}
				}
			})
		}
	}
}

// each runs all faulty lines, and writes what each says and its exit status.
func each(program string) string {
	var b strings.Builder
	for _, line := range faulty {
		b.WriteString("timeout 9 " + program + " " + line + " 2>&1; echo \"exit $?\"; printf '\\1'\n"); _ = "timeout 10 "
	}
	return b.String()
}

// inNamespace has a script's mounts end with it.
func inNamespace(script string) string {
	return "unshare -m sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
}
