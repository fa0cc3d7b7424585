package runtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestImages has ctl start services with disk images, which a container cannot have: that takes loop devices. What is expected is what
// systemd.exec(5) says of the settings.
func TestImages(t *testing.T) {
	oracle.NeedRoot(t, "loop devices")
	ctl, err := oracle.Ctl()
	oracle.Require(t, err)
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip(err)
	}
	mkfs, err := exec.LookPath("mke2fs")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(ctl, dir+"/ctl"); err != nil { // by which name it takes the verb
		t.Fatal(err)
	}
	probe := buildProbe(t, "./mountprobe")
	for name, files := range map[string]map[string]string{
		"root": {"etc/os-release": "ID=here\nVERSION_ID=2\n", "probe": "", "data/file": "x"},
		"data": {"file": "x"},
		"fit":  {"usr/lib/extension-release.d/extension-release.fit": "ID=here\nVERSION_ID=2\n", "usr/fit": "x", "opt/fit": "x"},
		"old":  {"usr/lib/extension-release.d/extension-release.old": "ID=here\nVERSION_ID=1\n"},
		"name": {"etc/extension-release.d/extension-release.other": "ID=_any\n", "etc/conf": "x"},
	} {
		tree := filepath.Join(dir, name)
		for f, text := range files {
			p := filepath.Join(tree, f)
			if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
				t.Fatal(err)
			}
			data := []byte(text)
			if f == "probe" {
				if data, err = os.ReadFile(probe); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(p, data, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.Command(mkfs, "-q", "-t", "ext4", "-d", tree, tree+".raw", "16M").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	mounts := regexp.MustCompile(`(?m)^mount \S+ \S+ \S+ (\S+) (/mnt|/mnt2|/usr|/opt|/etc|/) (\S+) .*- (\S+) (\S+) (\S+)`)
	attempts := regexp.MustCompile(`(?m)^(/mnt2?/file|/usr/fit|/opt/fit|/etc/conf|/data) [01][0-7]{5}`)
	run := func(settings string) (code int, said string) {
		unit := filepath.Join(dir, "u.service")
		text := "[Service]\nType=oneshot\nStandardOutput=inherit\nMountAPIVFS=yes\nExecStart=/probe /mnt /mnt2 /usr/fit /opt/fit /etc/conf /data\n" +
			strings.ReplaceAll(settings, ";", "\n") + "\n"
		if err := os.WriteFile(unit, []byte(strings.ReplaceAll(text, "IMAGES", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
		var errors strings.Builder
		cmd := exec.Command(dir+"/ctl", "run", "-q", unit)
		cmd.Stderr = &errors
		out, _ := cmd.Output()
		var l []string
		for _, m := range mounts.FindAllStringSubmatch(string(out), -1) {
			l = append(l, fmt.Sprint(m[2], " ", m[4], " ", m[3]))
		}
		for _, m := range attempts.FindAllStringSubmatch(string(out), -1) {
			l = append(l, m[1])
		}
		return cmd.ProcessState.ExitCode(), strings.Join(l, "; ") + errors.String()
	}
	for _, c := range []struct {
		settings, want string
		code           int
	}{
		{"RootImage=IMAGES/root.raw", "/ ext4 rw,nodev,relatime; /data", 0},
		{"RootImage=IMAGES/root.raw;RootImageOptions=root:ro,noexec", "", 203},
		{"RootImage=IMAGES/root.raw;RootImageOptions=ro,nosuid", "/ ext4 ro,nosuid,nodev,relatime; /data", 0},
		{"RootImage=IMAGES/root.raw;RootImageOptions=usr:ro", "/ ext4 rw,nodev,relatime; /data", 0},
		{"RootImage=IMAGES/root.raw;RootImagePolicy=root=encrypted", "", 226},
		{"RootImage=IMAGES/root.raw;RootEphemeral=yes", "/ ext4 rw,nodev,relatime; /data", 0},
		{"RootImage=IMAGES/root.raw;MountImages=IMAGES/data.raw:/mnt", "/ ext4 rw,nodev,relatime; /mnt ext4 rw,nodev,relatime; /mnt/file; /data", 0},
		{"RootDirectory=IMAGES/root;MountImages=IMAGES/data.raw:/mnt:ro,noexec -/nosuch:/mnt2",
			"/ ext4 rw,relatime; /mnt ext4 ro,nodev,noexec,relatime; /mnt/file; /data", 0},
		{"RootDirectory=IMAGES/root;MountImages=IMAGES/data.raw:/mnt IMAGES/data.raw:/mnt2:root:nosuid;MountImagePolicy=root=unprotected",
			"/ ext4 rw,relatime; /mnt ext4 rw,nodev,relatime; /mnt2 ext4 rw,nosuid,nodev,relatime; /mnt/file; /mnt2/file; /data", 0},
		{"RootDirectory=IMAGES/root;MountImages=/nosuch:/mnt", "", 226},
		{"RootDirectory=IMAGES/root;MountImages=IMAGES/data.raw:/mnt;MountImagePolicy=root=absent", "", 226},
		{"RootImage=IMAGES/root.raw;ExtensionImages=IMAGES/fit.raw", "/ ext4 rw,nodev,relatime; /opt overlay ro,relatime; /usr overlay ro,relatime; /usr/fit; /opt/fit; /data", 0},
		{"RootImage=IMAGES/root.raw;ExtensionImages=IMAGES/old.raw", "", 226},
		{"RootImage=IMAGES/root.raw;ExtensionImages=IMAGES/name.raw", "", 226},
		{"RootImage=IMAGES/root.raw;ExtensionImages=IMAGES/name.raw:x-systemd.relax-extension-release-check",
			"/ ext4 rw,nodev,relatime; /etc overlay ro,relatime; /etc/conf; /data", 0},
		{"RootDirectory=IMAGES/root;ExtensionImages=-/nosuch IMAGES/fit.raw;ExtensionDirectories=IMAGES/fit",
			"/ ext4 rw,relatime; /opt overlay ro,relatime; /usr overlay ro,relatime; /usr/fit; /opt/fit; /data", 0},
	} {
		code, said := run(c.settings)
		if c.code != 0 {
			said = ""
		}
		if code != c.code || said != c.want {
			t.Errorf("%s: %d %s\nwant %d %s", c.settings, code, said, c.code, c.want)
		}
	}
	if loops, _ := exec.Command("losetup", "-a").Output(); strings.Contains(string(loops), dir) {
		t.Errorf("left: %s", loops)
	}
}
