// Package journal reads systemd's journal: the last entries of this boot that have some fields, found by the hash tables of its files,
// systemd's "Journal File Format". What it cannot read, as data that is compressed, is an error: journalctl(1) can.
package journal

import (
	"cmp"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
)

// A Journal is the open files of a journal, those that may be read and have something of this boot.
type Journal struct {
	boot  string   // "_BOOT_ID=..."
	names []string // of the fields that are wanted
	files []*file
	open  []*os.File
}

// Open opens the journal of this machine, and that of a namespace with it unless that is "". Of its entries the fields with these names
// can be read. The files stay open until Close.
func Open(namespace string, names []string) (*Journal, error) {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return nil, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	j := &Journal{boot: "_BOOT_ID=" + hexDigits(boot), names: names}
	if err := j.addTops([]string{"/run/log/journal", "/var/log/journal"}, hexDigits(machine), namespace); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// hexDigits is an ID without what is around and between its digits.
func hexDigits(id []byte) string { return strings.ReplaceAll(strings.TrimSpace(string(id)), "-", "") }

// addTops opens the files of a machine that are below some directories.
func (j *Journal) addTops(tops []string, machine, namespace string) error {
	if id, err := hex.DecodeString(machine); err != nil || len(id) != 16 {
		return ErrForeign
	}
	for _, top := range tops {
		dirs := []string{top, top + "/" + machine}
		if namespace != "" {
			dirs = append(dirs, dirs[1]+"."+namespace)
		}
		for _, dir := range dirs {
			if err := j.add(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// add opens the files of a directory. Those that are gone or are not for us are passed over, and closed if they have nothing of this boot.
func (j *Journal) add(dir string) error {
	passed := func(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) }
	d, err := os.Open(dir)
	if err != nil {
		if passed(err) {
			return nil
		}
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".journal") && !strings.HasSuffix(name, ".journal~") {
			continue
		}
		r, err := os.OpenFile(dir+"/"+name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			if passed(err) {
				continue
			}
			return err
		}
		f, err := newFile(r)
		var place uint64
		if err == nil {
			place, _, err = f.find(j.boot)
		}
		if place == 0 {
			r.Close()
			if err != nil {
				return err
			}
			continue
		}
		j.open, j.files = append(j.open, r), append(j.files, f)
	}
	return nil
}

// Close closes the files.
func (j *Journal) Close() {
	for _, f := range j.open {
		f.Close()
	}
}

// An Entry is an entry of the journal.
type Entry struct {
	Realtime, Monotonic uint64 // when it was written, in microseconds

	number, hash uint64 // in its file; of its fields
	file         *file
	items        []uint64 // where its fields are
}

// Fields reads the fields of an entry, by their names. Of those that it has more than once it is the last.
func (j *Journal) Fields(e *Entry) (map[string]string, error) {
	m := make(map[string]string, len(j.names))
	for _, place := range e.items {
		v, err := e.file.fieldAt(place, j.names)
		if err != nil {
			return nil, err
		}
		if v.name > 0 {
			m[j.names[v.name-1]] = v.value
		}
	}
	return m, nil
}

// compare is the order of entries of one boot, as libsystemd has it.
func (e *Entry) compare(o *Entry) int {
	if e.file.sequence == o.file.sequence && e.number != o.number {
		return cmp.Compare(e.number, o.number)
	}
	return cmp.Or(cmp.Compare(e.Monotonic, o.Monotonic), cmp.Compare(e.Realtime, o.Realtime), cmp.Compare(e.hash, o.hash))
}

// Last returns the last entries of this boot, at most n of them, the earliest first, that have all fields ("NAME=value") of one of the alternatives.
func (j *Journal) Last(n uint64, alternatives [][]string) ([]Entry, error) {
	var open []*cursor
	advance := func(c *cursor) error {
		ok, err := c.previous()
		if ok {
			open = append(open, c)
		}
		return err
	}
	for _, f := range j.files {
		for _, fields := range alternatives {
			c, err := f.cursor(append([]string{j.boot}, fields...))
			if c != nil && err == nil {
				err = advance(c)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	var l []Entry
	for uint64(len(l)) < n && len(open) > 0 {
		last := slices.MaxFunc(open, func(a, b *cursor) int { return a.entry.compare(&b.entry) }).entry
		l = append(l, last)
		// The same entry may be found in several ways, and be in several files.
		same := open
		open = nil
		for _, c := range same {
			if c.entry.compare(&last) != 0 {
				open = append(open, c)
			} else if err := advance(c); err != nil {
				return nil, err
			}
		}
	}
	slices.Reverse(l)
	return l, nil
}

// Has tells whether a field with its value is in any of the files.
func (j *Journal) Has(data string) (bool, error) {
	for _, f := range j.files {
		if place, _, err := f.find(data); place != 0 || err != nil {
			return true, err
		}
	}
	return false, nil
}

// First is when the first entry of this boot was written, in microseconds since it; 0 if there is none.
func (j *Journal) First() (monotonic uint64, err error) {
	for _, f := range j.files {
		place, l, err := f.find(j.boot)
		if err != nil {
			return 0, err
		}
		if place == 0 || l.n == 0 {
			continue
		}
		b, _, err := f.object(l.first, entryObject, entryHead)
		if err != nil {
			return 0, err
		}
		if t := le64(b[32:]); monotonic == 0 || t < monotonic {
			monotonic = t
		}
	}
	return monotonic, nil
}
