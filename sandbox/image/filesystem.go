package image

import (
	"encoding/binary"
	"io"
)

// fileSystem tells what file system there is, by the numbers that begin it, "" if it is none that is mounted from an image.
// What is on a disk may be an attack on the kernel, so that these are few.
func fileSystem(r io.ReaderAt) string {
	has := func(at int64, magic string) bool {
		b := make([]byte, len(magic))
		_, err := r.ReadAt(b, at)
		return err == nil && string(b) == magic
	}
	switch {
	case has(0, "LUKS\xba\xbe"):
		return encrypted
	case has(0, "XFSB"):
		return "xfs"
	case has(0, "hsqs"):
		return "squashfs"
	case has(0x10040, "_BHRfS_M"):
		return "btrfs"
	case has(1024, "\xe2\xe1\xf5\xe0"):
		return "erofs"
	case has(1024, "\x10\x20\xf5\xf2"):
		return "f2fs"
	case has(510, "\x55\xaa") && (has(82, "FAT32   ") || has(54, "FAT16   ") || has(54, "FAT12   ")):
		return "vfat"
	case has(1024+56, "\x53\xef"):
		return extended(r)
	}
	return ""
}

// encrypted is not a file system yet.
const encrypted = "crypto_LUKS"

// extended tells ext4 from its forerunners, which are not mounted from images, by features that only it has.
func extended(r io.ReaderAt) string {
	var b [12]byte
	if _, err := r.ReadAt(b[:], 1024+92); err != nil {
		return ""
	}
	const (
		oldIncompatible = 0x2 | 0x4 | 0x8 | 0x10 // filetype, recover, journal_dev, meta_bg
		oldReadOnly     = 0x1 | 0x2 | 0x4        // sparse_super, large_file, btree_dir
	)
	le := binary.LittleEndian
	if le.Uint32(b[4:])&^uint32(oldIncompatible) != 0 || le.Uint32(b[8:])&^uint32(oldReadOnly) != 0 {
		return "ext4"
	}
	return ""
}

// readOnlyAlways tells of file systems that cannot be written.
func readOnlyAlways(fs string) bool { return fs == "squashfs" || fs == "erofs" }

// quiet are the options that keep a file system from writing to its device though it is mounted read-only.
func quiet(fs string) string {
	switch fs {
	case "ext4", "xfs":
		return "norecovery"
	case "btrfs":
		return "rescue=nologreplay"
	}
	return ""
}
