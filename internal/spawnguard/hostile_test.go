package spawnguard

import (
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// modes are the two kinds of container, as scripts have them.
const modes = `plain="/ctl/ctl spawn -q --keep-unit --register=no"
hard="$plain --hardened"
`

// hostile runs a script on a host whose tree may be hostile: it must end in time, say all of want, and change nothing outside the tree.
func hostile(t *testing.T, c oracle.HostCall, want ...string) oracle.HostResult {
	t.Helper()
	c.Setup, c.Script = armed+c.Setup, modes+c.Script
	r := run(t, host(t), "ctl", c)
	r.Stdout = strings.ReplaceAll(r.Stdout, "\r\n", "\n")
	for _, w := range want {
		if !strings.Contains(r.Stdout, w) {
			t.Errorf("not said: %s", w)
		}
	}
	for _, l := range unexpected(r.Left) {
		t.Errorf("left: %s", l)
	}
	if strings.Contains(r.Stderr, "took too long") || strings.Contains(r.Stdout, "124.") {
		t.Error("something hung")
	}
	if t.Failed() {
		t.Logf("%s\n%s", r.Stdout, r.Stderr)
	}
	return r
}

// TestLinkedDirectories: every directory that something is mounted on or written to is a link that leads out of the tree (S6, S9).
func TestLinkedDirectories(t *testing.T) {
	for _, to := range []string{"/srv/canary", "../../../../../../srv/canary", "/proc/self/root/srv/canary", "/proc/1/root/srv/canary"} {
		hostile(t, oracle.HostCall{Script: `for d in dev run tmp sys proc etc var root home usr/share var/tmp; do
	mv t/$d was; ln -s ` + to + ` t/$d
	for s in "$plain" "$hard" "$plain -U --private-network" "$plain --read-only" "$plain --volatile=overlay"; do
		timeout 10 $s -D t /usr/bin/true >/dev/null 2>&1; echo "$d: $?."
	done
	rm -rf t/$d; mv was t/$d
done
for f in proc/sys dev/pts dev/shm dev/mqueue run/host sys/fs/cgroup; do
	mkdir -p t/${f%/*}; ln -s ` + to + ` t/$f
	for s in "$plain" "$hard"; do timeout 10 $s -D t /usr/bin/true; echo "$f: $?."; done
	rm t/$f
done`}, "dev/pts: 0.", "run/host: 0.", "proc/sys: 0.")
	}
}

// TestFalseProc: what the tree has below the directories of the kernel is under what is mounted there (S4, S7); what the caller wants there is
// not, and is not written to.
func TestFalseProc(t *testing.T) {
	hostile(t, oracle.HostCall{Setup: `mkdir -p t/proc/self/fd t/proc/sys/kernel; echo false >t/proc/keys; echo no >t/proc/sys/kernel/core_pattern
ln -s /proc/sys/kernel/core_pattern t/dev/null; ln -s /srv/canary/file t/dev/console; ln -s /srv/canary t/dev/shm`,
		Script: `for s in "$plain" "$hard"; do $s -D t /usr/bin/attack see; $s -D t --bind=/srv:/proc/self --bind=/srv:/proc/sys --oom-score-adjust=5 sh -c 'echo "in it: $(ls /proc/sys)"'; done`},
		"S4 proc: 9fa0", "S7 null: 20000 1:3", "S19 keys: 0", "in it: canary")
}

// TestReplacedTerminal: the tree has links where terminals are, and what boots in it puts others there; the console is the container's terminal all the same (S8).
func TestReplacedTerminal(t *testing.T) {
	hostile(t, oracle.HostCall{TTY: true, Setup: `mkdir -p t/dev/pts; for n in 0 1 2 ptmx; do ln -s /srv/canary/file t/dev/pts/$n; done; ln -s pts/1 t/dev/console
rm -f t/usr/sbin/init; cat >t/usr/sbin/init <<'END'
#!/bin/sh
for f in /dev/pts/0 /dev/pts; do rm -rf $f; mv $f $f.was; ln -sfn /root $f; done 2>/dev/null
echo "console of $1: $(stat -Lc %t /dev/console) $(stat -fLc %T /dev/console)"
END
chmod 755 t/usr/sbin/init`, Script: `for s in plain hard; do eval "S=\$$s"; $S -D t /usr/sbin/init $s; $S -bD t $s-boot; done`},
		"console of plain: 88 devpts", "console of plain-boot: 88 devpts", "console of hard: 88 devpts", "console of hard-boot: 88 devpts")
}

// TestSwappedLinks: a directory is exchanged with a link that leads out of the tree while the container starts (S5).
func TestSwappedLinks(t *testing.T) {
	for _, to := range []string{"/srv/canary", "../../../../../../srv/canary"} {
		hostile(t, oracle.HostCall{Setup: `mkdir -p t/vol/a; ln -s ` + to + ` t/vol/b; for d in dev run etc; do ln -s ` + to + ` t/$d.link; done`,
			Script: `/ctl/attack swap t/vol/a t/vol/b & A=$!
for d in dev run etc; do /ctl/attack swap t/$d t/$d.link & B="$B $!"; done
for i in $(seq 25); do for s in "$plain" "$hard"; do
	timeout 10 $s -D t --bind=/usr/bin:/vol/a/x --tmpfs=/vol/a/t --bind=/etc/passwd:/vol/a/f /usr/bin/true 2>/dev/null; echo "$?."
done; done | sort | uniq -c
kill $A $B`})
	}
}

// TestHostileFiles: files that are read on the host's side are no files, or say what they should not.
func TestHostileFiles(t *testing.T) {
	hostile(t, oracle.HostCall{Script: `for f in etc/passwd etc/group usr/lib/os-release etc/resolv.conf etc/machine-id etc/localtime usr/bin/sh usr/sbin/init; do
	mv t/$f was 2>/dev/null
	for kind in fifo dir host sparse device garbage; do
		case $kind in
		fifo) mkfifo t/$f;; dir) mkdir t/$f;; host) ln -s /srv/canary/file t/$f;; sparse) truncate -s 3G t/$f;;
		device) mknod t/$f c 10 237;; garbage) head -c 300000 /dev/urandom >t/$f; chmod 755 t/$f;; esac
		for s in "$plain" "$hard" "$plain -u ann" "$plain -b"; do
			timeout 10 $s -D t --resolv-conf=copy-host /usr/bin/true </dev/null >/dev/null 2>&1; echo "$f $kind: $?."
		done
		rm -rf t/$f
	done
	mv was t/$f 2>/dev/null
done
mkfifo t.nspawn; timeout 10 $plain -D t /usr/bin/true; echo "fifo: $?."; rm t.nspawn
truncate -s 3G t.nspawn; timeout 10 $plain -D t /usr/bin/true; echo "sparse: $?."; rm t.nspawn
head -c 100000 /dev/urandom >t.nspawn; timeout 10 $plain -D t /usr/bin/true 2>/dev/null; echo "garbage: $?."; rm t.nspawn
printf '[Files]\nBind=/srv/canary:/mnt\n[Exec]\nCapability=CAP_SYS_MODULE\nPrivateUsers=no\n[Network]\nPrivate=no\n' >t.nspawn
$hard -D t --settings=yes /usr/bin/attack see 2>/dev/null | grep CapEff; $plain -D t ls -d /mnt/file 2>&1 | grep -c 'No such'; rm t.nspawn`},
		"etc/passwd fifo: 0.", "etc/resolv.conf host: 0.", "S11 CapEff: 00000000a04405fb")
}

// TestOwnProgram: the container cannot have the kernel execute ctl, or change it (S1).
func TestOwnProgram(t *testing.T) {
	r := hostile(t, oracle.HostCall{Setup: `printf '#!/proc/self/exe\n' >t/script; printf '#!/script\n' >t/again; ln -s /proc/self/exe t/link; ln -s /proc t/p; printf '#!/p/self/exe x' >t/linked
/ctl/attack elf t/elf /proc/self/exe; /ctl/attack elf t/elf2 /link; chmod 755 t/script t/again t/linked
printf '#!/usr/bin/sh\nexec 3>>/proc/1/exe && echo opened for writing\n' >t/writer; chmod 755 t/writer`,
		Script: `sum=$(sha256sum </ctl/ctl)
for p in /script /again /link /linked /elf /elf2 /proc/self/exe /proc/1/exe /proc/thread-self/exe; do for s in "$plain" "$hard" "$plain -a" "$plain -U"; do
	timeout 10 $s -D t $p --help; echo "$p: $?."
done; done
for s in "$plain" "$plain -a" "$hard -a"; do $s -D t /writer; done
[ "$sum" = "$(sha256sum </ctl/ctl)" ] && echo the same`}, "the same")
	for _, bad := range []string{": 0.", "spawn", "opened for writing", "Usage"} {
		if strings.Contains(r.Stdout, bad) {
			t.Errorf("%q in\n%s", bad, r.Stdout)
		}
	}
}

// TestSurroundings: checks of single things.
func TestSurroundings(t *testing.T) {
	for _, c := range []struct {
		name string
		call oracle.HostCall
		say  []string
		not  []string
	}{
		{"S3 working directory", oracle.HostCall{Script: `exec 5</srv/canary; cd /srv/canary; for s in "$plain" "$hard"; do $s -D /var/lib/machines/t /usr/bin/attack see | grep S3
			$s -D /var/lib/machines/t --chdir=/proc/self/fd/5 /usr/bin/true; echo "$?."; $s -D /var/lib/machines/t --chdir=/proc/self/cwd /usr/bin/true; echo "$?."; done`},
			[]string{"S3 cwd: / <nil>", "1."}, []string{"0.", "canary"}},
		{"S3 home through a link", oracle.HostCall{Setup: `for i in 3 5 6 7 8 9 10 11 12 13 14 15 16; do ln -s /proc/self/fd/$i t/fd$i; done; ln -s /proc/self/cwd t/fdcwd`,
			Script: `exec 5</srv/canary; for i in 3 5 6 7 8 9 10 11 12 13 14 15 16 cwd; do for s in "$plain" "$hard" "$plain -a"; do
			$s -D t --chdir=/fd$i sh -c 'ls .. 2>&1; echo inside.' 2>/dev/null; done; sed "s,:/home/ann:,:/fd$i:," t/etc/passwd >p; cp p t/etc/passwd; echo 'ls -a' | timeout 5 $plain -u ann -D t 2>/dev/null | grep -c canary; sed "s,:/fd$i:,:/home/ann:," t/etc/passwd >p; cp p t/etc/passwd; done; rm p`},
			[]string{"0"}, []string{"inside.", "canary", "\n1\n"}},
		{"S11 capabilities of users", oracle.HostCall{Script: `for s in "$plain" "$hard" "$plain --private-users=pick"; do for u in ann daemon nobody; do $s -D t -u $u /usr/bin/attack see | grep -v CapBnd; done; $s -D t -u daemon id -u; done`},
			[]string{"CapInh: 0000000000000000", "CapEff: 0000000000000000", "\n1\n"}, []string{"CapInh: 0000000000000001", "CapInh: 00000000f", "CapInh: 00000000a", "Eff: 00000000f", "Eff: 00000000a", "Amb: 00000000f"}},
		{"S12 typing", oracle.HostCall{TTY: true, Script: `for s in "$plain --pipe" "$hard --pipe" "$hard"; do $s -D t /usr/bin/attack typing; done`},
			[]string{"S12 TIOCSTI: EPERM", "S12 TIOCLINUX: EPERM", "S12 TIOCSTI with a bit: EPERM"}, []string{"TIOCSTI: errno", "TIOCSTI: \r", "bit: \r"}},
		{"S20 first process", oracle.HostCall{Env: []string{"CALLERS_SECRET=1"}, Script: `for s in "$plain -a" "$hard -a" "$plain --drop-capability=CAP_SYS_RESOURCE -a"; do
			$s -D t cat /proc/1/environ /proc/1/cmdline | tr '\0' ' '; done; $hard -D t -a /usr/bin/attack | grep -e 'first' | sort -u`},
			[]string{"S20 first process: false", "S25 ptrace of the first: EPERM", "S25 memory of the first: EACCES", "(sd-stubinit)"}, []string{"SECRET"}},
		{"S24 processes", oracle.HostCall{Script: `$hard --rlimit=NPROC=64 -D t /usr/bin/attack forks`},
			[]string{"S24 forks end:", "true"}, nil},
		{"S26 flags of the tree", oracle.HostCall{Setup: `mkdir m; mount -t tmpfs -o nosuid,nodev,noatime m m; cp -a t m/t; mount -o remount,bind,nosuid,nodev,noexec,noatime m m 2>/dev/null; mount -o remount,bind,exec,nosuid,nodev,noatime m m`,
			Script: `for s in "$plain" "$plain --read-only" "$plain -U" "$hard" "$plain --volatile=yes"; do $s -D m/t sh -c 'grep " / / \| /t / \| / " /proc/self/mountinfo | head -1 >/dev/null; cat /proc/self/mountinfo | grep -c "nosuid.*nodev"; echo "in: $?."'; echo "$?."; done`},
			[]string{"0."}, []string{"1.", "255."}},
		{"S27 paths of the host", oracle.HostCall{Script: `for s in "$plain" "$hard"; do $s -D t /usr/bin/attack see; done`}, nil, []string{"S27"}},
		{"S28 credentials", oracle.HostCall{Script: `for s in "$plain"; do $s -D t -u ann --set-credential=a:callers sh -c 'cat /run/host/credentials/a; env'; done`}, nil, []string{"callers"}},
		{"reboot", oracle.HostCall{Script: `for s in "$plain" "$hard"; do $s -D t /usr/bin/attack reboot; echo "$?."; done`}, []string{"133."}, []string{"0."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := hostile(t, c.call, c.say...)
			for _, n := range c.not {
				if strings.Contains(r.Stdout, n) {
					t.Errorf("%q in\n%s", n, r.Stdout)
				}
			}
		})
	}
}
