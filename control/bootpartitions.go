package control

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf16"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/unit"
	"ctl/sandbox/image"
)

// A bootPartition is a kind of partition on which boot loaders find kernels.
type bootPartition struct {
	name    string   // in messages and variables
	places  []string // where it is mounted
	fat     bool     // its file system is one that EFI reads
	gpt     string   // its type in a GUID partition table
	classic byte     // and in the classic one, 0 for none
}

// bootPartitions are the roots of the EFI system partition and, if there is one, of the extended boot loader partition. ENOKEY: there is no former.
func (c *Call) bootPartitions() ([]string, error) {
	system, dev, err := c.findBootPartition(bootPartition{"ESP", []string{"/efi", "/boot", "/boot/efi"}, true, "c12a7328f81f11d2ba4b00a0c93ec93b", 0})
	if err != nil {
		return nil, err
	}
	const extended = 0xea
	more, other, err := c.findBootPartition(bootPartition{"XBOOTLDR", []string{"/boot"}, false, "bc13c2ff59e64262a352b275fd6f7172", extended})
	switch {
	case err == syscall.ENOKEY, err == nil && dev != 0 && dev == other:
		return []string{system}, nil
	case err != nil:
		return nil, err
	}
	return []string{system, more}, nil
}

// findBootPartition is where a partition is mounted. What the environment names is taken as it is.
func (c *Call) findBootPartition(p bootPartition) (root string, dev uint64, err error) {
	variable := "SYSTEMD_" + p.name + "_PATH"
	if named, given := c.env.LookUp(variable); given {
		if named == "" || named[0] != '/' {
			return "", 0, cli.Usage("$" + variable + ` does not refer to an absolute path, refusing to use it: "` + named + `"`)
		}
		root, err := filepath.EvalSymlinks(named)
		if err != nil {
			return "", 0, Failure{`resolve path "` + named + `"`, err}
		}
		i, err := os.Stat(root)
		if err != nil {
			return "", 0, Failure{`resolve path "` + named + `"`, err}
		}
		if !i.IsDir() {
			return "", 0, cli.Usage(p.name + " path '" + root + "' is not a directory.")
		}
		return root, sys.InodeOf(i).Dev, nil
	}
	relaxed, _ := unit.Boolean(c.Getenv("SYSTEMD_RELAX_" + p.name + "_CHECKS"))
	for _, dir := range p.places {
		i, err := os.Lstat(dir)
		switch {
		case err != nil || !i.IsDir():
			continue
		case relaxed:
			return dir, 0, nil
		case !sys.IsMountRoot(dir) || p.fat && !sys.IsFAT(dir):
			continue
		case c.Where.Container() != "":
			return dir, 0, nil // there are no devices to look at
		}
		if dev := sys.InodeOf(i).Dev; p.isOn(sys.BlockDevice(dev)) {
			return dir, dev, nil
		}
	}
	return "", 0, syscall.ENOKEY
}

// isOn tells whether a device is a partition of that kind.
func (p bootPartition) isOn(device string) bool {
	partition, err := filepath.EvalSymlinks(device) // below its disk
	if err != nil {
		return false
	}
	number := func(name string) int64 {
		b, _ := os.ReadFile(partition + "/" + name)
		n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		return n
	}
	nth := number("partition")
	if nth == 0 {
		return false
	}
	disk, err := os.Open("/dev/" + filepath.Base(filepath.Dir(partition)))
	if err != nil {
		return false
	}
	defer disk.Close()
	const sector = 512 // of what sysfs counts in
	if kind, err := image.PartitionType(disk, number("start")*sector); err == nil {
		return kind == p.gpt
	}
	return p.classic != 0 && classicType(disk, nth) == p.classic
}

// classicType is the type of one of the four primary partitions of a disk.
func classicType(disk *os.File, nth int64) byte {
	const primary, table, entry, kind = 4, 446, 16, 4
	b := make([]byte, 1)
	if nth > primary {
		return 0
	}
	_, _ = disk.ReadAt(b, table+(nth-1)*entry+kind)
	return b[0]
}

// onEFI tells whether the machine was started by EFI, and is not a container.
func (c *Call) onEFI() bool {
	if c.Where.Container() != "" {
		return false
	}
	_, err := os.Stat("/sys/firmware/efi/")
	return err == nil
}

// loaderVariable is a variable of the Boot Loader Interface, "" without EFI.
func (c *Call) loaderVariable(name string) string {
	if !c.onEFI() {
		return ""
	}
	const vendor, attributes = "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", 4 // bytes before the value
	b, err := os.ReadFile("/sys/firmware/efi/efivars/" + name + vendor)
	if err != nil || len(b) < attributes {
		return ""
	}
	var text []uint16
	for b = b[attributes:]; len(b) > 1; b = b[2:] {
		text = append(text, binary.LittleEndian.Uint16(b))
	}
	value, _, _ := strings.Cut(string(utf16.Decode(text)), "\x00")
	return value
}
