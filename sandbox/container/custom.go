package container

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// custom makes a mount that the caller asked for.
func (b *builder) custom(m *Custom) error {
	switch m.Kind {
	case Tmpfs:
		return b.customTmpfs(m)
	case Overlay:
		return b.customOverlay(m)
	case Inaccessible:
		return b.hide(m)
	}
	from, err := b.open(m.Source, m.InTree)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	fd, err := cloneMount(from, "", !m.Shallow)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if m.Map != NoMap {
		if err := b.mapCustom(m, fd, from); err != nil {
			return fmt.Errorf("map owners: %w", err)
		}
	}
	attr := uint64(0)
	if m.ReadOnly {
		attr |= readOnly
	}
	if b.c.Limit.Hardened && deviceOf(from) == 0 {
		attr |= noDev
	}
	if attr != 0 {
		if err := setAttributes(fd, attr, true); err != nil {
			return err
		}
	}
	return b.attachOn(fd, from, m.Target)
}

// open opens a source, of the host or of the tree.
func (b *builder) open(path string, inTree bool) (int, error) {
	if inTree {
		return b.root.Handle(path, unix.O_PATH)
	}
	return unix.FcntlInt(uintptr(b.from[path]), unix.F_DUPFD_CLOEXEC, 0)
}

// mountOptions are options of mount(8) that are attributes of a mount.
var mountOptions = [...]struct {
	name  string
	set   uint64
	clear uint64
}{
	{"ro", readOnly, 0}, {"rw", 0, readOnly}, {"nosuid", noSuid, 0}, {"suid", 0, noSuid}, {"nodev", noDev, 0}, {"dev", 0, noDev},
	{"noexec", noExec, 0}, {"exec", 0, noExec}, {"noatime", unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME},
	{"relatime", unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME}, {"strictatime", strict, unix.MOUNT_ATTR__ATIME},
	{"nodiratime", unix.MOUNT_ATTR_NODIRATIME, 0}, {"defaults", 0, 0},
}

// splitOptions parts options as mount(8) takes them into those of the mount and those of the file system.
func splitOptions(options string, attr uint64) (uint64, []string) {
	var rest []string
next:
	for o := range strings.SplitSeq(options, ",") {
		if o == "" {
			continue
		}
		for _, m := range mountOptions {
			if m.name == o {
				attr = attr&^m.clear | m.set
				continue next
			}
		}
		rest = append(rest, o)
	}
	return attr, rest
}

func (b *builder) customTmpfs(m *Custom) error {
	attr, options := splitOptions(m.Options, private|strict)
	fd, err := newMount("tmpfs", "", b.c.owned(options...), attr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return b.attachAt(fd, m.Target)
}

// customOverlay lays directories over each other; the last of them takes the changes, if there is a work directory.
func (b *builder) customOverlay(m *Custom) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	// A path of a file descriptor has no characters that the option would need to have escaped, and is what was checked.
	path := func(p string) (string, error) {
		rest, inTree := strings.CutPrefix(p, "+")
		fd, err := b.open(rest, inTree)
		if err != nil {
			return "", err
		}
		fds = append(fds, fd)
		return fdPath(fd), nil
	}
	var lower []string
	for i := range m.Lower { // the option has the highest first
		p, err := path(m.Lower[len(m.Lower)-1-i])
		if err != nil {
			return err
		}
		lower = append(lower, p)
	}
	options := []string{"lowerdir=" + strings.Join(lower, ":")}
	if !m.ReadOnly {
		upper, err := path(m.Source)
		if err != nil {
			return err
		}
		work, err := path(m.Work)
		if err != nil {
			return err
		}
		options = append(options, "upperdir="+upper, "workdir="+work)
	}
	fd, err := newMount("overlay", "overlay", options, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if m.ReadOnly {
		if err := setAttributes(fd, readOnly, false); err != nil {
			return err
		}
	}
	return b.attachAt(fd, m.Target)
}

// hide puts something of the same kind over the target that nobody can open.
func (b *builder) hide(m *Custom) error {
	place, err := b.root.Handle(m.Target, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return err
	}
	name := map[uint32]string{unix.S_IFREG: "reg", unix.S_IFDIR: "dir", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "sock",
		unix.S_IFCHR: "chr", unix.S_IFBLK: "blk"}[st.Mode&unix.S_IFMT]
	from, err := b.root.Handle(inaccessible+"/"+name, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) { // devices that lead nowhere cannot always be made
		from, err = b.root.Handle(inaccessible+"/sock", unix.O_PATH)
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	fd, err := cloneMount(from, "", false)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := setAttributes(fd, locked, false); err != nil {
		return err
	}
	return attach(fd, place)
}
