package detect

import (
	"fmt"
	"strings"
	"testing"
)

// manager are the things that systemd leaves in /run, as TestBooted makes them. Process 1 is inside the tree.
var manager = []struct {
	name, shell     string
	runtime, booted bool
}{
	{"nothing", ":", false, false},
	{"directory", "mkdir system", true, false},
	{"link to a directory", "ln -s /tmp system", true, false},
	{"link to nothing", "ln -s /none system", false, false},
	{"file", "touch system", false, false},
	{"socket alone", "$T/test socket private", false, false},
	{"directory and socket", "mkdir system; $T/test socket private", true, true},
	{"directory and file", "mkdir system; touch private", true, false},
	{"directory and process 1", "mkdir system; NAME=systemd", true, true},
	{"directory and another process 1", "mkdir system; NAME=systemd-boot", true, false},
	{"process 1 alone", "NAME=systemd", false, false},
	{"directory and process 1 without proc", "mkdir system; NAME=systemd; umount $T/proc", true, false},
	{"directory and socket out of reach", "mkdir system; $T/test socket private; chmod 700 .; AS=nobody", false, false},
	{"directory and socket, user", "mkdir system; $T/test socket private; AS=nobody", true, true},
}

const enterManager = "proc $T; NAME=test; mkdir $T/run/systemd; cd $T/run/systemd; %s; cd $T; [ -e $NAME ] || ln test $NAME; exec chroot . /$NAME $AS"

func TestBooted(t *testing.T) {
	b := newTrees(t, true)
	for _, c := range manager {
		t.Run(c.name, func(t *testing.T) {
			shell := fmt.Sprintf(enterManager, c.shell)
			want := fmt.Sprintf(" runtime=%v booted=%v ", c.runtime, c.booted)
			if got := ask(t, b.tree(t), shell, "ours"); !strings.Contains(got, want) {
				t.Errorf("want %s, got %s", want, got)
			}
			// The reference goes by the directory alone.
			got := ask(t, b.tree(t), shell, "reference")
			if runtime := !strings.Contains(got, "System has not been booted with systemd"); runtime != c.runtime || !strings.Contains(got, "Failed to connect") {
				t.Errorf("we say %v, the reference %s", c.runtime, got)
			}
		})
	}
}

func TestFakeRootIsNotBooted(t *testing.T) {
	b := newTrees(t, false)
	shell := fmt.Sprintf(enterManager, "mkdir system; $T/test socket private")
	for env, want := range map[string]string{
		"FAKECHROOT_BASE=/tmp": "chroot=true offline=true hidden=false proc=true runtime=false booted=false ",
		"FAKECHROOT_BASE=":     "chroot=false offline=false hidden=false proc=true runtime=true booted=true ",
	} {
		if got := ask(t, b.tree(t), shell, "ours", env); !strings.HasPrefix(got, want) {
			t.Errorf("%s: want %s, got %s", env, want, got)
		}
	}
}

func TestContainer(t *testing.T) {
	b := newTrees(t, false)
	for _, c := range []struct{ name, shell, want, env string }{
		{"none", "", "", ""},
		{"environment", "", "lxc", "container=lxc"},
		{"environment and files", "touch .dockerenv", "lxc", "container=lxc"},
		{"systemd", "mkdir run/systemd; echo systemd-nspawn >run/systemd/container; touch .dockerenv", "systemd-nspawn", ""},
		{"manager", "mkdir run/host; printf podman >run/host/container-manager; touch .dockerenv", "podman", ""},
		{"empty", "mkdir run/host; :>run/host/container-manager; touch run/.containerenv", "podman", ""},
		{"podman", "touch run/.containerenv", "podman", ""},
		{"docker", "touch .dockerenv", "docker", ""},
	} {
		got := ask(t, b.tree(t), "proc $T; cd $T; "+c.shell+"\nexec chroot . /test", "ours", c.env)
		if want := fmt.Sprintf(" container=%q ", c.want); !strings.Contains(got, want) {
			t.Errorf("%s: want %s, got %s", c.name, want, got)
		}
	}
	// What only process 1 has in its environment.
	for env, want := range map[string]string{"container=oci": "oci", "container=": "docker"} {
		got := ask(t, b.tree(t), "proc $T; touch $T/.dockerenv; env -u container chroot $T /test; :", "ours", env)
		if !strings.Contains(got, fmt.Sprintf(" container=%q ", want)) {
			t.Errorf("process 1 has %s: %s", env, got)
		}
	}
}

