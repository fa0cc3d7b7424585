package runtest

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestShell types into a shell of `ctl run --shell`, which is on a terminal of its own with job control. The caller's terminal is as it was then; that
// and what else is left is looked at.
func TestShell(t *testing.T) {
	h := oracle.NewHost(t)
	const unit = `mkdir -p /run/bin /run/ctl; ln -s /ctl/systemd-nspawn /run/bin/ctl
printf '[Service]\nUser=daemon\nPrivateTmp=yes\nProtectSystem=strict\nEnvironment=PS1=ready:\nExecStart=/bin/false\n' >/srv/try.service
`
	expect := func(text string) oracle.Step { return oracle.Step{Do: "expect", Text: text} }
	send := func(text string) oracle.Step { return oracle.Step{Do: "send", Text: text} }
	r, err := h.Run("ctl", oracle.HostCall{TTY: true, Setup: unit, Script: "/run/bin/ctl run --shell /srv/try.service; echo status $?", Steps: []oracle.Step{
		expect("ready:"), send("tty; id -un; stty size; touch /usr/x; echo sum:$((1+1))\n"), expect("sum:2"), expect("ready:"),
		send("cat\n"), send("typed\n"), expect("typed\r\ntyped"), send("\x1a"), expect("Stopped"), expect("ready:"), send("jobs; fg\n"), expect("cat\r\ncat\r\n"), send("more\n"), expect("more\r\nmore"),
		send("\x03"), expect("ready:"), {Do: "size", Text: "30x90"}, send("until stty size | grep '30 90'; do :; done; exit 7\n"), expect("status"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	said := strings.ReplaceAll(r.Stdout, "\r\n", "\n")
	for _, w := range []string{"\n/dev/pts/", "\ndaemon\n24 80\n", "Read-only file system", "\n30 90\n", "status 7\n"} {
		if !strings.Contains(said, w) {
			t.Errorf("not said: %q", w)
		}
	}
	if len(r.Left) > 0 || r.Err != "" || strings.Contains(said, "job control") {
		t.Errorf("left %q, %s", r.Left, r.Err)
	}
	if t.Failed() {
		t.Logf("%s\n%s", said, r.Stderr)
	}
}
