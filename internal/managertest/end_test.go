package managertest

import (
	"testing"

	"ctl/internal/oracle"
)

// TestEnd ends machines for good, in each way that ends one.
func TestEnd(t *testing.T) {
	const again = 133 // of systemd-nspawn(1), for whoever started it is to start it again
	for _, c := range []struct {
		command string
		exit    int
	}{
		{"/ctl/systemctl poweroff", 0},
		{"SYSTEMD_INVOKED_AS=shutdown /ctl/systemctl -h now", 0},
		{"/ctl/systemctl exit 5", 5},
		{"/ctl/systemctl halt", 0},
		{"/ctl/systemctl -f halt", 0},
		{"/ctl/systemctl -ff poweroff", 0},
		{"/ctl/systemctl reboot", again},
		{"SYSTEMD_INVOKED_AS=shutdown /ctl/systemctl -r now", again},
		{"/ctl/systemctl -ff reboot", again},
	} {
		t.Run(c.command, func(t *testing.T) {
			m := oracle.Boot(t, "")
			m.Run(t, c.command) // which ends before it ends, or with all the others
			if exit := m.Ended(t); exit != c.exit {
				t.Errorf("the machine ends with %d; want %d", exit, c.exit)
			}
		})
	}
}

// TestAgain starts the user space of a machine again.
func TestAgain(t *testing.T) {
	m := oracle.Boot(t, "")
	m.Run(t, "/ctl/systemctl soft-reboot")
	m.Again(t)
	if got := m.Run(t, "systemctl show -P SoftRebootsCount").Stdout; got != "1\n" {
		t.Errorf("soft reboots: %s", got)
	}
}
