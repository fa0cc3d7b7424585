package managertest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// A fault is a way in which the other end misbehaves.
type fault struct {
	name  string
	serve func(*peer)
	// what it is like: nothing comes that answers the call; what comes is no answer to it
	silent, nonsense bool
}

// asked is the fault that answers every call with what it was.
const asked = "says what it was asked"

// faults are served once as a bus, with Hello, and once as the manager's own socket.
var faults = [...]fault{
	{name: asked, serve: answers(func(p *peer, c call) { p.refuse(c, "org.example.Asked", fmt.Sprintf("%s %q", c.member, c.body)) })},
	{name: "closes at once", serve: func(p *peer) { _, _ = p.in.ReadString('\n') }},
	{name: "refuses", serve: func(p *peer) { _, _ = p.in.ReadString('\n'); p.say("REJECTED EXTERNAL\r\nERROR\r\nERROR\r\n") }},
	{name: "says nonsense", serve: func(p *peer) { _, _ = p.in.ReadString('\n'); p.say("HTTP/1.1 400 Bad Request\r\n\r\n\r\n") }},
	{name: "closes after the handshake", serve: func(p *peer) { p.authenticate() }},
	{name: "closes at the call", serve: func(p *peer) { p.ready(); p.next() }},
	{name: "garbage", serve: answers(func(p *peer, c call) { p.say(strings.Repeat("garbage\x00\xff", 100)) })},
	{name: "an absurd length", serve: answers(func(p *peer, c call) { p.say("l\x02\x01\x01\xff\xff\xff\xff\x01\x00\x00\x00\x08\x00\x00\x00") })},
	{name: "absurd fields", serve: answers(func(p *peer, c call) { p.say("l\x02\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\xff\xff\xff\xff") })},
	{name: "another protocol", serve: answers(func(p *peer, c call) {
		p.say("l\x02\x01\x09\x00\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00" + strings.Repeat("\x00", 64))
	})},
	{name: "half a message", serve: answers(func(p *peer, c call) { m := message(2, c.serial, "s", text("hello")); p.say(m[:len(m)/2]); p.Close() })},
	{name: "half a body", serve: answers(func(p *peer, c call) { m := message(2, c.serial, "s", text("hello")); p.say(m[:len(m)-3]); p.Close() })},
	{name: "nothing in the reply", serve: answers(func(p *peer, c call) { p.reply(c, "", nil) }), nonsense: true},
	{name: "a number for all", serve: answers(func(p *peer, c call) { p.reply(c, "u", []byte{1, 2, 3, 4}) }), nonsense: true},
	{name: "a string for all", serve: answers(func(p *peer, c call) { p.reply(c, "s", text("hello")) }), nonsense: true},
	{name: "a variant for all", serve: answers(func(p *peer, c call) { p.reply(c, "v", variant("hello")) }), nonsense: true},
	{name: "a list for all", serve: answers(func(p *peer, c call) { p.reply(c, "as", []byte{0, 0, 0, 0}) }), nonsense: true},
	{name: "a body too short", serve: answers(func(p *peer, c call) { p.reply(c, "s", []byte{200, 0, 0, 0, 'a', 0}) }), nonsense: true},
	{name: "a body too long", serve: answers(func(p *peer, c call) { p.reply(c, "s", append(text("hello"), "more"...)) }), nonsense: true},
	{name: "no text", serve: answers(func(p *peer, c call) { p.reply(c, "s", text("\xff\xfe")) }), nonsense: true},
	{name: "an array past its end", serve: answers(func(p *peer, c call) { p.reply(c, "as", []byte{255, 255, 255, 3, 0, 0, 0, 0}) }), nonsense: true},
	{name: "a bad signature", serve: answers(func(p *peer, c call) { p.reply(c, "a{", []byte{0, 0, 0, 0}) }), silent: true},
	{name: "deep nesting", serve: answers(func(p *peer, c call) { p.reply(c, strings.Repeat("a", 100)+"s", []byte{0, 0, 0, 0}) }), silent: true},
	{name: "an error of the system", serve: answers(func(p *peer, c call) { p.refuse(c, "System.Error.ENOTTY", "Not a typewriter") })},
	{name: "an error without a text", serve: answers(func(p *peer, c call) {
		p.say(message(3, c.serial, "", nil, field(4, "s", text("org.freedesktop.systemd1.LoadFailed"))))
	})},
	{name: "an error without a name", serve: answers(func(p *peer, c call) { p.say(message(3, c.serial, "s", text("hello"))) }), silent: true},
	{name: "an unknown error", serve: answers(func(p *peer, c call) { p.refuse(c, "org.example.Error", "It is so") })},
	{name: "access denied", serve: answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.AccessDenied", "You may not") })},
	{name: "no such method", serve: answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.UnknownMethod", "No method "+c.member) })},
	{name: "nobody there", serve: answers(func(p *peer, c call) { p.refuse(c, "org.freedesktop.DBus.Error.ServiceUnknown", "Nobody") })},
	{name: "another's reply first", serve: answers(func(p *peer, c call) {
		p.say(message(2, c.serial+1000, "s", text("hello")))
		p.refuse(c, "org.freedesktop.systemd1.NoSuchUnit", "No such unit")
	})},
	{name: "a job that never ends", serve: answers(func(p *peer, c call) {
		p.reply(c, "o", text("/org/freedesktop/systemd1/job/1"))
		if strings.HasSuffix(c.member, "Unit") {
			p.Close()
		}
	}), nonsense: true},
}

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
	"get-default", "is-enabled a.service", "enable a.service", "enqueue-marked", "freeze a.service", "clean a.service", "service-log-level a.service",
	"set-default a.target", "whoami",
}

// notCompared tells why a line is passed over under a fault, or is "".
func notCompared(f fault, line string) string {
	verb, _, _ := strings.Cut(line, " ")
	switch {
	case f.silent && strings.HasPrefix(line, "daemon-"):
		return "it waits for minutes, whatever the environment says"
	case f.nonsense && (verb == "freeze" || verb == "clean"):
		return "the reference waits for ever for a signal"
	case f.nonsense && line == "start --wait a.service":
		return "the reference waits for ever for the unit"
	case f.nonsense && verb == "service-log-level":
		return "it asks who is called hello"
	case f.nonsense && (verb == "enable" || verb == "set-default"):
		return "of changes that are none ctl says nothing"
	case f.name == "says what it was asked" && (line == "show" || verb == "whoami"):
		return "ctl asks for the properties of one interface, and processes have numbers"
	}
	return ""
}

var pid = regexp.MustCompile(`PID [0-9]+`)

// TestFaults has both programs speak to a manager that does wrong.
func TestFaults(t *testing.T) {
	m := oracle.Boot(t, "testdata/files")
	const dir = "/run/peers"
	startPeers(t, m, dir)
	for _, bus := range []bool{true, false} {
		for i, f := range faults {
			t.Run(fmt.Sprint(f.name, ", bus ", bus), func(t *testing.T) {
				t.Parallel()
				var lines []string
				for _, line := range faulty {
					if notCompared(f, line) == "" {
						lines = append(lines, line)
					}
				}
				script := "mount --bind " + peerSocket(dir, i, bus) + " /run/systemd/private; "
				if bus {
					script = "export DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + peerSocket(dir, i, bus) + " SYSTEMCTL_FORCE_BUS=1; "
				}
				if f.silent {
					script += "export SYSTEMD_BUS_TIMEOUT=0.2; "
					lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "-T") || strings.Contains(line, "--wait") })[:12]
				}
				want := answersOf(t, m, script, "/usr/bin/systemctl", lines)
				got := answersOf(t, m, script, "/ctl/systemctl", lines)
				for i, line := range lines {
					if want[i] != got[i] {
						t.Errorf("systemctl %s\nthe reference: %sctl: %s", line, want[i], got[i])
					}
				}
			})
		}
	}
}

// answersOf runs lines, in a mount namespace of their own, and is what each says, with its exit status.
func answersOf(t *testing.T, m *oracle.Machine, script, program string, lines []string) []string {
	t.Helper()
	for _, line := range lines {
		script += program + " " + line + " 2>&1; echo \"exit $?\"; printf '\\1'\n"
	}
	r := m.Run(t, "unshare -m sh -c '"+strings.ReplaceAll(script, "'", `'\''`)+"'")
	l := strings.Split(pid.ReplaceAllString(r.Stdout, "PID N"), "\x01")
	if len(l) != len(lines)+1 {
		t.Fatalf("%d answers to %d lines: %s", len(l), len(lines), r.Stderr)
	}
	return l
}
