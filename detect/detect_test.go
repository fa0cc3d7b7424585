package detect

import (
	"ctl/internal/oracle"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain prints the answers where it is called for that, in the places that TestPlaces makes.
func TestMain(m *testing.M) {
	if os.Getenv("CTL_TEST_DETECT") != "" {
		w := New(os.Getenv)
		fmt.Printf("chroot=%v offline=%v proc=%v why=%s\n", w.Chroot(), w.ChrootOrOffline(), w.ProcMounted(), w.Why())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// places are made with unshare(1) in private namespaces; $T is an ordinary directory and
// $RUN the test program in it, $OUT the same outside. The first process of the last
// PID namespace is inside the tree where exec hands its place on.
var places = []struct {
	name, shell string
	chroot      bool
	env         string
}{
	{"the host", "$OUT", false, ""},
	{"chroot, first process outside", "unshare --pid --fork --kill-child sh -c 'mount -t proc proc $T/proc; chroot $T $RUN; true'", true, ""},
	{"chroot, first process not ours to see", "mount --rbind /proc $T/proc; chroot $T $RUN", true, ""},
	{"chroot without proc", "chroot $T $RUN", true, ""},
	{"chroot without proc, ourselves the first process", "unshare --pid --fork --kill-child chroot $T $RUN", false, ""},
	{"chroot of the first process itself", "unshare --pid --fork --kill-child sh -c 'mount -t proc proc $T/proc; exec chroot $T $RUN'", false, ""},
	{"container on a bind mount", "mount --bind $T $T; mkdir $T/old; cd $T; unshare --pid --fork --kill-child sh -c 'mount -t proc proc $T/proc; pivot_root . old; exec $RUN'", false, ""},
	{"container with the first process of the host", "mount --bind $T $T; mkdir $T/old; mount --rbind /proc $T/proc; cd $T; pivot_root . old; exec $RUN", false, ""},
	{"container on an overlay", "mkdir $T.u $T.w $T.m; mount -t overlay o -o lowerdir=$T,upperdir=$T.u,workdir=$T.w $T.m; mkdir $T.m/old; mount --rbind /proc $T.m/proc; cd $T.m; pivot_root . old; exec $RUN", false, ""},
	{"container on a tmpfs", "cp -a $T $T.c; mount -t tmpfs t $T; cp -a $T.c/. $T/; mkdir $T/old; mount --rbind /proc $T/proc; cd $T; pivot_root . old; exec $RUN", false, ""},
	{"service with mounts of its own", "unshare --pid --fork --kill-child --mount-proc sh -c 'unshare --mount $OUT; true'", false, ""},
	{"the host's root mounted elsewhere", "mkdir $T/m; unshare --pid --fork --kill-child --mount-proc sh -c 'mount --rbind / $T/m; chroot $T/m $OUT; true'", false, ""},
	{"rootless chroot", "unshare --user --map-root-user --mount sh -c 'mount --rbind /proc $T/proc; chroot $T $RUN'", true, ""},
	{"rootless container", "unshare --user --map-root-user --mount --pid --fork --kill-child sh -c 'mount --bind $T $T; mkdir $T/old; mount -t proc proc $T/proc; cd $T; pivot_root . old; exec $RUN'", false, ""},
	{"a proc that is none", "mkdir -p $T/proc/1/root; chroot $T $RUN", true, ""},
	{"told to ignore it", "chroot $T $RUN", false, "SYSTEMD_IGNORE_CHROOT=1"},
	{"told so in vain", "chroot $T $RUN", true, "SYSTEMD_IGNORE_CHROOT=0"},
	{"said to be one", "$OUT", true, "SYSTEMD_IN_CHROOT=yes"},
	{"said to be none", "chroot $T $RUN", false, "SYSTEMD_IN_CHROOT=off"},
	{"said to be neither", "$OUT", false, "SYSTEMD_IN_CHROOT=perhaps"},
}

func TestPlaces(t *testing.T) {
	oracle.NeedRoot(t, "namespaces and chroot(2)")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			tree := t.TempDir() + "/tree"
			if err := os.MkdirAll(tree+"/proc", 0o755); err != nil {
				t.Fatal(err)
			}
			// The C library goes along, for a test program that was linked to it.
			copyLibraries(t, self, tree)
			if err := os.WriteFile(tree+"/test", data, 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", p.shell)
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "T=" + tree, "RUN=/test", "OUT=" + self, "CTL_TEST_DETECT=1", p.env}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !strings.HasPrefix(string(out), fmt.Sprintf("chroot=%v ", p.chroot)) {
				t.Errorf("want chroot=%v, got %s", p.chroot, out)
			}
		})
	}
}

func copyLibraries(t *testing.T, program, tree string) {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return // a static program
	}
	for _, f := range strings.Fields(string(out)) {
		if !strings.HasPrefix(f, "/") {
			continue
		}
		if o, err := exec.Command("sh", "-c", `mkdir -p "$1$(dirname "$2")" && cp -L "$2" "$1$2"`, "sh", tree, f).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, o)
		}
	}
}

func TestOffline(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"SYSTEMD_OFFLINE": "1"}, true},
		{map[string]string{"SYSTEMD_OFFLINE": "0", "SYSTEMD_IN_CHROOT": "1"}, false},
		{map[string]string{"SYSTEMD_OFFLINE": "x", "SYSTEMD_IN_CHROOT": "1"}, true},
		{map[string]string{"SYSTEMD_IN_CHROOT": "1"}, true},
		{map[string]string{"SYSTEMD_OFFLINE": "No", "SYSTEMD_IN_CHROOT": "T"}, false},
	} {
		w := New(func(k string) string { return c.env[k] })
		if got := w.ChrootOrOffline(); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}

func TestFakeRoot(t *testing.T) {
	for base, want := range map[string]string{"/x": "/x", "": "", "x": "", "/": ""} {
		w := New(func(k string) string { return map[string]string{"FAKECHROOT_BASE": base}[k] })
		if got := w.FakeRoot(); got != want || w.Chroot() != (want != "") {
			t.Errorf("%q: %q, chroot %v", base, got, w.Chroot())
		}
	}
}
