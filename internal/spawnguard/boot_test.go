package spawnguard

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestBoot boots Debian up to its login prompt and shuts it down, where that is harder than usual.
func TestBoot(t *testing.T) {
	h := host(t)
	for name, c := range map[string]struct{ options, setup string }{
		"hardened": {options: "--hardened "},
		// Neither the unified hierarchy nor a controller, which the reference refuses.
		"cgroup v1":  {setup: "umount -l /sys/fs/cgroup; mount -t tmpfs t /sys/fs/cgroup; mkdir /sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd s /sys/fs/cgroup/systemd"},
		"no cgroups": {setup: "umount -l /sys/fs/cgroup"},
	} {
		if !oracle.Chosen(name, 1, 2) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := run(t, h, "ctl", oracle.HostCall{Full: true, Setup: c.setup, Script: "exec " + ctlSpawn + c.options + "-b -D full",
				Steps: []oracle.Step{{Do: "expect", Text: "login: "}, {Do: "signal", Text: "15"}}})
			if r.Exit != 0 || r.Err != "" || !strings.Contains(r.Stdout, "Halting system.") {
				t.Errorf("%+v", r)
			}
		})
	}
}
