package mount

import (
	"strings"

	"golang.org/x/sys/unix"
)

// attributes are options of mount(8) that are attributes of a mount.
var attributes = [...]struct {
	name  string
	set   uint64
	clear uint64
}{
	{"ro", unix.MOUNT_ATTR_RDONLY, 0}, {"rw", 0, unix.MOUNT_ATTR_RDONLY}, {"nosuid", unix.MOUNT_ATTR_NOSUID, 0}, {"suid", 0, unix.MOUNT_ATTR_NOSUID},
	{"nodev", unix.MOUNT_ATTR_NODEV, 0}, {"dev", 0, unix.MOUNT_ATTR_NODEV}, {"noexec", unix.MOUNT_ATTR_NOEXEC, 0}, {"exec", 0, unix.MOUNT_ATTR_NOEXEC},
	{"noatime", 0, 0}, {"relatime", 0, 0}, {"strictatime", 0, 0}, // the last always holds
	{"nodiratime", unix.MOUNT_ATTR_NODIRATIME, 0}, {"defaults", 0, 0},
}

// Split parts options as mount(8) takes them into those of the mount, added to attr, and those of the file system.
func Split(options string, attr uint64) (uint64, []string) {
	var rest []string
next:
	for o := range strings.SplitSeq(options, ",") {
		if o == "" {
			continue
		}
		for _, a := range attributes {
			if a.name == o {
				attr = attr&^a.clear | a.set
				continue next
			}
		}
		rest = append(rest, o)
	}
	return attr, rest
}
