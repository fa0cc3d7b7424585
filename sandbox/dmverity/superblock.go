// Package dmverity has the kernel check what is read from a block device against a tree of hashes, as veritysetup(8) makes one: the kernel's
// admin-guide/device-mapper/verity, by the device mapper's own ioctls.
package dmverity

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoKernel is what the kernel lacks.
var ErrNoKernel = errors.New("the kernel has no device mapper with dm-verity")

// A Superblock is what a device with hashes begins with. Nothing vouches for it but that its numbers must lead to the root hash.
type Superblock struct {
	kind                 uint32
	algorithm            string
	dataBlock, hashBlock uint32 // in bytes
	blocks               uint64 // of data
	salt                 []byte
}

// algorithms are those that are taken, with the length of their hashes in bytes. One that is broken would protect nothing.
var algorithms = [...]struct {
	name   string
	length int
}{{"sha256", 32}, {"sha384", 48}, {"sha512", 64}}

// ReadSuperblock reads the superblock of a device with hashes for one of data with size bytes. What is wrong with it is EINVAL.
func ReadSuperblock(r io.ReaderAt, size int64) (s Superblock, err error) {
	var b [512]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return s, fmt.Errorf("read the superblock of hashes: %w", unix.EINVAL)
	}
	le := binary.LittleEndian
	length := le.Uint16(b[80:])
	name, _, _ := bytes.Cut(b[32:64], []byte{0})
	s = Superblock{kind: le.Uint32(b[12:]), algorithm: string(name), dataBlock: le.Uint32(b[64:]), hashBlock: le.Uint32(b[68:]), blocks: le.Uint64(b[72:])}
	switch {
	case string(b[:8]) != "verity\x00\x00" || le.Uint32(b[8:]) != 1 || s.kind > 1:
		err = errors.New("there is none")
	case s.length() == 0:
		err = errors.New("its hashes are none of SHA-256, SHA-384, SHA-512")
	case !blockSize(s.dataBlock) || !blockSize(s.hashBlock):
		err = errors.New("its blocks have a size that the kernel does not take")
	case s.blocks == 0 || size < 0 || s.blocks > uint64(size)/uint64(s.dataBlock):
		err = errors.New("it is of more data than there is")
	case length > 256:
		err = errors.New("its salt is too long")
	}
	if err != nil {
		return s, fmt.Errorf("read the superblock of hashes: %w: %w", err, unix.EINVAL)
	}
	s.salt = slices.Clone(b[88 : 88+length])
	return s, nil
}

// length is how long hashes are, 0 if they are not known.
func (s *Superblock) length() int {
	for _, a := range algorithms {
		if a.name == s.algorithm {
			return a.length
		}
	}
	return 0
}

func blockSize(n uint32) bool { return n >= 512 && n <= 4096 && n&(n-1) == 0 }

// table is the line that the kernel takes, for two devices.
func (s *Superblock) table(data, hashes uint64, root []byte, key string) string {
	number := func(n uint64) string {
		return strconv.FormatUint(uint64(unix.Major(n)), 10) + ":" + strconv.FormatUint(uint64(unix.Minor(n)), 10)
	}
	salt := "-"
	if len(s.salt) > 0 {
		salt = hex.EncodeToString(s.salt)
	}
	l := []string{strconv.Itoa(int(s.kind)), number(data), number(hashes), strconv.Itoa(int(s.dataBlock)), strconv.Itoa(int(s.hashBlock)),
		strconv.FormatUint(s.blocks, 10), "1", s.algorithm, hex.EncodeToString(root), salt} // the hashes begin in the block after the superblock's
	if key != "" {
		l = append(l, "2", "root_hash_sig_key_desc", key)
	}
	return strings.Join(l, " ")
}

// Open makes a device of the data that block devices hold, checked against a root hash, and, unless that is nil, the root hash against a
// signature, PKCS#7, by the keys that the kernel knows. The device is gone when nobody has it open any more. The calling thread must be locked.
func (s *Superblock) Open(data, hashes *os.File, root, signature []byte) (*os.File, error) {
	if len(root) != s.length() {
		return nil, fmt.Errorf("a root hash of %d bytes: %w", len(root), unix.EINVAL)
	}
	var numbers [2]uint64
	for i, f := range []*os.File{data, hashes} {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return nil, err
		}
		numbers[i] = uint64(st.Rdev)
	}
	m, err := openMapper()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	key := ""
	if signature != nil {
		key = "ctl:" + m.name
		id, err := unix.AddKey("user", key, signature, unix.KEY_SPEC_THREAD_KEYRING)
		if err != nil {
			return nil, fmt.Errorf("give the kernel a signature: %w", err)
		}
		defer func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_THREAD_KEYRING, 0, 0) }()
	}
	f, err := m.device(s.blocks*uint64(s.dataBlock)/512, s.table(numbers[0], numbers[1], root, key))
	if err != nil {
		return nil, err
	}
	// A wrong root hash is told by the first thing that is read.
	if _, err := f.ReadAt(make([]byte, s.dataBlock), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("read: %w", unix.EIO)
	}
	return f, nil
}
