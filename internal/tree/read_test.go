package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ctl/internal/oracle"
)

// TestDevice: a device is not opened to find out that it is none to read: a watchdog would start.
func TestDevice(t *testing.T) {
	oracle.NeedRoot(t, "making devices")
	root := t.TempDir()
	// Nobody has these numbers: opening them is ENXIO.
	for name, mode := range map[string]uint32{"char": syscall.S_IFCHR, "block": syscall.S_IFBLK} {
		if err := syscall.Mknod(filepath.Join(root, name), mode|0o644, 511<<8|77); err != nil {
			t.Fatal(err)
		}
	}
	layout(t, root, "link -> /char")
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		tr := open(root)
		d, err := tr.OpenDir("/")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for name, want := range map[string]Kind{"char": CharDevice, "block": BlockDevice} {
			if data, st, err := tr.ReadFile(name, 1); len(data) > 0 || st.Kind != want || err != nil {
				t.Errorf("%s: %v, %v", name, st, err)
			}
			if data, st, err := d.ReadFile(name, 1); len(data) > 0 || st.Kind != want || err != nil {
				t.Errorf("%s: %v, %v", name, st, err)
			}
		}
		if _, st, err := tr.ReadFile("link", 1); st.Kind != CharDevice || err != nil {
			t.Errorf("%v, %v", st, err)
		}
		if _, _, err := d.ReadFile("link", 1); !errors.Is(err, syscall.ELOOP) {
			t.Error(err)
		}
	})
}

func TestReadFile(t *testing.T) {
	root := t.TempDir()
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	if err := os.WriteFile(root+"/file", data, 0o600); err != nil {
		t.Fatal(err)
	}
	layout(t, root, "empty")
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		tr := open(root)
		got, st, err := tr.ReadFile("file", int64(len(data)))
		if string(got) != string(data) || st.Size != int64(len(data)) || st.Mode != 0o600 || st.Kind != Regular || err != nil {
			t.Errorf("%d bytes, %v, %v", len(got), st, err)
		}
		if _, _, err := tr.ReadFile("file", int64(len(data))-1); !errors.Is(err, syscall.EFBIG) {
			t.Error(err)
		}
		if got, _, err := tr.ReadFile("empty", 0); len(got) > 0 || err != nil {
			t.Error(got, err)
		}
	})
	// Files that say they are empty and are not, and give a page at a time.
	tr, err := Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	want, err := os.ReadFile("/proc/kallsyms")
	if err != nil || len(want) < 4096 {
		t.Skipf("no file of several pages: %d bytes, %v", len(want), err)
	}
	if got, st, err := tr.ReadFile("kallsyms", 1<<30); string(got) != string(want) || st.Size != 0 || err != nil {
		t.Errorf("%d bytes of %d, %v, %v", len(got), len(want), st, err)
	}
	if _, _, err := tr.ReadFile("kallsyms", 100); !errors.Is(err, syscall.EFBIG) {
		t.Error(err)
	}
}

// TestGrowing reads a file that another appends to: never less than was there, never without end.
func TestGrowing(t *testing.T) {
	root := t.TempDir()
	f, err := os.OpenFile(root+"/file", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			if _, err := io.WriteString(f, "x"); err != nil {
				return
			}
		}
	}()
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for range 2000 {
		data, st, err := tr.ReadFile("file", 1<<30)
		if err != nil || int64(len(data)) < st.Size {
			t.Errorf("%d bytes of %d, %v", len(data), st.Size, err)
			break
		}
	}
	stop.Store(true)
	<-done
}

// TestEntries lists more than one call of the kernel gives, twice, and after changes.
func TestEntries(t *testing.T) {
	root := t.TempDir()
	want := make(map[string]Kind)
	for i := range 3000 {
		n := fmt.Sprintf("%0*d.service", 1+i%60, i)
		if err := os.Symlink("x", filepath.Join(root, n)); err != nil {
			t.Fatal(err)
		}
		want[n] = Link
	}
	layout(t, root, "dir/", "file", "\xff\n", strings.Repeat("n", 255))
	want["dir"], want["file"], want["\xff\n"], want[strings.Repeat("n", 255)] = Directory, Regular, Regular, Regular
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d, err := tr.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	check := func() {
		t.Helper()
		es, err := d.Entries()
		if err != nil || len(es) != len(want) {
			t.Errorf("%d of %d, %v", len(es), len(want), err)
		}
		for _, e := range es {
			if k, ok := want[e.Name]; !ok || k != e.Kind {
				t.Errorf("%q is %d, want %d", e.Name, e.Kind, k)
			}
		}
	}
	check()
	check()
	if err := d.Remove("file"); err != nil {
		t.Fatal(err)
	}
	delete(want, "file")
	layout(t, root, "new")
	want["new"] = Regular
	check()
}

