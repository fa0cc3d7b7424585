package image

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"syscall"
	"testing"
)

// disk is a disk of 64 sectors with a GUID partition table by the UEFI specification, whose partitions are from and to sectors.
func disk(partitions ...[2]uint64) []byte {
	const sector, sectors, count = 512, 64, 4
	d := make([]byte, sectors*sector)
	le := binary.LittleEndian
	d[446+4] = 0xee
	le.PutUint32(d[446+8:], 1)
	le.PutUint32(d[446+12:], sectors-1)
	d[510], d[511] = 0x55, 0xaa
	table := d[2*sector : 2*sector+count*128]
	for i, p := range partitions {
		e := table[i*128:]
		copy(e, "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4")
		e[16] = byte(i + 1)
		le.PutUint64(e[32:], p[0])
		le.PutUint64(e[40:], p[1])
		copy(e[56:], "r\x00o\x00")
	}
	for _, at := range []uint64{1, sectors - 1} {
		h := d[at*sector : at*sector+92]
		copy(h, "EFI PART\x00\x00\x01\x00\x5c\x00\x00\x00")
		le.PutUint64(h[24:], at)
		le.PutUint64(h[32:], sectors-at)
		le.PutUint64(h[40:], 3)
		le.PutUint64(h[48:], sectors-2)
		le.PutUint64(h[72:], 2)
		le.PutUint32(h[80:], count)
		le.PutUint32(h[84:], 128)
		le.PutUint32(h[88:], crc32.ChecksumIEEE(table))
		le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	}
	return d
}

func TestTable(t *testing.T) {
	read := func(d []byte) ([]partition, bool) { return readGPT(bytes.NewReader(d), int64(len(d))) }
	good := disk([2]uint64{3, 9}, [2]uint64{10, 20})
	l, ok := read(good)
	if !ok || len(l) != 2 || l[0].start != 3*512 || l[0].end != 10*512 || l[1].label != "ro" || typeID(l[0].kind) != generic {
		t.Fatalf("%+v %v", l, ok)
	}
	good[512+16]++ // a sum of the first header
	if l, ok := read(good); !ok || len(l) != 2 {
		t.Errorf("the second header is not read: %+v", l)
	}
	for name, d := range map[string][]byte{
		"overlapping":  disk([2]uint64{3, 9}, [2]uint64{9, 20}),
		"outside":      disk([2]uint64{3, 64}),
		"below":        disk([2]uint64{2, 9}),
		"backwards":    disk([2]uint64{9, 3}),
		"cut":          disk([2]uint64{3, 9})[:40*512],
		"very much so": disk([2]uint64{3, 9})[:700],
		"a wrap":       disk([2]uint64{3, 1<<64 - 1}),
	} {
		if l, ok := read(d); ok {
			t.Errorf("%s: taken for %+v", name, l)
		}
	}
}

func TestPartitionType(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/disk")
	if err == nil {
		_, err = f.Write(disk([2]uint64{3, 9}, [2]uint64{10, 20}))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if kind, err := PartitionType(f, 10*512); kind != generic || err != nil {
		t.Error(kind, err)
	}
	if kind, err := PartitionType(f, 11*512); err != syscall.ENOENT {
		t.Error(kind, err)
	}
}

// FuzzDissect: whatever an image says, what is found lies in it.
func FuzzDissect(f *testing.F) {
	f.Add(disk([2]uint64{3, 9}, [2]uint64{10, 20}))
	f.Add([]byte("hsqs"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, d []byte) {
		r := bytes.NewReader(d)
		fileSystem(r)
		masterRecord(r)
		l, ok := readGPT(r, int64(len(d)))
		for _, p := range l {
			if !ok || p.start < 0 || p.end <= p.start || p.end > int64(len(d)) {
				t.Errorf("%+v %v", p, ok)
			}
		}
	})
}
