package spawnguard

import (
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
)

// TestOldKernel: kernels before 5.12, Debian 11's among them, have no mount_setattr(2). The container has the same mounts.
func TestOldKernel(t *testing.T) {
	options := []string{"", "--read-only", "--volatile=yes", "--volatile=overlay --tmpfs=/var", "--private-network --inaccessible=/etc/passwd",
		"--private-users=65536 --private-users-ownership=off -n", "--bind=/usr/lib:/srv:norbind --overlay-ro=/usr/share:/usr/lib:/opt"}
	script := "start() { $1 " + ctlSpawn + "-D t --bind-ro=/usr/share:/mnt $o --pipe sh -c " +
		"'cut -d\" \" -f4- /proc/self/mountinfo; echo x >/proc/sys/kernel/printk; echo x >/sys/power/state' 2>&1 | sed 's/[a-z]*:[0-9]*//; s/size=[0-9]*k//'; }\n" +
		"for o in '" + strings.Join(options, "' '") + "'; do start >new; start '/ctl/attack without " + strconv.Itoa(unix.SYS_MOUNT_SETATTR) +
		"' >old; diff new old && wc -l <old; done"
	r := run(t, host(t), "", oracle.HostCall{Script: script})
	lines := strings.Fields(r.Stdout)
	if len(lines) != len(options) {
		t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	for i, n := range lines {
		if len(n) != 2 { // more than nine lines
			t.Errorf("%s: %s", options[i], n)
		}
	}
}
