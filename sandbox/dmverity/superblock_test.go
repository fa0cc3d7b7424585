package dmverity

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// superblock is one as veritysetup(8) describes it, of 100 blocks.
func superblock() []byte {
	b := make([]byte, 512)
	copy(b, "verity")
	le := binary.LittleEndian
	le.PutUint32(b[8:], 1)
	le.PutUint32(b[12:], 1)
	copy(b[32:], "sha256")
	le.PutUint32(b[64:], 4096)
	le.PutUint32(b[68:], 4096)
	le.PutUint64(b[72:], 100)
	le.PutUint16(b[80:], 2)
	copy(b[88:], "\xab\xcd")
	return b
}

func TestSuperblock(t *testing.T) {
	const size = 100 * 4096
	s, err := ReadSuperblock(bytes.NewReader(superblock()), size)
	if err != nil {
		t.Fatal(err)
	}
	line := s.table(7<<8|1, 7<<8|2, bytes.Repeat([]byte{0x11}, 32), "k")
	if want := "1 7:1 7:2 4096 4096 100 1 sha256 " + strings.Repeat("11", 32) + " abcd 2 root_hash_sig_key_desc k"; line != want {
		t.Errorf("%q, not %q", line, want)
	}
	le := binary.LittleEndian
	for what, spoil := range map[string]func(b []byte){
		"no superblock":       func(b []byte) { b[0] = 'V' },
		"a later version":     func(b []byte) { b[8] = 2 },
		"a word more":         func(b []byte) { copy(b[32:], "sha256 - 1 panic") },
		"no algorithm":        func(b []byte) { clear(b[32:64]) },
		"a broken one":        func(b []byte) { copy(b[32:], "md5\x00\x00\x00") },
		"an odd block":        func(b []byte) { le.PutUint32(b[64:], 4095) },
		"no block":            func(b []byte) { le.PutUint32(b[68:], 0) },
		"a large block":       func(b []byte) { le.PutUint32(b[64:], 1<<31) },
		"more than there is":  func(b []byte) { le.PutUint64(b[72:], 101) },
		"much more":           func(b []byte) { le.PutUint64(b[72:], 1<<63) },
		"nothing":             func(b []byte) { le.PutUint64(b[72:], 0) },
		"more salt than fits": func(b []byte) { le.PutUint16(b[80:], 257) },
	} {
		b := superblock()
		spoil(b)
		if _, err := ReadSuperblock(bytes.NewReader(b), size); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ReadSuperblock(bytes.NewReader(superblock()[:300]), size); !errors.Is(err, unix.EINVAL) {
		t.Error("a short one is taken")
	}
}
