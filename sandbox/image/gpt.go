package image

import (
	"encoding/binary"
	"io"
	"os"
	"slices"
	"syscall"
	"unicode/utf16"
)

// A partition is an entry of a partition table.
type partition struct {
	kind       [16]byte // of a GUID partition table, as on the disk
	id         [16]byte // its own
	label      string
	start, end int64 // in bytes; the end is not its own
	flags      uint64
}

// Flags of partitions, of the Discoverable Partitions Specification.
const (
	flagReadOnly = 1 << 60
	flagNoAuto   = 1 << 63
)

// Limits that no honest image comes near.
const (
	maxPartitions = 1024
	maxEntry      = 4096
)

// protectiveType is the type of the partition in a master boot record that says that the disk has a GUID partition table.
const protectiveType = 0xee

// readGPT reads a GUID partition table, UEFI specification 5.3, of an image with size bytes: the first one or, if that is damaged, the
// one at the end. Sectors of 512 to 4096 bytes are tried.
func readGPT(r io.ReaderAt, size int64) ([]partition, bool) {
	for sector := int64(512); sector <= 4096; sector *= 2 {
		for _, at := range [...]int64{sector, size/sector*sector - sector} {
			if l, ok := readTable(r, size, sector, at); ok {
				return l, true
			}
		}
	}
	return nil, false
}

// readTable reads the table whose header is at a place. One of which anything is wrong is none.
func readTable(r io.ReaderAt, size, sector, at int64) ([]partition, bool) {
	h := make([]byte, sector)
	if at < sector {
		return nil, false
	}
	if _, err := r.ReadAt(h, at); err != nil {
		return nil, false
	}
	le := binary.LittleEndian
	length := le.Uint32(h[12:])
	if string(h[:8]) != "EFI PART" || length < 92 || int64(length) > sector || int64(le.Uint64(h[24:])) != at/sector {
		return nil, false
	}
	sum := le.Uint32(h[16:])
	le.PutUint32(h[16:], 0)
	if checksum(h[:length]) != sum {
		return nil, false
	}
	sectors := uint64(size / sector)
	first, last := le.Uint64(h[40:]), le.Uint64(h[48:])
	table, count, entry := le.Uint64(h[72:]), le.Uint32(h[80:]), le.Uint32(h[84:])
	if first > last || last >= sectors || table >= sectors || count == 0 || count > maxPartitions || entry < 128 || entry > maxEntry {
		return nil, false
	}
	data := make([]byte, int(count)*int(entry))
	if _, err := r.ReadAt(data, int64(table)*sector); err != nil {
		return nil, false
	}
	if checksum(data) != le.Uint32(h[88:]) {
		return nil, false
	}
	var l []partition
	for e := range slices.Chunk(data, int(entry)) {
		p := partition{kind: [16]byte(e), id: [16]byte(e[16:]), flags: le.Uint64(e[48:])}
		if p.kind == [16]byte{} {
			continue
		}
		from, to := le.Uint64(e[32:]), le.Uint64(e[40:])
		if from < first || to > last || from > to {
			return nil, false
		}
		p.start, p.end = int64(from)*sector, int64(to+1)*sector
		var name []uint16
		for i := 56; i < 128; i += 2 {
			c := le.Uint16(e[i:])
			if c == 0 {
				break
			}
			name = append(name, c)
		}
		p.label = string(utf16.Decode(name))
		for _, other := range l {
			if p.start < other.end && other.start < p.end {
				return nil, false
			}
		}
		l = append(l, p)
	}
	return l, true
}

// checksum is the CRC-32 of the UEFI specification. The package hash/crc32 makes a table whenever the program starts, whatever for.
func checksum(b []byte) uint32 {
	const polynomial = 0xedb88320
	sum := ^uint32(0)
	for _, c := range b {
		sum ^= uint32(c)
		for range 8 {
			sum = sum>>1 ^ polynomial&-(sum&1)
		}
	}
	return ^sum
}

// A masterEntry is one of the four partitions of a master boot record.
type masterEntry struct {
	boot       bool
	kind       byte
	start, end int64
}

// masterRecord reads a master boot record, nil if there is none.
func masterRecord(r io.ReaderAt) []masterEntry {
	var b [512]byte
	if _, err := r.ReadAt(b[:], 0); err != nil || b[510] != 0x55 || b[511] != 0xaa {
		return nil
	}
	var l []masterEntry
	for e := range slices.Chunk(b[446:510], 16) {
		if e[4] == 0 || e[0]&0x7f != 0 { // unused, or no table at all
			continue
		}
		start := int64(binary.LittleEndian.Uint32(e[8:])) * 512
		l = append(l, masterEntry{e[0] == 0x80, e[4], start, start + int64(binary.LittleEndian.Uint32(e[12:]))*512})
	}
	return l
}

// PartitionType is the type of the partition that begins at that byte of a disk, in hexadecimal digits. ENOENT: it is in no GUID partition table.
func PartitionType(disk *os.File, start int64) (string, error) {
	size, err := disk.Seek(0, io.SeekEnd)
	if err != nil {
		return "", err
	}
	l, _ := readGPT(disk, size)
	for _, p := range l {
		if p.start == start {
			return typeID(p.kind), nil
		}
	}
	return "", syscall.ENOENT
}
