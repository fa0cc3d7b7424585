package namespace

import (
	"errors"

	"golang.org/x/sys/unix"

	"ctl/sandbox/mount"
)

// A change is what attributes of a mount become.
type change struct{ set, clear uint64 }

func (c *change) to(attr uint64, on bool) {
	if on {
		c.set |= attr
		c.clear &^= attr
	} else {
		c.clear |= attr
		c.set &^= attr
	}
}

// attributes makes mounts read-only, not executable and so on: what is mounted at a path, and below it as far as nothing else is said there.
func (b *builder) attributes() error {
	l, err := b.below()
	if err != nil {
		return &Error{Err: err}
	}
	for i := range l {
		var c change
		if l[i].Type == "autofs" {
			continue
		}
		b.decide(l[i].Point, &c)
		if c == (change{}) {
			continue
		}
		if err := b.change(l[i].Point, c); err != nil {
			return &Error{Path: l[i].Point, Err: err}
		}
	}
	return nil
}

// decide says what becomes of a mount at a path: those of the list that are at it or next above it say so.
func (b *builder) decide(p string, c *change) {
	nearest := ""
	for i := range b.mounts {
		m := &b.mounts[i]
		if _, in := below(p, m.Path); in && len(m.Path) > len(nearest) {
			nearest = m.Path
		}
	}
	for i := range b.mounts {
		m := &b.mounts[i]
		at := m.Path == p
		if _, in := below(p, m.Path); !in || !m.made || m.left || !at && !m.deep() {
			continue
		}
		if b.p.NoSUID {
			c.to(unix.MOUNT_ATTR_NOSUID, true)
		}
		if m.Path != nearest {
			continue
		}
		if m.readOnly() || at && m.Kind == PrivateDev {
			c.to(unix.MOUNT_ATTR_RDONLY, true)
		}
		if m.NoSUID && (at || m.readOnly()) {
			c.to(unix.MOUNT_ATTR_NOSUID, true)
		}
		if m.noExec() || m.exec() {
			c.to(unix.MOUNT_ATTR_NOEXEC, m.noExec())
		}
	}
}

// deep tells whether attributes are those of what is mounted below too.
func (m *Mount) deep() bool { return m.Kind != Tmpfs && m.Kind != Run }

// change changes the mount at a path, if it is not covered by another.
func (b *builder) change(p string, c change) error {
	fd, err := b.root.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || b.q.User && errors.Is(err, unix.EACCES) { // out of the user's reach
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, top, err := mount.Is(fd); err != nil || !top {
		return err
	}
	return mount.Change(fd, c.set, c.clear, false)
}
