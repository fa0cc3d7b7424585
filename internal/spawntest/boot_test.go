package spawntest

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestBoot boots a system that is older than the reference, up to the state that it calls running, and has it end itself.
func TestBoot(t *testing.T) {
	tree, err := oracle.TrixieTree()
	oracle.Require(t, err)
	m := oracle.BootTree(t, tree, "")
	if r := m.Run(t, "systemctl is-system-running --wait"); r.Stdout != "running\n" && r.Stdout != "degraded\n" {
		t.Errorf("it is %+v\n%s", r, m.Run(t, "systemctl --failed --plain --no-legend; systemctl list-jobs").Stdout)
	}
	if r := m.Run(t, "systemctl --version"); !strings.HasPrefix(r.Stdout, "systemd 257 ") {
		t.Errorf("it has %s", r.Stdout)
	}
	m.Run(t, "systemctl poweroff") // which ends before the machine does, or with it
	if exit := m.Ended(t); exit != 0 {
		t.Errorf("it ends with %d", exit)
	}
}
