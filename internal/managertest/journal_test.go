package managertest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// sender sends the messages that come in, a line each: fields with \xHH for odd bytes and a | between them. It lives on until journald has
// found out what unit it is of.
const sender = `use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => "/run/systemd/journal/socket") or die;
while (<STDIN>) {
	chomp;
	my $m = "";
	for (split /\|/) {
		my ($k, $v) = split /=/, $_, 2;
		$v =~ s/\\x([0-9a-f]{2})/chr(hex($1))/ge;
		$m .= "$k\n" . pack("Q<", length $v) . "$v\n";
	}
	syswrite $s, $m;
}
system("journalctl", "--sync");
`

// odd are pieces of messages.
var odd = []string{"word ", "a longer piece of text, ", "é", "日本", "\n", "\n\n", "\t", "\r", "\r\n", "\x1b[31m", "\x1b[0m", "\x1b[1;2:3m", "\x1b[2K", "\x1b]8;;http://example.org\x1b\\",
	"\x1b]8;;\a", "\x1b]0;title", "\x1b", "\x01", "\x7f", "\u0085", "\xff", "\u200b", "\ufffe", "\ufffd", "😀", "/etc/hosts", ":", " ", strings.Repeat("x", 90), strings.Repeat("ü", 70)}

// messages are random ones, as the sender reads them.
func messages(r *rand.Rand, n int) string {
	var b strings.Builder
	text := func(pieces int) {
		for range r.IntN(pieces) {
			piece := odd[r.IntN(len(odd))]
			if r.IntN(3) > 0 {
				piece = odd[r.IntN(4)]
			}
			for i := range len(piece) {
				if c := piece[i]; c < ' ' || c >= 0x7f || c == '|' || c == '\\' {
					fmt.Fprintf(&b, `\x%02x`, c)
				} else {
					b.WriteByte(c)
				}
			}
		}
	}
	for range n {
		b.WriteString("MESSAGE=")
		text(16)
		if r.IntN(3) > 0 {
			fmt.Fprintf(&b, "|PRIORITY=%d", r.IntN(9))
		}
		switch r.IntN(8) {
		case 0:
			b.WriteString("|SYSLOG_IDENTIFIER=")
			text(3)
		case 1:
			b.WriteString("|SYSLOG_IDENTIFIER=" + strings.Repeat("i", r.IntN(320)))
		case 2:
			b.WriteString("|CONFIG_FILE=/etc/hosts")
		case 3:
			b.WriteString("|MESSAGE_ID=" + []string{"39f53479d3a045ac8e11786248231fbf", "fc2e22bc6ee647b6b90729ab34a250b1", "00000000000000000000000000000000"}[r.IntN(3)])
		case 4:
			b.WriteString("|MESSAGE=again|SYSLOG_PID=7")
		case 5:
			b.WriteString("|DOCUMENTATION=https://example.org/")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const said = `cat >/run/sender.pl <<'END'
` + sender + `END
cat >/run/messages
for unit in says says-apart; do
	printf '[Service]\nType=oneshot\nStandardInput=file:/run/messages\nExecStart=perl /run/sender.pl\n' >/run/systemd/system/$unit.service
done
printf 'LogNamespace=apart\n' >>/run/systemd/system/says-apart.service
systemctl daemon-reload
systemctl start says says-apart
`

// TestJournal has both programs show what a unit has logged: random messages, on terminals of many widths, in and out of colour.
func TestJournal(t *testing.T) {
	seed := oracle.Number("CTL_SEED", 1)
	r := rand.New(rand.NewPCG(seed, 0))
	m := oracle.Boot(t, "testdata/files")
	m.Shell(t, strings.Replace(said, "cat >/run/messages\n", "cat >/run/messages <<'END'\n"+messages(r, 300)+"END\n", 1))
	differ := func(env, args string, columns int) {
		t.Helper()
		shown := func(program string) []string {
			r := m.RunOnTerminal(t, "export "+env+"; "+program+" status --no-pager "+args, columns)
			return strings.Split(settled(r.Stdout+r.Stderr), "\n")
		}
		if d := cmp.Diff(shown("/usr/bin/systemctl"), shown("/ctl/systemctl")); d != "" {
			t.Errorf("seed %d: %s status %s, %d columns: - the reference, + ctl\n%s", seed, env, args, columns, d)
		}
	}
	for _, env := range []string{"A=", "LC_ALL=C", "SYSTEMD_COLORS=1", "SYSTEMD_COLORS=16 SYSTEMD_URLIFY=0"} {
		for _, args := range []string{"says", "-n400 says", "-a -n400 says", "-n250 says-apart", `-n3 says says-apart 'system-systemd\x2djournald.slice'`, "-q -n20 init.scope"} {
			differ(env, args, 0)
		}
	}
	differ("TZ=Asia/Tokyo", "says", 0)
	for range 8 {
		differ([]string{"A=", "LC_ALL=C", "TERM=dumb"}[r.IntN(3)], "-n400 says", 20+r.IntN(180))
		differ("A=", "-l says", 20+r.IntN(180))
	}
	m.Shell(t, "journalctl --rotate; journalctl --vacuum-files=1 -q; systemctl start says ok; journalctl --sync")
	for _, args := range []string{"says", "-n1000 ok", "-n5 -q ok", "-n1000 shell", "-n1 shell", "-n1000 systemd-journald"} {
		differ("A=", args, 0)
	}
}
