package spawntest

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// words are messages without those about mounts, whose words differ (53).
func words(messages string) string {
	var l []string
	for line := range strings.Lines(messages) {
		if !strings.HasPrefix(line, "Failed to mount ") {
			l = append(l, line)
		}
	}
	return strings.Join(l, "")
}

// inCopy does what changes a tree, and tells what it then sees.
const inCopy = `cd /srv; echo more >>data/file; cat data/file hard; stat -c "%a %u %g %n" *; stat -c %h hard; mv data moved; ls moved; rm -r moved; mkdir data; ls data; ln hard again
stat -c "%h %i" hard again | uniq -d | wc -l; rm /etc/passwd; mkdir /etc/passwd; rmdir /etc/passwd; echo ann:x:7:8:::>/etc/passwd; cat /etc/passwd; chown 7:8 link; chmod 700 /; stat -c "%a %u %g %n" /
mv /usr/share /usr/shared; ls -d /usr/share*; mknod /dev/zero2 c 1 5; mknod /srv/zero c 1 5; head -c1 /srv/zero | wc -c; touch /srv/data/a; mv /srv/data/a /srv; find /srv | sort`

// TestLayer: an ephemeral copy of "ctl spawn", which has only what is changed, is for those who work in it what one of the reference is, and
// leaves as little. The tree cannot be started for writing meanwhile.
func TestLayer(t *testing.T) {
	h := oracle.NewHost(t)
	const setup = "cd t/srv; ln data/file hard; ln -s data link; mkfifo f; chmod 4755 data/file; chown 5:6 f; mkdir dir; chmod 1777 dir"
	for _, options := range []string{"", "-U", "--private-users=65536:65536", "--read-only", "-a"} {
		script := func(start string) oracle.HostCall {
			return oracle.HostCall{Setup: setup, Script: start + " $K -q -D t -x --restrict-address-families=AF_UNIX " + options + " --pipe sh -c '" + inCopy + "'; echo $?; stat -c %a t; ls -A t/srv"}
		}
		want, err := h.Run("reference", script("$S"))
		oracle.Require(t, err)
		got, err := h.Run("ctl", script("/ctl/ctl spawn"))
		oracle.Require(t, err)
		if want.Stdout != got.Stdout || words(want.Stderr) != words(got.Stderr) || len(want.Stdout) < 100 {
			t.Errorf("%s\n- the reference\n%s%s\n+ ctl\n%s%s", options, want.Stdout, want.Stderr, got.Stdout, got.Stderr)
		}
		for _, l := range got.Left {
			if strings.Contains(l, "snapshot") {
				t.Errorf("left: %s", l)
			}
		}
	}
	r, err := h.Run("ctl", oracle.HostCall{Script: `C="/ctl/ctl spawn $K -q"
mkfifo go; $C -D t -x --pipe sh -c 'grep -o "/ / .* - overlay " /proc/self/mountinfo | cut -c1-3; read x' <go >seen & exec 8>go; until ls -d .#snapshot.t* >/dev/null 2>&1; do :; done
until $C -D t -x --pipe grep -q ' / / .* - overlay ' /proc/self/mountinfo; do :; done; $C -D t true; echo $?; echo >&8; wait; cat seen; $C -D t true; echo $?; ls -A`})
	oracle.Require(t, err)
	for _, w := range []string{"1\n/ /\n0\n", "busy"} {
		if !strings.Contains(r.Stdout+r.Stderr, w) {
			t.Errorf("not said: %q\n%s%s", w, r.Stdout, r.Stderr)
		}
	}
}
