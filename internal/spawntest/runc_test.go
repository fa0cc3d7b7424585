package spawntest

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"ctl/internal/oracle"
)

// bundles are what OCI bundles ask for, as patches of what `runc spec` makes, and a script that shows whether they got it. Where nspawn, and so
// ctl, is meant to do otherwise than runc, it is said why; the lists of oci.txt hold ctl against nspawn in the same.
var bundles = []struct{ patch, script, differs string }{
	{`{}`, `pwd; id; hostname; readlink /proc/self/root; exit 7`, ""},
	{`{"process":{"cwd":"/usr"}}`, `pwd`, ""},
	{`{"process":{"cwd":"/new/place"},"root":{"readonly":false}}`, `pwd`, "runc makes the working directory"},
	{`{"process":{"env":["A=1","B=x y","PATH=/usr/bin"]}}`, `echo "$A $B $PATH"`, ""},
	{`{"process":{"env":["A=1","PATH=/usr/bin"]}}`, `env | sort`, "nspawn has variables of its own: container=, NOTIFY_SOCKET="},
	{`{"process":{"user":{"uid":1000,"gid":1000,"additionalGids":[5,29]}}}`, `id; touch /tmp/x && stat -c %u:%g /tmp/x`, "a container has a /tmp of its own"},
	{`{"process":{"user":{"uid":1234,"gid":55,"additionalGids":[77]}}}`, `id -u; id -g; grep Groups /proc/self/status`, ""},
	{`{"process":{"rlimits":[{"type":"RLIMIT_NOFILE","hard":64,"soft":32},{"type":"RLIMIT_CORE","hard":1000,"soft":0}]}}`, `ulimit -Hn; ulimit -Sn; ulimit -Hc; ulimit -Sc`, ""},
	{`{"process":{"noNewPrivileges":false}}`, `grep NoNewPrivs /proc/self/status`, ""},
	{`{"process":{"oomScoreAdj":321}}`, `cat /proc/self/oom_score_adj`, ""},
	{`{"process":{"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]},"user":{"uid":1000,"gid":1000}}}`,
		`grep Cap /proc/self/status`, ""},
	{`{"process":{"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL","CAP_CHOWN"],"permitted":["CAP_KILL","CAP_CHOWN"],"inheritable":[],"ambient":[]}}}`, `grep Cap /proc/self/status`, ""},
	{`{"process":{"capabilities":null}}`, `grep CapBnd /proc/self/status`, "what a bundle does not say is as in any container"},
	{`{"hostname":"other"}`, `hostname`, ""},
	{`{"root":{"readonly":false}}`, `touch /x && ls /x`, ""},
	{`{"root":{"readonly":true}}`, `touch /x; echo $?`, ""},
	{`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/srv","type":"bind","source":"/etc","options":["rbind","ro"]}]}`, `ls /srv/hostname; touch /srv/x; echo $?`, "nspawn takes its own options of --bind= alone"},
	{`{"mounts":[{"destination":"/proc","type":"proc","source":"proc"},{"destination":"/srv","type":"tmpfs","source":"mem","options":["nosuid","noexec","size=64k"]}]}`,
		`grep ' /srv ' /proc/self/mountinfo | cut -d' ' -f5,6; dd if=/dev/zero of=/srv/x bs=1k count=100 2>/dev/null; stat -c %s /srv/x`, ""},
	{`{"linux":{"maskedPaths":["/srv/data","/etc/passwd","/nosuch"]}}`, `ls -A /srv/data; wc -c </etc/passwd`, "nspawn masks with what cannot be opened, runc with what is empty"},
	{`{"root":{"readonly":false},"linux":{"readonlyPaths":["/srv"]}}`, `touch /srv/x; echo $?; touch /etc/x; echo $?; ls /srv`, ""},
	{`{"linux":{"readonlyPaths":["/nosuch"]}}`, `:`, "nspawn wants them to be there"},
	{`{"linux":{"devices":[{"type":"c","path":"/dev/foo","major":1,"minor":3,"fileMode":420,"uid":5,"gid":6},{"type":"c","path":"/dev/bar","major":1,"minor":11,"fileMode":384},{"type":"p","path":"/dev/baz","fileMode":438}]}}`,
		`stat -c '%n %a %u:%g %t:%T %F' /dev/bar /dev/baz`, ""},
	{`{"linux":{"devices":[{"type":"c","path":"/dev/foo","major":1,"minor":3}]}}`, `ls /dev/foo`, "nspawn makes devices that there are anyway under their own names alone"},
	{`{"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"ipc"}]}}`, `ls /sys/class/net | sort; echo $$`, ""},
	{`{"linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"uts"},{"type":"ipc"},{"type":"network"}]}}`, `ls /sys/class/net; echo $$`, ""},
	{`{"linux":{"uidMappings":[{"containerID":0,"hostID":70000,"size":2000}],"gidMappings":[{"containerID":0,"hostID":70000,"size":2000}],"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"user"},{"type":"uts"},{"type":"ipc"},{"type":"network"}]}}`,
		`cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u /srv`, ""},
	{`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}},"root":{"readonly":false}}`,
		`mkdir /x; echo $?; touch /y; echo $?`, ""},
	{`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]}},"root":{"readonly":false}}`, `mkdir /x; echo $?`, ""},
	{`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":10,"op":"SCMP_CMP_EQ"}]}]}}}`, `kill -10 1; echo $?; kill -0 1; echo $?`, ""},
	{`{"hooks":{"prestart":[{"path":"/usr/bin/touch","args":["touch","/run/hook"]}]}}`, `:`, ""},
	{`{"linux":{"sysctl":{"net.ipv4.ip_forward":"1"}}}`, `cat /proc/sys/net/ipv4/ip_forward`, "nspawn does not set them"},
}

// TestRunc has runc(8) and ctl run the same bundles.
func TestRunc(t *testing.T) {
	h := oracle.NewHost(t)
	runc := oracle.Tool(t, "runc")
	ctl, err := oracle.Ctl()
	oracle.Require(t, err)
	if out, err := exec.Command("cp", runc, filepath.Dir(ctl)+"/bin/runc").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, b := range bundles {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			run := func(command string) map[string][]string {
				r, err := h.Run("ctl", oracle.HostCall{Script: command,
					Setup: "probe bundle b '{\"process\":{\"terminal\":false,\"args\":[\"sh\",\"-c\",\". /.script\"]}}' '" + b.patch + "'\ncat >b/rootfs/.script <<'END'\n" + b.script + "\nEND\n"})
				if err != nil {
					t.Fatal(err)
				}
				a := areas(r)
				delete(a, "left")
				return a
			}
			want, got := run("exec /ctl/runc run -b b x"), run("exec /ctl/ctl spawn -q --keep-unit --register=no --restrict-address-families= --oci-bundle=b --pipe")
			d := ""
			for _, area := range []string{"exit", "out", "err"} {
				d += difference(want[area], got[area])
			}
			if (d != "") != (b.differs != "") {
				t.Errorf("%s\n%s\n%s\n- runc, + ctl", b.patch, b.differs, d)
			}
		})
	}
}
