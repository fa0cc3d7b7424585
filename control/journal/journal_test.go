package journal

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The files of testdata were written by systemd-journald 262, in its compact format and in the one before it: twice the same list of messages, by two
// runs of the unit fx.service, in a file each, and a message of fz.service that it compressed. What journalctl 262 says of the first unit
// is in the .json beside them.
var (
	wanted = []string{"MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "MESSAGE_ID"}
	unitFx = [][]string{{"_SYSTEMD_UNIT=fx.service"}, {"_SYSTEMD_UNIT=fx.service", "PRIORITY=3"}, {"UNIT=fx.service"}}
)

const (
	machine = "2d8ba1dde5fc4af794c1bbefd9b8cff0"
	boot    = "_BOOT_ID=fbc85903ccd04fbe9f0bbbc4fcd06d26"
)

// unpacked are the files of a directory of testdata.
func unpacked(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/" + dir + "/*.gz")
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	files := make(map[string][]byte)
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(name), ".gz")] = data
	}
	return files
}

// said is what journalctl says of an entry.
type said struct {
	realtime, monotonic uint64
	fields              map[string]string
}

func saidOf(t *testing.T, dir string) []said {
	t.Helper()
	data, err := os.ReadFile("testdata/" + dir + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var l []said
	for line := range bytes.Lines(data) {
		var values map[string]any
		if err := json.Unmarshal(line, &values); err != nil {
			t.Fatal(err)
		}
		e := said{fields: make(map[string]string)}
		for _, name := range wanted {
			switch v := values[name].(type) {
			case string:
				e.fields[name] = v
			case []any:
				e.fields[name] = last(v)
			}
		}
		number := func(name string) uint64 {
			s, _ := values[name].(string)
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		e.realtime, e.monotonic = number("__REALTIME_TIMESTAMP"), number("__MONOTONIC_TIMESTAMP")
		l = append(l, e)
	}
	return l
}

// last is the last one of several values, or the bytes that a value is made of.
func last(values []any) string {
	var s []byte
	for _, v := range values {
		if text, ok := v.(string); ok {
			s = []byte(text)
		} else if n, ok := v.(float64); ok {
			s = append(s, byte(n))
		}
	}
	return string(s)
}

func TestLast(t *testing.T) {
	for _, dir := range []string{"compact", "wide"} {
		top := t.TempDir()
		home := top + "/" + machine + ".space"
		if err := os.MkdirAll(home, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range unpacked(t, dir) {
			if err := os.WriteFile(home+"/"+name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all := saidOf(t, dir)
		for _, n := range []int{1, 7, 50, 1000} {
			j := &Journal{boot: boot, names: wanted}
			t.Cleanup(j.Close)
			if err := j.addTops([]string{"/nonexistent", top}, machine, "space"); err != nil {
				t.Fatal(err)
			}
			want := all[max(0, len(all)-n):]
			l, err := j.Last(uint64(n), unitFx)
			if err != nil || len(l) != len(want) {
				t.Fatalf("%s, %d: %d entries, want %d, %v", dir, n, len(l), len(want), err)
			}
			for i, w := range want {
				got, err := j.Fields(&l[i])
				if err != nil || l[i].Realtime != w.realtime || l[i].Monotonic != w.monotonic || len(got) != len(w.fields) {
					t.Errorf("%s: entry %d is %+v %q, want %+v, %v", dir, i, l[i], got, w, err)
				}
				for k, v := range w.fields {
					if got[k] != v {
						t.Errorf("%s: entry %d: %s is %q, want %q", dir, i, k, got[k], v)
					}
				}
			}
			if first, err := j.First(); err != nil || first == 0 || first > all[0].monotonic {
				t.Errorf("%s: first %d, %v", dir, first, err)
			}
		}
	}
}

// TestForeign: what is compressed is an error, what is damaged and what is not there too, and other boots have nothing.
func TestForeign(t *testing.T) {
	files := unpacked(t, "compact")
	j := &Journal{boot: boot, names: wanted}
	for _, data := range files {
		f, err := newFile(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		j.files = append(j.files, f)
	}
	l, err := j.Last(10, [][]string{{"_SYSTEMD_UNIT=fz.service"}})
	if err != nil || len(l) != 1 {
		t.Fatal(l, err)
	}
	if _, err := j.Fields(&l[0]); !errors.Is(err, ErrForeign) {
		t.Errorf("compressed: %v", err)
	}
	j.boot = strings.Repeat("0", 32)
	if l, err := j.Last(10, unitFx); err != nil || len(l) != 0 {
		t.Errorf("another boot: %v, %v", l, err)
	}
	for _, damage := range []struct {
		at    int
		value string
	}{{0, "X"}, {12, "\xff"}, {12, "\x00"}, {112, "\x00\x00\x00\x00\x00\x00\x00\x00"}} {
		data := bytes.Clone(files["system.journal"])
		copy(data[damage.at:], damage.value)
		if _, err := newFile(bytes.NewReader(data)); !errors.Is(err, ErrForeign) {
			t.Errorf("%q at %d: %v", damage.value, damage.at, err)
		}
	}
	for _, n := range []int{0, 7, 119} {
		if _, err := newFile(bytes.NewReader(files["system.journal"][:n])); !errors.Is(err, ErrForeign) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// FuzzFile reads files that were damaged: each six bytes of the edits are a place and what is written there.
func FuzzFile(f *testing.F) {
	var originals [][]byte
	for _, dir := range []string{"compact", "wide"} {
		originals = append(originals, unpacked(f, dir)["system.journal"])
	}
	f.Add([]byte{0, 0, 0, 112, 0, 0}, 1000)
	f.Add([]byte{0, 0, 16, 0, 255, 255}, 300000)
	f.Fuzz(func(t *testing.T, edits []byte, size int) {
		for _, data := range originals {
			data = bytes.Clone(data[:max(0, min(size, len(data)))])
			for e := edits; len(e) >= 6; e = e[6:] {
				if at := int(binary.LittleEndian.Uint32(e)); at < len(data) {
					copy(data[at:], e[4:6])
				}
			}
			opened, err := newFile(bytes.NewReader(data))
			if err != nil {
				continue
			}
			j := &Journal{boot: boot, names: wanted, files: []*file{opened}}
			_, _ = j.First()
			l, err := j.Last(100, unitFx)
			for i := range l {
				_, _ = j.Fields(&l[i])
			}
			if err == nil && len(l) > 100 {
				t.Errorf("%d entries", len(l))
			}
		}
	})
}
