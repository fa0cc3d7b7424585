package detect

import (
	"fmt"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// places are what TestPlaces has made with unshare(1); $T is an ordinary directory with the
// program /test in it. "; :" keeps the shell, so that process 1 stays outside.
var places = []struct {
	name, shell string
	chroot      bool
	// hidden is where process 1 does not let us see its root. The reference says "no chroot" to
	// all of these (docs/deviations.md, 35).
	hidden bool
	env    string
	// unknown is what cannot be proved before Linux 5.8.
	unknown bool
}{
	// The first process to be seen.
	{name: "host", shell: "proc ''; $T/test; :"},
	{name: "service with mounts of its own", shell: "proc ''; unshare -m $T/test; :"},
	{name: "service that may not see process 1", shell: "proc ''; unshare -m $HIDE $T/test; :", hidden: true},
	{name: "user", shell: "proc ''; $NOBODY $T/test; :", hidden: true},
	{name: "user with mounts of its own", shell: "proc ''; $NOBODY unshare -Urm $T/test; :", hidden: true},
	{name: "chroot", shell: "proc $T; chroot $T /test; :", chroot: true},
	{name: "chroot with mounts of its own", shell: "unshare -m sh -c 'mount -t proc p $T/proc; chroot $T /test; :'; :", chroot: true},
	{name: "chroot into a mount", shell: "bound; proc .; chroot . /test; :", chroot: true},
	{name: "chroot into an overlay", shell: "overlay; proc .; chroot . /test; :", chroot: true},
	{name: "chroot into a tmpfs", shell: "memory; proc .; chroot . /test; :", chroot: true},
	{name: "chroot into another mount of the root", shell: "proc ''; mount --rbind / $T/mnt; chroot $T/mnt $T/test; :"},
	{name: "chroot by process 1", shell: "proc $T; exec chroot $T /test"},

	// The first process not to be seen: an ordinary directory.
	{name: "hidden, chroot", shell: "proc $T; $HIDE chroot $T /test; :", chroot: true, hidden: true},
	{name: "hidden, chroot of a user", shell: "proc $T; chroot $T /test nobody; :", chroot: true, hidden: true},
	{name: "hidden, chroot with mounts of its own", shell: "proc $T; unshare -m $HIDE chroot $T /test; :", chroot: true, hidden: true},
	{name: "hidden, chroot below that of process 1", shell: "for f in $T/*; do [ $f = $T/mnt ] || cp -al $f $T/mnt; done; proc $T; proc $T/mnt; exec chroot $T /test chroot /mnt", chroot: true, hidden: true},
	{name: "hidden, chroot by process 1", shell: "proc $T; exec chroot $T /test nobody", hidden: true},

	// The same with the root of a mount.
	{name: "hidden, chroot into a mount", shell: "bound; proc .; $HIDE chroot . /test; :", chroot: true, hidden: true},
	{name: "hidden, chroot into a mount, of a user", shell: "bound; proc .; chroot . /test nobody; :", chroot: true, hidden: true},
	{name: "hidden, chroot into an overlay", shell: "overlay; proc .; $HIDE chroot . /test; :", chroot: true, hidden: true},
	{name: "hidden, chroot into a tmpfs", shell: "memory; proc .; $HIDE chroot . /test; :", chroot: true, hidden: true},
	{name: "hidden, chroot into another mount of the root", shell: "proc ''; mount --rbind / $T/mnt; $HIDE chroot $T/mnt $T/test; :", hidden: true},
	{name: "hidden, chroot into another mount of the root, mounted over", shell: "proc ''; mount --rbind / $T/mnt; chroot $T/mnt sh -c \"mount -t tmpfs t /; $HIDE $T/test; :\"; :", hidden: true},
	{name: "hidden, chroot into a mount below a chroot", shell: "memory; mkdir -p $T/mnt; mount --rbind . $T/mnt; proc $T; proc $T/mnt; exec chroot $T /test chroot /mnt", hidden: true},
	{name: "hidden, chroot into a mount of a parent", shell: "unshare -m sh -ec 'mount --rbind $T $T; cd $T; mount -t proc p proc; '\"$HIDE\"' chroot . /test; :'; :", chroot: true, hidden: true},
	{name: "hidden, chroot into a mount of nobody else", shell: "unshare -m sh -ec 'mount --rbind $T $T; cd $T; mount -t proc p proc; exec '\"$HIDE\"' chroot . /test; :'; :", hidden: true},

	// Without root: all are hidden but a first process of the same user.
	{name: "rootless chroot", shell: "proc ''; unshare -Urm sh -ec 'mount --rbind /proc $T/proc; chroot $T /test; :'; :", chroot: true, hidden: true},
	{name: "rootless chroot into a tmpfs", shell: "proc ''; unshare -Urm sh -ec \"$(cat <<'E'\nmkdir $T.m; mount -t tmpfs t $T.m; cp -a $T/. $T.m; mount --rbind /proc $T.m/proc; chroot $T.m /test; :\nE\n)\"; :", chroot: true, hidden: true},
	{name: "rootless chroot with processes of its own", shell: "unshare -Urmpf --kill-child sh -ec 'mount -t proc p $T/proc; chroot $T /test; :'; :", chroot: true},

	// Containers.
	{name: "container", shell: "bound; proc .; pivot_root . old; exec /test"},
	{name: "container of a user", shell: "bound; proc .; pivot_root . old; exec /test nobody", hidden: true},
	{name: "container on an overlay, of a user", shell: "overlay; proc .; pivot_root . old; exec /test nobody", hidden: true},
	{name: "container on a tmpfs, of a user", shell: "memory; proc .; pivot_root . old; exec /test nobody", hidden: true},
	{name: "container by move, of a user", shell: "bound; proc .; mount --move . /; exec chroot . /test nobody", hidden: true},
	{name: "container by move, next to its maker", shell: "bound; proc .; mount --move . /; $HIDE chroot . /test; :", hidden: true},
	{name: "container entered from outside", shell: "bound; proc .; mkfifo f; (until grep -q test $T/proc/1/comm; do :; done; $HIDE chroot . /test; :) >f & exec chroot . /test copy f", hidden: true},
	{name: "container with the host's processes", shell: "proc ''; unshare -m sh -ec 'mount --rbind $T $T; cd $T; mount --rbind /proc proc; pivot_root . old; exec /test'; :", chroot: true},
	{name: "container with the host's processes, hidden", shell: "proc ''; unshare -m $HIDE sh -ec 'mount --rbind $T $T; cd $T; mount --rbind /proc proc; pivot_root . old; exec /test'; :", hidden: true},
	{name: "container with the host's processes, moved", shell: "proc ''; unshare -m sh -ec 'mount --rbind $T $T; cd $T; mount --rbind /proc proc; mount --move . /; '\"$HIDE\"' chroot . /test; :'; :", hidden: true},
	{name: "rootless container", shell: "unshare -Urmpf --kill-child sh -ec 'mount --rbind $T $T; cd $T; mount -t proc p proc; pivot_root . old; exec /test'; :"},
	{name: "rootless container with the host's processes", shell: "proc ''; unshare -Urm sh -ec 'mount --rbind $T $T; cd $T; mount --rbind /proc proc; pivot_root . old; exec /test'; :", hidden: true},

	// The proc file system missing, hiding, or another thing.
	{name: "no proc", shell: "chroot $T /test; :", chroot: true},
	{name: "no proc, process 1", shell: "exec chroot $T /test"},
	{name: "proc without the users' access", shell: "proc $T hidepid=1; chroot $T /test nobody; :", chroot: true, hidden: true},
	{name: "proc without other users' processes", shell: "proc $T hidepid=2; chroot $T /test nobody; :"},
	{name: "fake proc, closed", shell: "chmod 700 $T/proc; chroot $T /test nobody; :", chroot: true, hidden: true, unknown: true},
	{name: "fake proc, file", shell: "touch $T/proc/1; chroot $T /test; :"},
	{name: "fake proc, no root", shell: "mkdir $T/proc/1; chroot $T /test; :", chroot: true},
	{name: "fake proc, directory", shell: "mkdir -p $T/proc/1/root; chroot $T /test; :", chroot: true},
	{name: "fake proc, link", shell: "mkdir -p $T/proc/1; ln -s / $T/proc/1/root; chroot $T /test; :"},
	{name: "fake proc, loop", shell: "mkdir -p $T/proc/1; ln -s root $T/proc/1/root; chroot $T /test; :"},
	{name: "fake proc, nothing at the end", shell: "mkdir -p $T/proc/1; ln -s /none $T/proc/1/root; chroot $T /test; :", chroot: true},
	{name: "fake proc, the root", shell: "mkdir -p $T/proc/1/root; mount --bind $T $T/proc/1/root; chroot $T /test; :"},

	// What the environment says.
	{name: "told to ignore it", shell: "proc $T; chroot $T /test; :", env: "SYSTEMD_IGNORE_CHROOT=1"},
	{name: "told to ignore it, in vain", shell: "proc $T; chroot $T /test; :", env: "SYSTEMD_IGNORE_CHROOT=0", chroot: true},
	{name: "told to ignore it, badly", shell: "proc $T; chroot $T /test; :", env: "SYSTEMD_IGNORE_CHROOT=2", chroot: true},
	{name: "said to be one", shell: "proc ''; $T/test; :", env: "SYSTEMD_IN_CHROOT=yes", chroot: true},
	{name: "said to be none", shell: "proc $T; chroot $T /test; :", env: "SYSTEMD_IN_CHROOT=off"},
	{name: "said to be none, without proc", shell: "chroot $T /test; :", env: "SYSTEMD_IN_CHROOT=F"},
	{name: "said to be neither", shell: "proc ''; $T/test; :", env: "SYSTEMD_IN_CHROOT= 1"},
	{name: "said to be neither in one", shell: "proc $T; chroot $T /test; :", env: "SYSTEMD_IN_CHROOT=", chroot: true},
}

func TestPlaces(t *testing.T) {
	b := newTrees(t, false)
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			first, second, _ := strings.Cut(ask(t, b.tree(t), p.shell, "ours", p.env), "\n")
			want := fmt.Sprintf("chroot=%v offline=%v hidden=%v ", p.chroot, p.chroot, p.hidden)
			if !strings.HasPrefix(first, want) {
				t.Errorf("want %s, got %s", want, first)
			}
			if want := fmt.Sprintf("chroot=%v ", p.chroot && !p.unknown); !strings.HasPrefix(second, want) {
				t.Errorf("before Linux 5.8: want %s, got %s", want, second)
			}
		})
	}
}

