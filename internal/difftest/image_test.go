package difftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// imageCommands are called with --image=; $I is a disk image, $D the directory that it is in.
const imageCommands = `enable a
is-enabled a b
list-unit-files
get-default
set-default x
disable a
mask b
unmask b
reenable a
preset-all
preset a
revert a
add-wants x a
enable nosuch
enable
--now enable a
--global is-enabled a
--user is-enabled a
-q disable a
cat a
edit a
start a
list-units
daemon-reload
nosuchverb
--root=/ enable a
--image-policy=root=absent enable a
--image-policy=foo enable a
--image=$D/zero is-enabled a
--image=$D/zero cat a
--image=$D/zero nosuchverb
--image=$D is-enabled a
--image=$D/nosuch is-enabled a
--image=/dev/null is-enabled a
--image= is-enabled a`

// TestImage works on the unit files of a disk image, a file system without partitions; internal/spawntest has all the others.
func TestImage(t *testing.T) {
	oracle.NeedRoot(t, "mounting an image")
	mkfs := oracle.PackageTool(t, "mkfs.ext4", "e2fsprogs")
	ref, ctl := oracle.Programs(t)
	dir := t.TempDir()
	var s scenario
	s.file(usr+"a.service", "[Install]\nWantedBy=x.target\nAlias=c.service\n")
	s.file("/usr/lib/os-release", "ID=x\n")
	s.file(usr+"b.service", "[Unit]\n")
	s.file(usr+"x.target", "[Unit]\n")
	s.file("/usr/lib/systemd/system-preset/a.preset", "disable a.service\n")
	s.build(t, dir+"/tree")
	fresh, image := dir+"/fresh", dir+"/image"
	for name, size := range map[string]int64{fresh: 16 << 20, dir + "/zero": 1 << 20} {
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(mkfs, "-q", "-F", "-d", dir+"/tree", fresh).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const place = "/run/systemd/mount-rootfs" // which the reference leaves
	if _, err := os.Stat(place); err != nil {
		t.Cleanup(func() {
			for p := place; os.Remove(p) == nil; p = filepath.Dir(p) {
			}
		})
	}
	for line := range strings.Lines(imageCommands) {
		args := append([]string{"--image=" + image}, strings.Fields(strings.NewReplacer("$D", dir).Replace(line))...)
		run := func(p oracle.Program) (oracle.Result, string) {
			data, err := os.ReadFile(fresh)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(image, data, 0o644); err != nil {
				t.Fatal(err)
			}
			r := p.Run(t, "/", nil, args...)
			after := ref.Run(t, "/", nil, "--image="+image, "list-unit-files", "--no-pager")
			return r, after.Stdout + after.Stderr
		}
		want, wantAfter := run(ref)
		got, gotAfter := run(ctl)
		if d := cmp.Diff(want, got) + cmp.Diff(wantAfter, gotAfter); d != "" {
			t.Errorf("systemctl %s: - the reference, + ctl\n%s", strings.TrimSpace(line), d)
		}
	}
}
