package journal

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A list is the entries that have a field: the first one, and arrays with the others.
type list struct {
	first, arrays uint64 // where those are
	n             uint64
}

// An array is a part of a list.
type array struct {
	at    uint64 // of its first item
	start uint64 // how many entries are before it
}

// A cursor goes through the entries of a file that have all of some fields, from the last one back.
type cursor struct {
	f      *file
	list   list     // of the field that is in the fewest entries
	others []uint64 // the places of the other fields
	since  uint64   // where the first entry is that may count
	arrays []array
	at     uint64 // of the entry that was seen last
	entry  Entry
}

// cursor makes a cursor for fields. Where one of them is in no entry there is none.
func (f *file) cursor(fields []string) (*cursor, error) {
	c := &cursor{f: f}
	var rarest uint64
	for _, data := range fields {
		place, l, err := f.find(data)
		if err != nil || place == 0 || l.n == 0 {
			return nil, err
		}
		c.others = append(c.others, place)
		c.since = max(c.since, l.first) // entries are added at the end, so no earlier one has it
		if rarest == 0 || l.n < c.list.n {
			rarest, c.list = place, l
		}
	}
	c.others = slices.DeleteFunc(c.others, func(place uint64) bool { return place == rarest })
	return c, c.index()
}

// itemSize is how many bytes the place of an object takes in a list.
func (f *file) itemSize() uint64 {
	if f.compact {
		return 4
	}
	return 8
}

func (f *file) item(b []byte) uint64 {
	if f.compact {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return le64(b)
}

// index finds the arrays of the list.
func (c *cursor) index() error {
	start := uint64(1)
	for at := c.list.arrays; at != 0 && start < c.list.n; {
		b, size, err := c.f.object(at, arrayObject, arrayHead)
		if err != nil {
			return err
		}
		c.arrays = append(c.arrays, array{at + arrayHead, start})
		start += (size - arrayHead) / c.f.itemSize()
		next := le64(b[16:])
		if next != 0 && next <= at {
			return fmt.Errorf("array at %d: %w", at, ErrForeign)
		}
		at = next
	}
	c.list.n = min(c.list.n, start) // an array that is not there yet
	return nil
}

// previous goes to the entry before. It returns false when there is none.
func (c *cursor) previous() (bool, error) {
	for c.list.n > 0 {
		c.list.n--
		at := c.list.first
		if c.list.n > 0 {
			for c.arrays[len(c.arrays)-1].start > c.list.n {
				c.arrays = c.arrays[:len(c.arrays)-1]
			}
			a := c.arrays[len(c.arrays)-1]
			b, err := c.f.at(a.at+(c.list.n-a.start)*c.f.itemSize(), c.f.itemSize())
			if err != nil {
				return false, err
			}
			if at = c.f.item(b); at == 0 {
				continue // it is not written yet
			}
		}
		if c.at != 0 && at >= c.at {
			return false, fmt.Errorf("entry at %d before %d: %w", at, c.at, ErrForeign)
		}
		if at < c.since {
			return false, nil
		}
		c.at = at
		if ok, err := c.look(); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// look reads the entry and tells whether it has the other fields too.
func (c *cursor) look() (bool, error) {
	b, err := c.f.whole(c.at, entryObject, entryHead)
	if err != nil {
		return false, err
	}
	step := c.f.itemSize()
	if !c.f.compact {
		step = 16 // with a hash
	}
	items := make([]uint64, 0, (len(b)-entryHead)/int(step))
	for i := uint64(entryHead); i+step <= uint64(len(b)); i += step {
		items = append(items, c.f.item(b[i:]))
	}
	for _, place := range c.others {
		if !slices.Contains(items, place) {
			return false, nil
		}
	}
	c.entry = Entry{Realtime: le64(b[24:]), Monotonic: le64(b[32:]), number: le64(b[16:]), hash: le64(b[56:]), file: c.f, items: items}
	return true, nil
}
