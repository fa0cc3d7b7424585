package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"ctl/internal/unit"
)

// ErrForeign says that a file is not as the reader knows them: damaged, or written in a way that it does not read.
var ErrForeign = errors.New("not a journal file that can be read")

// Types of objects, and which bits of an object's flags say that it is compressed.
const (
	dataObject  = 1
	entryObject = 3
	arrayObject = 6
	compressed  = 7
)

// Sizes of what objects begin with.
const (
	objectHead = 16
	dataHead   = 64 // 8 more in compact files
	arrayHead  = 24
	entryHead  = 64
)

// largest is the size that an object may have; journald takes fields that are larger, but for no line of text.
const largest = 64 << 20

// A file is an open journal file. Nothing that it says is believed: each object that is read has to have its type and a size that
// goes with it, and each chain has to lead on towards the end of the file.
type file struct {
	io.ReaderAt
	compact       bool
	id, sequence  [2]uint64 // the key of its hashes; of the numbers of its entries
	table, chains uint64    // where the hash table of its data is, and how many chains that has
	read          map[uint64]field
	buf           [512]byte
}

// A field is what was found at the place of a data object: the field of its name, counted from 1, or 0 for one that nobody asked for.
type field struct {
	name  int
	value string
}

// newFile looks at the header of a file.
func newFile(r io.ReaderAt) (*file, error) {
	f := &file{ReaderAt: r, read: make(map[uint64]field)}
	return f, f.header()
}

func (f *file) header() error {
	const (
		keyed   = 1 << 2 // flags of what a reader has to know
		compact = 1 << 4
		known   = 1<<5 - 1
	)
	h, err := f.at(0, 120)
	if err != nil {
		return err
	}
	flags := binary.LittleEndian.Uint32(h[12:])
	f.compact = flags&compact != 0
	f.id = [2]uint64{le64(h[24:]), le64(h[32:])}
	f.sequence = [2]uint64{le64(h[72:]), le64(h[80:])}
	f.table, f.chains = le64(h[104:]), le64(h[112:])/16
	if string(h[:8]) != "LPKSHHRH" || flags&keyed == 0 || flags&^known != 0 || f.chains == 0 {
		return fmt.Errorf("header: %w", ErrForeign)
	}
	return nil
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// at reads n bytes, which are there until the next call.
func (f *file) at(offset, n uint64) ([]byte, error) {
	b := f.buf[:]
	if n > uint64(len(b)) {
		b = make([]byte, n)
	}
	got, err := f.pread(b[:n], offset)
	if err == nil && uint64(got) < n {
		err = ErrForeign
	}
	return b[:n], err
}

// pread reads as much as there is.
func (f *file) pread(b []byte, offset uint64) (int, error) {
	if int64(offset) < 0 {
		return 0, ErrForeign
	}
	n, err := f.ReadAt(b, int64(offset))
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// object reads the beginning of an object of a type, as much as fits into the buffer, and says how long it is.
func (f *file) object(offset uint64, kind byte, head uint64) (begin []byte, size uint64, err error) {
	n, err := f.pread(f.buf[:], offset)
	if err != nil {
		return nil, 0, err
	}
	if offset == 0 || offset%8 != 0 || uint64(n) < head || f.buf[0] != kind {
		return nil, 0, fmt.Errorf("object at %d: %w", offset, ErrForeign)
	}
	size = le64(f.buf[8:])
	if size < head || size > largest {
		return nil, 0, fmt.Errorf("object at %d of %d bytes: %w", offset, size, ErrForeign)
	}
	return f.buf[:min(uint64(n), size)], size, nil
}

// whole reads an object that may be longer than the buffer.
func (f *file) whole(offset uint64, kind byte, head uint64) ([]byte, error) {
	begin, size, err := f.object(offset, kind, head)
	if err != nil || uint64(len(begin)) == size {
		return begin, err
	}
	// Memory is taken only for what is there.
	var last [1]byte
	if n, err := f.pread(last[:], offset+size-1); err != nil || n == 0 {
		return nil, errors.Join(err, ErrForeign)
	}
	return f.at(offset, size)
}

func (f *file) dataHead() uint64 {
	if f.compact {
		return dataHead + 8
	}
	return dataHead
}

// find looks a field with its value up in the hash table. It returns the place of the data object and the list of the entries that
// have it; no place if there is none.
func (f *file) find(data string) (place uint64, l list, err error) {
	hash := unit.SipHash(f.id, data)
	b, err := f.at(f.table+hash%f.chains*16, 8)
	if err != nil {
		return 0, l, err
	}
	head := f.dataHead()
	for at := le64(b); at != 0; {
		b, size, err := f.object(at, dataObject, head)
		if err != nil {
			return 0, l, err
		}
		next := le64(b[24:])
		if le64(b[16:]) == hash {
			if b[1]&compressed != 0 {
				return 0, l, fmt.Errorf("data at %d is compressed: %w", at, ErrForeign)
			}
			if size == head+uint64(len(data)) && string(b[head:]) == data {
				return at, list{first: le64(b[40:]), arrays: le64(b[48:]), n: le64(b[56:])}, nil
			}
		}
		if next != 0 && next <= at {
			return 0, l, fmt.Errorf("hash chain at %d: %w", at, ErrForeign)
		}
		at = next
	}
	return 0, l, nil
}

// fieldAt reads the data object at a place: which of the names it has, and its value.
func (f *file) fieldAt(place uint64, names []string) (field, error) {
	if v, ok := f.read[place]; ok {
		return v, nil
	}
	head := f.dataHead()
	b, size, err := f.object(place, dataObject, head)
	if err != nil {
		return field{}, err
	}
	if b[1]&compressed != 0 {
		return field{}, fmt.Errorf("data at %d is compressed: %w", place, ErrForeign)
	}
	var v field
	for i, name := range names {
		if n := head + uint64(len(name)); uint64(len(b)) > n && string(b[head:n]) == name && b[n] == '=' {
			if uint64(len(b)) < size {
				if b, err = f.whole(place, dataObject, head); err != nil {
					return v, err
				}
			}
			v = field{i + 1, string(b[n+1:])}
			break
		}
	}
	f.read[place] = v
	return v, nil
}
