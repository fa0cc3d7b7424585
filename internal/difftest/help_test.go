package difftest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// looks are environments that decide how --help looks. There is no pager but in the last, which shows that it was there.
var looks = [...][]string{
	{"TERM=dumb"},
	{"TERM=xterm", "SYSTEMD_PAGER="},
	{"TERM=xterm", "SYSTEMD_PAGER=", "NO_COLOR=1"},
	{"TERM=xterm", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=16", "SYSTEMD_UTF8=0"},
	{"TERM=dumb", "SYSTEMD_COLORS=16"},
	{"TERM=linux", "SYSTEMD_PAGER="},
	{"TERM=xterm", "SYSTEMD_PAGER=", "SYSTEMD_URLIFY=0"},
	{"TERM=xterm", "SYSTEMD_PAGER=", "SYSTEMD_URLIFY=1", "NO_COLOR=1"},
	{"TERM=xterm", "SYSTEMD_PAGER=sed s/^/>/", "SYSTEMD_PAGERSECURE=1"},
}

// TestHelp compares --help by all names, for pipes and terminals of many widths.
func TestHelp(t *testing.T) {
	t.Parallel()
	systemctl, ctl := oracle.Programs(t)
	tree, err := oracle.SpawnTree()
	oracle.Require(t, err)
	for _, name := range []string{"systemctl", "systemd-nspawn", "halt", "poweroff", "reboot", "shutdown"} {
		ref := systemctl.As(name)
		if name == "systemd-nspawn" {
			ref = oracle.Nspawn(tree)
		}
		for _, columns := range []int{1, 20, 33, 40, 79, 80, 99, 100, 101, 133, 200} {
			for i, look := range looks {
				if i > 0 && !oracle.Chosen(fmt.Sprint(name, columns, look), 0, 24) {
					continue
				}
				onPipe := func(p oracle.Program) oracle.Result {
					return p.Run(t, "/", append([]string{"COLUMNS=" + strconv.Itoa(columns)}, look...), "--help")
				}
				onTerminal := func(p oracle.Program) oracle.Result { return p.RunOnTerminal(t, columns, look, "--help") }
				if d := cmp.Diff(onPipe(ref), onPipe(ctl.As(name))); d != "" {
					t.Errorf("%s, %d columns, %v, on a pipe: - the reference, + ctl:\n%s", name, columns, look, d)
				}
				if d := cmp.Diff(onTerminal(ref), onTerminal(ctl.As(name))); d != "" {
					t.Errorf("%s, %d columns, %v, on a terminal: - the reference, + ctl:\n%s", name, columns, look, d)
				}
			}
		}
	}
}
