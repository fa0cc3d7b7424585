package copytree_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// describe says all that there is to say about a tree, a text for each path.
func describe(t testing.TB, root string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	links := make(map[uint64][]string)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, p)
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		var b strings.Builder
		fmt.Fprintf(&b, "mode=%o owner=%d:%d mtime=%d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			fmt.Fprintf(&b, " atime=%d.%09d %s", st.Atim.Sec, st.Atim.Nsec, content(t, p))
		case unix.S_IFLNK:
			target, _ := os.Readlink(p)
			fmt.Fprintf(&b, " -> %q", target)
		case unix.S_IFCHR, unix.S_IFBLK:
			fmt.Fprintf(&b, " device=%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		}
		names := make([]byte, 64<<10)
		n, err := unix.Llistxattr(p, names)
		if err != nil && err != unix.EOPNOTSUPP {
			return err
		}
		l := strings.Split(string(names[:max(n, 0)]), "\x00")
		slices.Sort(l)
		for _, name := range l {
			value := make([]byte, 64<<10)
			if n, err := unix.Lgetxattr(p, name, value); name != "" && err == nil {
				fmt.Fprintf(&b, " %s=%x", name, value[:n])
			}
		}
		all[rel] = b.String()
		if st.Nlink > 1 && !d.IsDir() {
			links[st.Ino] = append(links[st.Ino], rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range links {
		slices.Sort(names)
		for _, n := range names {
			all[n] += fmt.Sprintf(" names=%q", names)
		}
	}
	return all
}

// content is what is in a file, and where it has holes.
func content(t testing.TB, p string) string {
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NOATIME, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteTo(sum); err != nil {
		t.Fatal(err)
	}
	sparse := ""
	if st.Size > 1<<20 && st.Blocks*512 < st.Size/2 {
		sparse = " sparse"
	}
	return fmt.Sprintf("size=%d %x%s", st.Size, sum.Sum(nil)[:8], sparse)
}

// same compares two trees.
func same(t testing.TB, what string, want, got map[string]string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// A gardener grows trees of all that a file system can hold.
type gardener struct {
	testing.TB
	*rand.Rand
}

func (g *gardener) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

// tree makes a tree at root, which must not exist.
func (g *gardener) tree(root string, entries int) {
	dirs := []string{root}
	g.must(os.Mkdir(root, 0o700))
	var made []string
	for i := range entries {
		p := filepath.Join(dirs[g.IntN(len(dirs))], g.name(i))
		switch g.IntN(10) {
		case 0, 1:
			g.must(os.Mkdir(p, 0o700))
			dirs = append(dirs, p)
		case 2:
			g.must(os.Symlink([]string{"/etc/passwd", "nowhere", "..", strings.Repeat("long/", 200), "/"}[g.IntN(5)], p))
		case 3:
			g.must(unix.Mknod(p, []uint32{unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK}[g.IntN(4)]|0o600, int(unix.Mkdev(uint32(g.IntN(300)), uint32(g.IntN(70000))))))
		case 4, 5:
			if len(made) > 0 {
				first := made[g.IntN(len(made))]
				if unix.Linkat(unix.AT_FDCWD, first, unix.AT_FDCWD, p, 0) == nil {
					continue
				}
			}
			fallthrough
		default:
			g.file(p)
		}
		made = append(made, p)
	}
	for _, p := range made {
		g.dress(p)
	}
	g.dress(root)
}

func (g *gardener) name(i int) string {
	n := fmt.Sprint(i)
	switch g.IntN(6) {
	case 0:
		return " \n\xff'\"" + n
	case 1:
		return n + strings.Repeat("x", 255-len(n))
	case 2:
		return ".#" + n + ".lck"
	}
	return n
}

func (g *gardener) file(p string) {
	f, err := os.OpenFile(p, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	g.must(err)
	defer f.Close()
	block := make([]byte, 1+g.IntN(100_000))
	for i := range block {
		block[i] = byte(g.Uint32())
	}
	switch g.IntN(6) {
	case 0: // empty
	case 1:
		for range 1 + g.IntN(4) {
			_, err = f.WriteAt(block, g.Int64N(4<<20))
			g.must(err)
		}
		g.must(f.Truncate(4<<20 + g.Int64N(1<<20)))
	case 2:
		g.must(f.Truncate(1 + g.Int64N(5<<20))) // a hole only
	case 3:
		for range 1 + g.IntN(40) {
			_, err = f.Write(block)
			g.must(err)
		}
	default:
		_, err = f.Write(block)
		g.must(err)
	}
}

// dress gives owner, mode, attributes and times.
func (g *gardener) dress(p string) {
	st, err := os.Lstat(p)
	g.must(err)
	link := st.Mode()&fs.ModeSymlink != 0
	if g.IntN(3) == 0 {
		g.must(os.Lchown(p, g.IntN(100_000), g.IntN(100_000)))
	}
	set := func(name string, value []byte) {
		if err := unix.Lsetxattr(p, name, value, 0); err != nil && err != unix.EOPNOTSUPP {
			g.Fatalf("%s %s: %v", p, name, err)
		}
	}
	if g.IntN(4) == 0 {
		set("trusted.ctl", bytes.Repeat([]byte("t"), g.IntN(600)))
	}
	if st.Mode().IsRegular() || st.IsDir() {
		if g.IntN(4) == 0 {
			set("user.a", []byte("\x00\xff"))
			set("user.b", nil)
		}
		if g.IntN(5) == 0 {
			set("system.posix_acl_access", acl(7, uint32(g.IntN(70000)), 5))
		}
		if st.IsDir() && g.IntN(3) == 0 {
			set("system.posix_acl_default", acl(6, uint32(g.IntN(70000)), 4))
		}
	}
	if !link {
		g.must(unix.Chmod(p, uint32(g.IntN(0o10000))))
	}
	if st.Mode().IsRegular() && g.IntN(4) == 0 {
		set("security.capability", binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0)) // cap_net_raw+p
	}
	when := func() unix.Timespec {
		return unix.NsecToTimespec(time.Unix(g.Int64N(4e9)-1e9, g.Int64N(1e9)).UnixNano())
	}
	g.must(unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{when(), when()}, unix.AT_SYMLINK_NOFOLLOW))
}

// acl is an access control list as the kernel has it: one user more, acl(5).
func acl(owner uint16, user uint32, rights uint16) []byte {
	const nobody = 0xffffffff
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, rights uint16
		id          uint32
	}{{1, owner, nobody}, {2, rights, user}, {4, 5, nobody}, {16, 7, nobody}, {32, 1, nobody}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.rights)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}
