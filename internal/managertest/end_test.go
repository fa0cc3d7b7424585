package managertest

import (
	"testing"

	"ctl/internal/oracle"
)

// TestEnd ends machines for good, in each way that ends one.
func TestEnd(t *testing.T) {
	for _, c := range []struct {
		command string
		exit    int
	}{
		{"/ctl/systemctl poweroff", 0},
		{"SYSTEMD_INVOKED_AS=shutdown /ctl/systemctl -h now", 0},
		{"/ctl/systemctl exit 5", 5},
		{"/ctl/systemctl -f halt", 0},
		{"/ctl/systemctl -ff poweroff", 0},
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
