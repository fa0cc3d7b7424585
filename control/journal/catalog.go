package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"sort"
)

// database is where the catalog of messages is, with what there is to say about them.
const database = "/var/lib/systemd/catalog/database"

// Undocumented tells by nil that the catalog names no documentation for the messages with an ID.
func Undocumented(id string) error {
	f, err := os.Open(database)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	return undocumented(f, id)
}

// undocumented looks into a catalog: a table ordered by the IDs, with the places of the texts, which begin with headers. The same message may have texts in
// several languages.
func undocumented(r io.ReaderAt, id string) error {
	const headSize, itemSize = 40, 56 // an item has an ID, a language in 32 bytes, and the place of its text
	key, err := hex.DecodeString(id)
	head := make([]byte, headSize)
	if _, failed := r.ReadAt(head, 0); failed != nil || err != nil || len(key) != 16 || string(head[:8]) != "RHHHKSLP" {
		return ErrForeign
	}
	start, n, size := le64(head[16:]), le64(head[24:]), le64(head[32:])
	if size < itemSize || size > 4096 || n > 1<<20 || start > 1<<20 {
		return ErrForeign
	}
	item := make([]byte, itemSize)
	get := func(i int) bool {
		if err == nil {
			_, err = r.ReadAt(item, int64(start+uint64(i)*size))
		}
		return err == nil
	}
	i := sort.Search(int(n), func(i int) bool { return !get(i) || bytes.Compare(item[:16], key) >= 0 })
	text := make([]byte, 4096)
	for ; i < int(n) && get(i) && bytes.Equal(item[:16], key); i++ {
		at := start + n*size + le64(item[48:])
		if int64(at) < 0 {
			return ErrForeign
		}
		k, failed := r.ReadAt(text, int64(at))
		if failed != nil && !errors.Is(failed, io.EOF) {
			return failed
		}
		if words, _, _ := bytes.Cut(text[:k], []byte{0}); bytes.Contains(words, []byte("Documentation:")) {
			return ErrForeign
		}
	}
	return err
}
