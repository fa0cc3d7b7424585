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
		_, s, _ = strings.Cut(s, "\n")
		return strings.Split(further.ReplaceAllString(escapes.ReplaceAllString(s, ""), ""), "\n")
	}
	if d := cmp.Diff(lines(parts[1]), lines(parts[2])); d != "" {
		t.Errorf("- the reference, + ctl\n%s", d)
	}
	t.Logf("%s", parts[1])
}

// What terminals are told, and what the reference's processes say of each other's failures (deviation 84), is not compared.
var (
	escapes = regexp.MustCompile(`/tmp/nspawn-root-\w{6}|\x1b\][^\x1b\x07]*(\x1b\\|\x07)|\x1b\[[0-9;]*m`)
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

// bareImage makes, in /mnt, a file system with hashes.
const bareImage = `mount -t tmpfs w /mnt; cd /mnt; cp -a /var/lib/machines/t .
mkfs.erofs root.raw t >/dev/null 2>&1
H=$(veritysetup format root.raw root.hashes | sed -n 's/Root hash:[[:space:]]*//p')
`

// protectedImages makes partitions with hashes besides, and the same with a signature of a key that nobody knows.
const protectedImages = bareImage + `mkdir -p repart.d
printf '[Partition]\nType=root\nFormat=erofs\nCopyFiles=/mnt/t:/\nVerity=data\nVerityMatchKey=root\nMinimize=best\n' >repart.d/10-root.conf
printf '[Partition]\nType=root-verity\nVerity=hash\nVerityMatchKey=root\nMinimize=best\n' >repart.d/11-verity.conf
make() { systemd-repart --empty=create --size=auto --definitions=repart.d --json=short --offline=yes --dry-run=no "$@" 2>log | grep -o '"roothash":"[^"]*' | head -1 | cut -d'"' -f4; }
R=$(make part.raw)
printf '[Partition]\nType=root-verity-sig\nVerity=signature\nVerityMatchKey=root\n' >repart.d/12-sig.conf
openssl req -x509 -newkey rsa:2048 -keyout key.pem -out cert.pem -days 3000 -nodes -subj /CN=x 2>/dev/null
RS=$(make --private-key=key.pem --certificate=cert.pem signed.raw)
[ -n "$H" ] && [ -n "$R" ] && [ -n "$RS" ] || { cat log; exit 1; }`

// TestVerity: images that the kernel checks while it reads them, and what is refused.
func TestVerity(t *testing.T) {
	compared(t, oracle.KernelNow, protectedImages, `try() { echo "# $*"; $S $K --pipe "$@" 2>&1 | grep -v -e ^device-mapper: -e '^Kernel does not' -e '^Cannot '; }
try --root-hash=$H --verity-data=root.hashes -i root.raw sh -c 'mount | head -1 | sed s,fd/[0-9]*,,; ls /sys/block | grep -o dm; echo x >/x'
try --root-hash=${H%??}00 --verity-data=root.hashes -i root.raw true
try --root-hash=$H --verity-data=root.raw -i root.raw true
try --root-hash=$H --verity-data=root.hashes --image-policy=root=signed -i root.raw true
try --root-hash=$R --image-policy=root=signed -i part.raw true
cp root.hashes root.verity; echo $H >root.roothash; try -i root.raw sh -c 'ls /sys/block | grep -o dm'
echo xy >root.roothash; try -i root.raw true; rm root.roothash root.verity
setfattr -n user.verity.roothash -v $R part.raw; try -i part.raw --image-policy=root=verity sh -c 'ls /sys/block | grep -o dm'; setfattr -x user.verity.roothash part.raw
for i in part.raw signed.raw; do for p in '*' root=verity root=verity+unprotected root=signed+unprotected root=verity+signed+unprotected root=unprotected root=signed+absent \
	root=verity+signed root=verity:root-verity=unused root=verity:root-verity=absent root=verity+absent:root-verity-sig=unprotected; do try --image-policy=$p -i $i sh -c 'ls /sys/block | grep -o dm'; done; done
try --root-hash=$R -i part.raw sh -c 'ls /sys/block | grep -o dm'
try --root-hash=$RS -i part.raw true
try --root-hash=$R -x -i part.raw sh -c 'echo x >/x'
try --root-hash=$R --volatile=overlay -i part.raw sh -c 'echo x >/x; cat /x'
try --root-hash=$R --image-policy=root=unprotected -i part.raw true
cp part.raw bad.raw; dd if=/dev/zero of=bad.raw bs=4096 count=300 seek=700 conv=notrunc 2>/dev/null
try -i bad.raw sh -c 'find /usr -xdev -type f | xargs cat >/dev/null 2>&1; echo $?' | sed 's/by signal.*/by signal/'
dmsetup ls`)
}

// TestNoVerity: the kernel has no dm-verity.
func TestNoVerity(t *testing.T) {
	r := oracle.NewHost(t).VM(t, oracle.KernelNow, protectedImages+`
echo /bin/false >/proc/sys/kernel/modprobe
for S in systemd-nspawn /ctl/systemd-nspawn; do for o in "-i part.raw" "--root-hash=$R -i part.raw" "--root-hash=$H --verity-data=root.hashes -i root.raw" "--image-policy=root=verity -i part.raw"; do
SYSTEMD_COLORS=0 $S -q --keep-unit --register=no --restrict-address-families= --pipe $o true; echo $?; done; done; losetup -a`)
	if n := strings.Count(r.Stdout, "Failed to decrypt/set up image: Operation not supported\n1\n"); n != 4 {
		t.Errorf("the reference fails %d times", n)
	}
	if n := strings.Count(r.Stdout, "Failed to decrypt/set up image: Operation not supported (the kernel has no device mapper with dm-verity)\n1\n"); n != 4 || strings.Contains(r.Stdout, "loop") {
		t.Errorf("%s", r.Stdout)
	}
}

// TestOldKernel: what an older kernel lacks is done without.
func TestOldKernel(t *testing.T) {
	compared(t, oracle.KernelOld, bareImage, `uname -r; for o in "" -U --volatile=overlay --private-network "--private-users=65536:65536 --private-users-ownership=map" -x -n \
	"--system-call-filter=~mount --no-new-privileges=yes" "--bind=/etc:/srv:idmap -U"; do $S $K --pipe -D /var/lib/machines/t $o sh -c 'id -u; mount | cut -d" " -f3- |
	grep -v -e "^/run/host" -e boot_id | sed "s/size=[0-9]*k/size/; s/nr_inodes=[0-9]*k*/inodes/; s/,[a-z]*dir=[^,)]*//g; s/,[ug]id=[0-9]*//g" | sort -u; grep -i cap /proc/self/status'; done
$S $K --pipe --root-hash=$H --verity-data=root.hashes -i root.raw sh -c 'ls /sys/block | grep -o dm'`)
}

// TestDevices: on a host that has the unified hierarchy alone, --hardened forbids devices by a program of the container's cgroup too, which is shown by a
// process of the host that joins it; and nothing of that is left.
func TestDevices(t *testing.T) {
	r := oracle.NewHost(t).VM(t, oracle.KernelNow, `export SYSTEMD_COLORS=0
try() { echo "# $*"; /ctl/ctl spawn -q --register=no --restrict-address-families= --pipe -D t "$@" sh -c 'sleep 1000 & wait' 2>/dev/null & p=$!
until l=$(pgrep -x sleep); do sleep 0.1; done; g=/sys/fs/cgroup$(cut -d: -f3 /proc/$l/cgroup); echo "$g" | sed 's/[0-9][0-9]*/N/g'
for d in null zero vdb vdc kmsg; do sh -c "echo \$\$ >$g/cgroup.procs; head -c0 /dev/$d" 2>&1 && echo $d; done
kill -9 $l; kill $p; wait $p; }
try; try --hardened; try --hardened --bind=/dev/vdc:/srv/vdc
find /sys/fs/cgroup -type d | sort`)
	refuse := func(devices ...string) (s string) {
		for _, d := range devices {
			s += "head: cannot open '/dev/" + d + "' for reading: Operation not permitted\n"
		}
		return s
	}
	const group = "/sys/fs/cgroup/init/payload\n"
	want := "# \n" + group + "null\nzero\nvdb\nvdc\nkmsg\n" +
		"# --hardened\n" + group + "null\nzero\n" + refuse("vdb", "vdc", "kmsg") +
		"# --hardened --bind=/dev/vdc:/srv/vdc\n" + group + "null\nzero\n" + refuse("vdb") + "vdc\n" + refuse("kmsg") + "/sys/fs/cgroup\n/sys/fs/cgroup/init\n"
	if r.Stdout != want {
		t.Errorf("%s", r.Stdout)
	}
}

// TestBoot boots Debian on a host that has the unified hierarchy alone, with all controllers.
func TestBoot(t *testing.T) {
	compared(t, oracle.KernelNow, "mount -t tmpfs x /mnt; mkdir /mnt/u /mnt/w /mnt/f; mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w x /mnt/f",
		`cat >/mnt/f/etc/systemd/system/look.service <<EOF
[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=file:/look
ExecStart=/bin/sh -c "systemctl --failed --no-legend --plain; cat /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/cgroup.subtree_control; systemctl show -p ActiveState dbus; systemctl poweroff"
TasksMax=50
MemoryMax=100M
[Install]
WantedBy=multi-user.target
EOF
mkdir -p /mnt/f/etc/systemd/system/multi-user.target.wants; ln -sf ../look.service /mnt/f/etc/systemd/system/multi-user.target.wants
rm -f /mnt/f/look /mnt/f/etc/machine-id; timeout 200 $S $K -b --private-network -D /mnt/f --console=read-only >/tmp/log 2>&1; echo $?; cat /mnt/f/look; rm /tmp/log; find /sys/fs/cgroup -name "*.service"`)
}

// TestServices: `ctl run` alone in a cgroup, on a host that has the unified hierarchy alone: limits, devices, and nothing is left.
func TestServices(t *testing.T) {
	r := oracle.NewHost(t).VM(t, oracle.KernelNow, `export SYSTEMD_COLORS=0; mkdir /sys/fs/cgroup/svc
service() { printf '[Service]\nType=oneshot\nExecStart=/bin/sh -c "%s"\n' "$1"; shift; printf '%s\n' "$@"; }
service 'cd /sys/fs/cgroup/$$(cut -d: -f3 /proc/self/cgroup); cat memory.max pids.max cpu.weight; for d in null vdb kmsg; do head -c0 /dev/$$d; echo $$d $$?; done' \
	MemoryMax=30M TasksMax=7 CPUWeight=50 DevicePolicy=closed 'DeviceAllow=/dev/vdb r' >/tmp/limits.service
service 'x=$$(head -c 60m /dev/zero | base64 -w0); true' MemoryMax=20M >/tmp/memory.service
service 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait' TasksMax=5 >/tmp/tasks.service
for u in limits memory tasks limits; do sh -c "echo \$\$ >/sys/fs/cgroup/svc/cgroup.procs; exec /ctl/ctl run /tmp/$u.service" 2>/tmp/err; echo "$u $?"; grep -o -e oom-kill -e 'Cannot fork' -e 'Operation not permitted' /tmp/err; done
find /sys/fs/cgroup -type d | sort`)
	const limits = "31457280\n7\n50\nnull 0\nvdb 0\nkmsg 1\nlimits 0\nOperation not permitted\n"
	want := limits + "memory 137\noom-kill\ntasks 2\nCannot fork\n" + limits + "/sys/fs/cgroup\n/sys/fs/cgroup/init\n/sys/fs/cgroup/svc\n"
	if r.Stdout != want {
		t.Errorf("%s", r.Stdout)
	}
}
