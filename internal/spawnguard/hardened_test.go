package spawnguard

import (
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestHardened: what is in a hardened container reaches nothing that is not its own.
func TestHardened(t *testing.T) {
	h := host(t)
	for how, start := range map[string]string{"option": hardened, "file": "/ctl/systemd-nspawn -q --keep-unit --register=no "} {
		t.Run(how, func(t *testing.T) {
			c := oracle.HostCall{Setup: armed, Script: attacked + start + "-D t /usr/bin/attack"}
			if how == "file" {
				c.Setup += "printf '[Exec]\\nHardened=yes\\n' >t.nspawn\n"
			}
			checkHardened(t, run(t, h, "ctl", c))
		})
	}
}

func checkHardened(t *testing.T, got oracle.HostResult) {
	t.Helper()
	_, came := outcomes(got)
	for name, want := range required {
		c, ok := came[name]
		if !ok {
			t.Errorf("%s: did not happen", name)
		} else if !slices.Contains(strings.Split(want, "|"), c) {
			t.Errorf("%s: %s, not %s", name, c, want)
		}
		delete(came, name)
	}
	for name, c := range came { // the system calls, by all entries
		if !strings.HasPrefix(name, "S15 ") || c != "EPERM" && c != "ENOSYS" {
			t.Errorf("%s: %s", name, c)
		}
	}
	if got.Exit != 0 {
		t.Errorf("exit %d: %s", got.Exit, got.Stderr)
	}
	for _, l := range unexpected(got.Left) {
		t.Errorf("left: %s", l)
	}
}

const device = "20000 "

// required is what has to come of each attack, in whatever way it fails: the kernel has no file of this name, too.
var required = map[string]string{
	"S1 program of the first": "ETXTBSY|EACCES|EROFS",
	"S3 cwd":                  "/ <nil>", "S3 cwd in proc": "/ <nil>", "S4 proc": "9fa0 <nil>",
	"S7 null": device + "1:3 <nil>", "S7 zero": device + "1:5 <nil>", "S7 full": device + "1:7 <nil>",
	"S7 random": device + "1:8 <nil>", "S7 urandom": device + "1:9 <nil>", "S7 tty": device + "5:0 <nil>",
	"S10 cgroup v1": "EPERM", "cgroup v1 named": "EPERM",
	"S11 CapAmb": "0000000000000000", "S11 CapInh": "0000000000000000",
	// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE SYS_CHROOT SYS_BOOT AUDIT_WRITE SETFCAP
	"S11 CapBnd": "00000000a04405fb", "S11 CapEff": "00000000a04405fb", "S11 CapPrm": "00000000a04405fb",
	"S11 NoNewPrivs": "1", "S11 Seccomp": "2",
	"S13 abstract socket":             "ECONNREFUSED",
	"S14 attributes of /proc/sys":     "EPERM|EINVAL",
	"S14 copy of /proc without masks": "EPERM|EINVAL",
	"S14 debugfs":                     "EPERM",
	"S14 mount over a mask":           "EPERM",
	"S14 proc":                        "EPERM", "S14 proc, core_pattern": "EPERM", "S14 sysfs": "EPERM",
	"S14 remount /proc/sys": "EPERM", "S14 remount /sys": "EPERM", "S14 unmount /proc/sys": "EPERM",
	"S14 unmount kcore": "EPERM|ENOENT", "S14 unmount keys": "EPERM", "S14 unmount sysrq-trigger": "EPERM|ENOENT",
	"S15 unshare -U": "ENOSPC",
	"S16 packets":    "EPERM", "S16 raw": "EPERM", "netlink audit": "EAFNOSUPPORT",
	"S17 key of the session": "EPERM", "S17 key of the user": "EPERM", "S17 key of the user's session": "EPERM",
	"S18 disk": "EPERM", "S18 in the tree": "EACCES|EPERM", "S18 kmsg": "EPERM", "S18 loop control": "EPERM",
	"S18 loop device": "EPERM", "S18 mem": "EPERM",
	"S19 kallsyms": "0", "S19 kcore": "0|-1", "S19 keys": "0", "S19 timer_list": "0",
	"S20 first process": "false", "S21 own": "false",
	"S25 memory of the first": "EBUSY", "S25 ptrace of the first": "EPERM",
	"make in /sys": "EROFS|EPERM|EACCES", "write /sys": "EACCES|EROFS|ENOENT", "write uevent_helper": "EACCES|EROFS|ENOENT",
	"write /proc/irq": "EACCES|EROFS|ENOENT", "write core_pattern": "EACCES|EROFS", "write modprobe": "EACCES|EROFS|ENOENT",
	"write sysrq-trigger": "EACCES|EROFS|ENOENT", "write os-release": "EACCES|EROFS", "write to /run/host": "EROFS|EACCES",
	"mount namespace": "EPERM", "network namespace": "EPERM", "network interface": "EPERM", "open_by_handle_at": "EPERM",
	"nice": "EACCES|EPERM", "raise oom_score": "EACCES|EPERM", "outside by ..": "ENOENT", "processes": "ESRCH",
	// What a container may do in its own tree.
	"chroot": "OK", "write in the tree": "OK",
}
