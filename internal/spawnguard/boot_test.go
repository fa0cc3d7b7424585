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

// TestBootTwice boots two containers from one tree at the same time, each with changes of its own.
func TestBootTwice(t *testing.T) {
	h := host(t)
	for _, options := range []string{"--volatile=overlay", "-x"} {
		if !oracle.Chosen(options, 1, 2) {
			continue
		}
		t.Run(options, func(t *testing.T) {
			r := run(t, h, "ctl", oracle.HostCall{Full: true, Script: `for i in 1 2; do
	` + ctlSpawn + options + ` -b -D full -M m$i --console=read-only >log$i 2>&1 </dev/null & p="$p $!"
done
until grep -q "login: " log1 && grep -q "login: " log2; do sleep 0.1; done
kill $p; wait; grep -c "Halting system." log1 log2; ls full/etc/machine-id full/var/log/wtmp 2>&1; ls -A`})
			if !strings.HasPrefix(r.Stdout, "log1:1\nlog2:1\n") || strings.Contains(r.Stdout, "snapshot") {
				t.Errorf("%+v", r)
			}
		})
	}
}
