package control

import (
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ctl/internal/unit"
)

// journalIndex answers from the hash tables of the journal's files, systemd's "Journal File Format", whether
// a unit is named in them at all. Of most units that were never started nothing is logged, and
// journalctl(1) takes ten times as long to say so.
type journalIndex struct {
	files []journalFile
	known bool // all files can be read
}

// A journalFile is an open file of the journal with what its header says.
type journalFile struct {
	io.ReaderAt
	id           [2]uint64 // the key of its hashes
	table, items uint64    // where its hash table of data is, and for how many
	payload      int       // where the text is in an object
}

// openJournals opens the journal's files, which stay open until the end.
func openJournals() *journalIndex {
	x := &journalIndex{known: true}
	for _, dir := range [...]string{"/run/log/journal", "/var/log/journal"} {
		names, _ := filepath.Glob(dir + "/*/*.journal*") // the pattern is good
		for _, name := range names {
			f, ok := openJournal(name)
			if !ok {
				x.known = false
				return x
			}
			x.files = append(x.files, f)
		}
	}
	return x
}

func openJournal(name string) (journalFile, bool) {
	const (
		keyed   = 1 << 2 // flags of what a reader has to know
		compact = 1 << 4
		known   = 1<<5 - 1
	)
	file, err := os.Open(name)
	if err != nil {
		return journalFile{}, false
	}
	var h [120]byte
	if _, err := file.ReadAt(h[:], 0); err != nil || string(h[:8]) != "LPKSHHRH" {
		return journalFile{}, false
	}
	flags := binary.LittleEndian.Uint32(h[12:])
	f := journalFile{ReaderAt: file, payload: 64, table: binary.LittleEndian.Uint64(h[104:]), items: binary.LittleEndian.Uint64(h[112:]) / 16,
		id: [2]uint64{binary.LittleEndian.Uint64(h[24:]), binary.LittleEndian.Uint64(h[32:])}}
	if flags&compact != 0 {
		f.payload = 72
	}
	return f, flags&keyed != 0 && flags&^known == 0 && f.items > 0
}

// names tells whether an entry may be of a unit or about it: whether there is one of the fields that
// journalctl --unit= looks for.
func (x *journalIndex) names(unit string) bool {
	fields := []string{"_SYSTEMD_UNIT=", "UNIT=", "OBJECT_SYSTEMD_UNIT=", "COREDUMP_UNIT="}
	if strings.HasSuffix(unit, ".slice") {
		fields = append(fields, "_SYSTEMD_SLICE=")
	}
	for i := range x.files {
		for _, field := range fields {
			if x.files[i].has(field + unit) {
				return true
			}
		}
	}
	return !x.known
}

// has tells whether a field with its value is in the file. If the file is not as it should be, it may be.
func (f *journalFile) has(data string) bool {
	hash := unit.SipHash(f.id, data)
	var b [72 + 512]byte
	if _, err := f.ReadAt(b[:8], int64(f.table+hash%f.items*16)); err != nil {
		return true
	}
	at := binary.LittleEndian.Uint64(b[:])
	for chain := 0; at != 0; chain++ {
		n, _ := f.ReadAt(b[:f.payload+len(data)], int64(at))
		if n < f.payload || b[0] != 1 || chain > 1000 {
			return true
		}
		size := binary.LittleEndian.Uint64(b[8:])
		if binary.LittleEndian.Uint64(b[16:]) == hash && size == uint64(f.payload+len(data)) && string(b[f.payload:n]) == data {
			return true
		}
		at = binary.LittleEndian.Uint64(b[24:])
	}
	return false
}