// TestReference: where the first process may be seen, we say what the reference says; where it may
// not, the reference says that there is no chroot.
func TestReference(t *testing.T) {
	b := newTrees(t, true)
	for _, p := range places {
		if !oracle.Chosen(p.name, 0, 6) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			out := ask(t, b.tree(t), p.shell, "reference", p.env)
			ignored, failed := strings.Contains(out, "Running in chroot, ignoring command 'start'"), strings.Contains(out, "Failed to connect")
			if ignored == failed {
				t.Fatal(out)
			}
			if want := p.chroot && !p.hidden; ignored != want {
				t.Errorf("we say %v, the reference says %s", want, out)
			}
		})
	}
}

// TestOffline has the reference's answers, for "start x" outside a chroot.
func TestOffline(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
		why  string
	}{
		{map[string]string{"SYSTEMD_OFFLINE": "1"}, true, "SYSTEMD_OFFLINE says so"},
		{map[string]string{"SYSTEMD_OFFLINE": "0", "SYSTEMD_IN_CHROOT": "1"}, false, "SYSTEMD_OFFLINE says so"},
		{map[string]string{"SYSTEMD_OFFLINE": "x", "SYSTEMD_IN_CHROOT": "1"}, true, "SYSTEMD_IN_CHROOT says so"},
		{map[string]string{"SYSTEMD_OFFLINE": " 1", "SYSTEMD_IN_CHROOT": "0"}, false, "SYSTEMD_IN_CHROOT says so"},
		{map[string]string{"SYSTEMD_IN_CHROOT": "oN"}, true, "SYSTEMD_IN_CHROOT says so"},
		{map[string]string{"SYSTEMD_OFFLINE": "No", "SYSTEMD_IN_CHROOT": "T"}, false, "SYSTEMD_OFFLINE says so"},
		{map[string]string{"SYSTEMD_IGNORE_CHROOT": "y", "SYSTEMD_IN_CHROOT": "T"}, true, "SYSTEMD_IN_CHROOT says so"},
		{map[string]string{"SYSTEMD_IGNORE_CHROOT": "y"}, false, "SYSTEMD_IGNORE_CHROOT is set"},
	} {
		w := New(func(k string) string { return c.env[k] })
		if got, why := w.ChrootOrOffline(), w.Why(); got != c.want || why != c.why {
			t.Errorf("%v: %v, %s", c.env, got, why)
		}
	}
}
