package container

import (
	"path"

	"golang.org/x/sys/unix"

	"ctl/sandbox/cgroup"
)

// deviceOf is the number of the device that is open as fd, 0 if that is no device.
func deviceOf(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR && st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0
	}
	return st.Rdev
}

// RestrictDevices lets the processes of a cgroup, a directory of the unified hierarchy, use no devices but those that every container
// has and those that are mounted into this one.
func (c *Container) RestrictDevices(group string) error {
	devices := append(cgroup.Usual(), cgroup.Device{Kind: cgroup.Char, Major: 5, Minor: 1, Access: cgroup.All}) // the console
	more := func(rdev uint64) {
		for _, kind := range [...]uint32{cgroup.Block, cgroup.Char} {
			devices = append(devices, cgroup.Device{Kind: kind, Major: int32(unix.Major(rdev)), Minor: int32(unix.Minor(rdev)), Access: cgroup.All})
		}
	}
	for i := range c.Mounts {
		if m := &c.Mounts[i]; m.Kind == Bind && !m.InTree {
			var st unix.Stat_t
			if unix.Stat(m.Source, &st) == nil && st.Rdev != 0 {
				more(st.Rdev)
			}
		}
	}
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Device != 0 {
			more(uint64(n.Device))
		}
	}
	return (&cgroup.Group{Path: group}).RestrictDevices(devices)
}

// extra makes a device or fifo that the caller asked for, in a directory that is there.
func (b *builder) extra(n *DeviceNode) error {
	d, err := b.root.OpenDir(path.Dir(n.Path))
	if err != nil {
		return err
	}
	defer d.Close()
	return b.asOwner(func() error {
		name := path.Base(n.Path)
		if err := unix.Mknodat(d.Fd(), name, n.Mode, n.Device); err != nil {
			return err
		}
		s := b.c.shift()
		return unix.Fchownat(d.Fd(), name, s+int(n.UID), s+int(n.GID), unix.AT_SYMLINK_NOFOLLOW)
	})
}
