package copytree_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
	"ctl/sandbox/copytree"
)

func mkdir(t testing.TB, l ...string) {
	t.Helper()
	for _, d := range l {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func subvolume(t testing.TB, l ...string) {
	t.Helper()
	for _, p := range l {
		run(t, "btrfs", "-q", "subvolume", "create", p)
	}
}

func inode(t testing.TB, p string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// TestSnapshot: of a subvolume the copy is a snapshot, with the subvolumes in it; of a directory it is a subvolume.
func TestSnapshot(t *testing.T) {
	at := fileSystem(t, "btrfs", "500")
	src := at + "/src"
	subvolume(t, src)
	mkdir(t, src+"/a/b", src+"/plain")
	subvolume(t, src+"/a/b/inner", src+"/a/b/inner/innermost", src+"/other")
	for _, p := range []string{"/file", "/a/b/inner/file", "/a/b/inner/innermost/file", "/other/file", "/plain/file"} {
		if err := os.WriteFile(src+p, []byte(p), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "btrfs", "property", "set", src+"/other", "ro", "true")
	before := describe(t, src)
	for _, readOnly := range []bool{false, true} {
		dst := at + "/dst"
		if err := copytree.Copy(background, src, dst, copytree.Options{ReadOnly: readOnly}); err != nil {
			t.Fatal(err)
		}
		same(t, "snapshot", before, describe(t, dst))
		for _, p := range []string{"", "/a/b/inner", "/a/b/inner/innermost", "/other"} {
			if n := inode(t, dst+p); n != 256 {
				t.Errorf("%s is no subvolume, but inode %d", dst+p, n)
			}
		}
		if err := os.WriteFile(dst+"/new", nil, 0o600); (err != nil) != readOnly {
			t.Errorf("read-only %v: %v", readOnly, err)
		}
		if err := copytree.Remove(dst); err != nil {
			t.Fatal(err)
		}
	}
	if err := copytree.Template(background, src+"/plain", at+"/new", copytree.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at+"/new/file2", nil, 0o600); inode(t, at+"/new") != 256 || err == nil {
		t.Errorf("no read-only subvolume: %v", err)
	}
	live, err := copytree.Ephemeral(background, src, copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := copytree.Remove(at + "/new"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, at); got != "src" {
		t.Errorf("left: %s", got)
	}
	// What is mounted is copied into itself.
	mkdir(t, at+"/mnt")
	image := strings.TrimSpace(output(t, "findmnt", "-no", "SOURCE", at))
	run(t, "mount", "-o", "subvol=src", image, at+"/mnt")
	defer run(t, "umount", at+"/mnt")
	one, err := copytree.Ephemeral(background, at+"/mnt", copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := copytree.Ephemeral(background, at+"/mnt", copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, two.Path); got != "a file other plain" {
		t.Errorf("the copy has %s", got)
	}
	for _, l := range []*copytree.Temporary{one, two} {
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, src); got != "a file other plain" {
		t.Errorf("left: %s", got)
	}
}

func output(t testing.TB, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", argv, err, out)
	}
	return string(out)
}

// TestReflink: copies share their blocks where they can.
func TestReflink(t *testing.T) {
	for _, kind := range []string{"xfs", "btrfs"} {
		at := fileSystem(t, kind, "500")
		mkdir(t, at+"/src")
		big(t, at+"/src", 4, 50<<20)
		used := func() uint64 {
			var st unix.Statfs_t
			unix.Sync()
			if err := unix.Statfs(at, &st); err != nil {
				t.Fatal(err)
			}
			return (st.Blocks - st.Bfree) * uint64(st.Bsize)
		}
		before := used()
		if err := copytree.Copy(background, at+"/src", at+"/dst", copytree.Options{}); err != nil {
			t.Fatal(err)
		}
		if more := used() - before; more > 20<<20 {
			t.Errorf("%s: %d MB more", kind, more>>20)
		}
		same(t, kind, describe(t, at+"/src"), describe(t, at+"/dst"))
	}
}

// TestMounts: what is mounted in a tree is not copied, and a tree that is mounted has its copies in it.
func TestMounts(t *testing.T) {
	at := fileSystem(t, "tmpfs", "100")
	src := at + "/src"
	mkdir(t, src+"/sub/mnt", src+"/same", src+"/dir")
	for _, f := range []string{src + "/file", src + "/dir/file"} {
		if err := os.WriteFile(f, []byte("below"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at+"/above", []byte("above"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", "-t", "tmpfs", "ctl-copytree", src+"/sub/mnt")
	run(t, "mount", "--bind", src+"/dir", src+"/same")
	run(t, "mount", "--bind", at+"/above", src+"/file")
	mounts := []string{src + "/sub/mnt", src + "/same", src + "/file"}
	defer func() {
		for _, m := range mounts {
			run(t, "umount", m)
		}
	}()
	if err := copytree.Copy(background, src, at+"/dst", copytree.Options{}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(at + "/dst/file")
	if got := names(t, at+"/dst") + "/" + names(t, at+"/dst/sub") + "/" + string(text); got != "dir file sub//above" {
		t.Errorf("copied: %s", got)
	}
	run(t, "mount", "--bind", at+"/dst", at+"/dst")
	mounts = append(mounts, at+"/dst")
	one, err := copytree.Ephemeral(background, at+"/dst", copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := copytree.Ephemeral(background, at+"/dst", copytree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, two.Path); got != "dir file sub" || !strings.HasPrefix(two.Path, at+"/dst/.#snapshot.") {
		t.Errorf("%s has %s", two.Path, got)
	}
	if l, err := copytree.Clean(at + "/dst"); len(l) > 0 || err != nil {
		t.Errorf("in use: %q %v", l, err)
	}
	for _, l := range []*copytree.Temporary{one, two} {
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	}
	if got := names(t, at+"/dst"); got != "dir file sub" {
		t.Errorf("left: %s", got)
	}
	// Nor is it removed.
	if err := copytree.Remove(src); err == nil {
		t.Error("removed what is mounted")
	}
	if got := names(t, src) + "/" + names(t, src+"/sub"); got != "file same sub/mnt" {
		t.Errorf("left: %s", got)
	}
}

// TestDeep: directories may lie deeper than a path can say.
func TestDeep(t *testing.T) {
	at := oracle.Scratch(t)
	mkdir(t, at+"/src")
	if err := os.WriteFile(at+"/src/file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(at+"/src", unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		name := fmt.Sprint(strings.Repeat("d", 200), i)
		if err := unix.Mkdirat(fd, name, 0o700); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 {
			if err := unix.Linkat(unix.AT_FDCWD, at+"/src/file", fd, "link", 0); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mknodat(fd, "first", unix.S_IFREG|0o600, 0); err != nil {
				t.Fatal(err)
			}
			if err := unix.Linkat(fd, "first", unix.AT_FDCWD, fmt.Sprint(at, "/src/second", i), 0); err != nil {
				t.Fatal(err)
			}
		}
		next, err := unix.Openat(fd, name, unix.O_PATH, 0)
		unix.Close(fd)
		if fd = next; err != nil {
			t.Fatal(err)
		}
	}
	unix.Close(fd)
	if err := copytree.Copy(background, at+"/src", at+"/dst", copytree.Options{}); err != nil {
		t.Fatal(err)
	}
	list := func(dir string) string {
		return output(t, "sh", "-c", `cd "$1" && find . -printf '%y %m %n %d %f\n' | sort | sha256sum && find . | wc -l`, "sh", dir)
	}
	if want, got := list(at+"/src"), list(at+"/dst"); want != got {
		t.Errorf("%s\n%s", want, got)
	}
	for _, d := range []string{"/src", "/dst"} {
		if err := copytree.Remove(at + d); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, at); got != "" {
		t.Errorf("left: %s", got)
	}
}

// TestImmutable: a template's copy is immutable where it is to be read-only and no subvolume, and a container's root may have made
// files so. All can be removed.
func TestImmutable(t *testing.T) {
	oracle.NeedRoot(t, "flags of inodes")
	at := fileSystem(t, "ext4", "50")
	mkdir(t, at+"/src/dir")
	for _, f := range []string{"/src/file", "/src/dir/file"} {
		if err := os.WriteFile(at+f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "chattr", "+i", at+"/src/dir/file", at+"/src/dir")
	run(t, "chattr", "+a", at+"/src/file")
	before := describe(t, at+"/src")
	if err := copytree.Template(background, at+"/src", at+"/dst", copytree.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	same(t, "template", before, describe(t, at+"/dst"))
	flags := output(t, "lsattr", "-d", at+"/dst", at+"/dst/file", at+"/dst/dir")
	if f := strings.Fields(flags); !strings.Contains(f[0], "i") || strings.ContainsAny(f[2]+f[4], "ia") {
		t.Errorf("flags: %s", flags)
	}
	for _, d := range []string{"/src", "/dst"} {
		if err := copytree.Remove(at + d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	if got := names(t, at); got != "lost+found" {
		t.Errorf("left: %s", got)
	}
}

// TestProgress: who waits long is told, at last with how much there is to do.
func TestProgress(t *testing.T) {
	at := oracle.Scratch(t)
	big(t, at+"/src", 15_000, 100)
	var last copytree.Progress
	told, total := 0, copytree.Progress{TotalFiles: 15_000 + 7*31 + 7 + 1, TotalBytes: 1_500_000}
	tell := func(p copytree.Progress) {
		told++
		if p.Files < last.Files || p.Bytes < last.Bytes || p.Files > total.TotalFiles || p.Bytes > total.TotalBytes {
			t.Errorf("%+v after %+v", p, last)
		}
		if p.TotalFiles != 0 && (p.TotalFiles != total.TotalFiles || p.TotalBytes != total.TotalBytes) {
			t.Errorf("%+v are to be %+v", p, total)
		}
		last = p
	}
	if err := copytree.Copy(background, at+"/src", at+"/dst", copytree.Options{Progress: tell}); err != nil {
		t.Fatal(err)
	}
	if told == 0 {
		t.Error("nothing was told")
	}
}
