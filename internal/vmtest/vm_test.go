// Package vmtest has what takes a kernel of its own: limits of the whole machine, the unified hierarchy of cgroups, older kernels.
package vmtest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) { oracle.Main(m) }

// compared has the reference and ctl do the same in a virtual machine: $S is the program, $K the options for a host without a manager. What is said after "=== " is compared.
func compared(t *testing.T, kernel, before, script string) {
	t.Helper()
	r := oracle.NewHost(t).VM(t, kernel, "export SYSTEMD_COLORS=0 SYSTEMD_LOG_TARGET=console\nK='-q --keep-unit --register=no --restrict-address-families='\n"+before+
		"\ndoit() {\n"+script+"\n}\nfor S in systemd-nspawn /ctl/systemd-nspawn; do echo \"=== $S\"; doit 2>&1; ls -A /tmp /var/tmp; losetup -a; ls /sys/class/net; done")
	parts := strings.Split(r.Stdout, "=== ")
	if len(parts) != 3 {
		t.Fatalf("%d\n%s", r.Exit, r.Stdout)
	}
	lines := func(s string) []string {
		_, s, _ = strings.Cut(strings.ReplaceAll(s, "\r", ""), "\n")
		return strings.Split(further.ReplaceAllString(escapes.ReplaceAllString(s, ""), ""), "\n")
	}
	if d := cmp.Diff(lines(parts[1]), lines(parts[2])); d != "" {
		t.Errorf("- the reference, + ctl\n%s", d)
	}
	t.Logf("%s", parts[1])
}

// What terminals are told, and what the reference's processes say of each other's failures (deviation 84), is not compared.
var (
	escapes = regexp.MustCompile(`\x1b\][^\x1b\x07]*(\x1b\\|\x07)|\x1b\[[0-9;]*m`)
	further = regexp.MustCompile(`(?m)^(Child died too early|Failed to receive (master pty|kmsg fifo) from (the )?inner child: .*|Parent died too early)\n`)
)

// TestScarce: there are no more pseudo terminals, namespaces, processes.
func TestScarce(t *testing.T) {
	compared(t, oracle.KernelNow, "", `try() { $S $K -D t "$@" true; echo "$? $*"; }
echo 0 >/proc/sys/kernel/pty/max
try; try --pipe; try --console=interactive; try -b; try --console=read-only
echo 4096 >/proc/sys/kernel/pty/max
for n in user pid ipc uts cgroup; do
	was=$(cat /proc/sys/user/max_${n}_namespaces)
	echo 0 >/proc/sys/user/max_${n}_namespaces
	echo $n; try --pipe
	try --pipe --private-network --private-users=65536:65536 --private-users-ownership=off
	try --pipe --private-network --private-users=65536:65536 --private-users-ownership=map
	echo $was >/proc/sys/user/max_${n}_namespaces
done
try --pipe
try --pipe -U --private-network
ulimit -n 4096; $S $K -D t --pipe -U --private-network sh -c 'ulimit -Hn; ulimit -Sn'
$S $K -D t --pipe -U --private-network --rlimit=NOFILE=1000000 sh -c 'ulimit -Hn; ulimit -Sn'`)
}
