package managertest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestAssignments compares what is sent to the manager for settings of units, or what is said of them.
func TestAssignments(t *testing.T) {
	data, err := os.ReadFile("testdata/assignments.lines")
	if err != nil {
		t.Fatal(err)
	}
	m := oracle.Boot(t, "")
	const dir = "/run/peers"
	startPeers(t, m, dir)
	number := slices.IndexFunc(faults[:], func(f fault) bool { return f.name == asked })
	script := "export DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + peerSocket(dir, number, true) + " SYSTEMCTL_FORCE_BUS=1; "
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := range lines {
		lines[i] = "set-property " + lines[i]
	}
	want := answersOf(t, m, script, "/usr/bin/systemctl", lines)
	got := answersOf(t, m, script, "/ctl/systemctl", lines)
	for i, line := range lines {
		if want[i] != got[i] {
			t.Errorf("systemctl %s\nthe reference: %sctl: %s", line, want[i], got[i])
		}
	}
}
