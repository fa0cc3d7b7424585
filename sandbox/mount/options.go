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
	{"noatime", unix.MOUNT_ATTR_NOATIME, 0}, {"atime", 0, unix.MOUNT_ATTR_NOATIME}, {"relatime", 0, 0}, {"norelatime", 0, 0},
	{"strictatime", unix.MOUNT_ATTR_STRICTATIME, 0}, {"nostrictatime", 0, unix.MOUNT_ATTR_STRICTATIME},
	{"nodiratime", unix.MOUNT_ATTR_NODIRATIME, 0}, {"diratime", 0, unix.MOUNT_ATTR_NODIRATIME},
	{"nosymfollow", unix.MOUNT_ATTR_NOSYMFOLLOW, 0}, {"symfollow", 0, unix.MOUNT_ATTR_NOSYMFOLLOW}, {"defaults", 0, 0},
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
	if attr&unix.MOUNT_ATTR_STRICTATIME != 0 { // the two exclude each other, and this one counts, mount(2)
		attr &^= unix.MOUNT_ATTR_NOATIME
	}
	return attr, rest
}