// record is one directory entry as getdents64(2) gives it.
func record(name string, typ byte) []byte {
	b := make([]byte, 19, 64)
	b = append(b, name...)
	b = append(b, 0)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	b[18] = typ
	binary.NativeEndian.PutUint16(b[16:], uint16(len(b)))
	return b
}

// TestRecords: a file system that does not say what a name is, and bytes that make no sense.
func TestRecords(t *testing.T) {
	root := t.TempDir()
	layout(t, root, "dir/", "file", "link -> dir")
	tr, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	d, err := tr.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var b []byte
	for _, n := range []string{".", "..", "dir", "file", "link", "gone"} {
		b = append(b, record(n, syscall.DT_UNKNOWN)...)
	}
	want := []Entry{{"dir", Directory}, {"file", Regular}, {"link", Link}, {"gone", Unknown}}
	if got := d.parse(nil, b); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for typ, want := range map[byte]Kind{
		syscall.DT_REG: Regular, syscall.DT_DIR: Directory, syscall.DT_LNK: Link, syscall.DT_CHR: CharDevice,
		syscall.DT_BLK: BlockDevice, syscall.DT_FIFO: Other, syscall.DT_SOCK: Other,
	} {
		if got := d.parse(nil, record("x", typ)); len(got) != 1 || got[0].Kind != want {
			t.Errorf("type %d: %v", typ, got)
		}
	}
	for cut := range b {
		_ = d.parse(nil, b[:cut])
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		c := slices.Clone(b)
		for range 5 {
			c[r.IntN(len(c))] = byte(r.Uint32())
		}
		for _, e := range d.parse(nil, c) {
			if e.Name == "." || e.Name == ".." {
				t.Errorf("%q", e.Name)
			}
		}
	}
}

func TestReadlink(t *testing.T) {
	bothWays(t, func(t *testing.T, open func(string) *Tree) {
		root := t.TempDir()
		long := strings.Repeat("x", 4095)
		layout(t, root, "dir/", "file", "link -> ../a//b/", "in -> /dir", "dir/deep -> file", "long -> "+long)
		tr := open(root)
		for p, want := range map[string]string{"link": "../a//b/", "in/deep": "file", "/in": "/dir", "long": long} {
			if got, err := tr.Readlink(p); got != want || err != nil {
				t.Errorf("%s: %.20q, %v", p, got, err)
			}
		}
		for p, want := range map[string]error{"file": syscall.EINVAL, "dir": syscall.EINVAL, "/": syscall.EINVAL, "nope": syscall.ENOENT, "file/x": syscall.ENOTDIR} {
			if got, err := tr.Readlink(p); got != "" || !errors.Is(err, want) {
				t.Errorf("%s: %q, %v, want %v", p, got, err, want)
			}
		}
	})
}

func benchTree(b *testing.B, n int) *Tree {
	b.Helper()
	root := b.TempDir()
	for i := range n {
		if err := os.WriteFile(fmt.Sprintf("%s/unit-%d.service", root, i), []byte("[Install]\n"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	tr, err := Open(root)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { tr.Close() })
	return tr
}

func BenchmarkEntries(b *testing.B) {
	d, err := benchTree(b, 10_000).OpenDir("/")
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	b.ReportAllocs()
	for b.Loop() {
		if es, err := d.Entries(); err != nil || len(es) != 10_000 {
			b.Fatal(len(es), err)
		}
	}
}

func BenchmarkReadFile(b *testing.B) {
	tr := benchTree(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := tr.ReadFile("/unit-0.service", 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStat(b *testing.B) {
	for _, walks := range []bool{false, true} {
		b.Run(fmt.Sprint("walk=", walks), func(b *testing.B) {
			tr := benchTree(b, 0)
			d, err := tr.MkdirAll("/usr/lib/systemd/system", 0o755)
			if err != nil {
				b.Fatal(err)
			}
			d.Close()
			tr.walks.Store(walks)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.Stat("/usr/lib/systemd/system"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