func TestContainerByGroup(t *testing.T) {
	for groups, want := range map[string]string{
		"0::/\n": "",
		"":       "",
		"0::/user.slice/user-1000.slice/session-2.scope\n":                                        "",
		"0::/system.slice/docker.service\n":                                                       "",
		"0::/system.slice/docker-4f1d.scope\n":                                                    "docker",
		"12:cpuset:/docker/4f1d\n0::/docker/4f1d\n":                                               "docker",
		"0::/machine.slice/libpod-4f1d.scope/container\n":                                         "podman",
		"11:pids:/kubepods/besteffort/pod1/4f1d\n":                                                "kubernetes",
		"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-4f1d.scope\n":                      "kubernetes",
		"0::/lxc.payload.web/init.scope\n":                                                        "lxc",
		"9:memory:/lxc/web\n":                                                                     "lxc",
		"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-4f1d.scope/container": "podman",
	} {
		if got := containerByGroup(groups); got != want {
			t.Errorf("%q: %q", groups, got)
		}
	}
}

func TestFakeRoot(t *testing.T) {
	for base, want := range map[string]string{"/x": "/x", "/x//y/": "/x/y", "": "", "x": "", "/": "", "//": "", "/..": ""} {
		w := New(func(k string) string { return map[string]string{"FAKECHROOT_BASE": base}[k] })
		if got := w.FakeRoot(); got != want || (want != "") != (w.Why() == "FAKECHROOT_BASE is set") {
			t.Errorf("%q: %q, %s", base, got, w.Why())
		}
	}
}

// TestLazy: nothing is looked at before it is asked for, and each thing once.
func TestLazy(t *testing.T) {
	asked := 0
	w := New(func(k string) string {
		asked++
		return map[string]string{"SYSTEMD_IN_CHROOT": "1", "container": "x"}[k]
	})
	if asked != 0 {
		t.Errorf("New asked for %d variables", asked)
	}
	for range 3 {
		if !w.Chroot() || w.Container() != "x" {
			t.Error("lost")
		}
	}
	if asked != 2 {
		t.Errorf("asked for variables %d times", asked)
	}
}

func TestParseMountinfo(t *testing.T) {
	for line, want := range map[string]mountinfo{
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n": {36, "98:0", "/mnt1", "/mnt2"},
		"1 1 0:2 / / rw - rootfs rootfs rw\n":                              {1, "0:2", "/", "/"},
		"36 35 98:0 /a\\040b /c\\011d rw - ext3 x rw":                      {36, "98:0", "/a\\040b", "/c\\011d"},
		"":                     {},
		"\n":                   {},
		"36 35 98:0 / /":       {},
		"x 35 98:0 / / rw -":   {},
		"-1 35 98:0 / / rw -":  {},
		" 36 35 98:0 / / rw -": {},
	} {
		if got, ok := parseMountinfo([]byte(line)); got != want || ok != (want.point != "") {
			t.Errorf("%q: %+v, %v", line, got, ok)
		}
	}
}

func TestParentIn(t *testing.T) {
	for stat, want := range map[string]string{
		"7 (sh) S 5 7 7 0":      "5",
		"7 (a) R 4 (b) S 5 7":   "5",
		"7 (new\nline) S 12 7":  "12",
		"1 (systemd) S 0 1 1 0": "", "7 (sh) S": "", "7 (sh)": "", "": "", ")": "",
	} {
		if got := parentIn([]byte(stat)); got != want {
			t.Errorf("%q: %q", stat, got)
		}
	}
}
