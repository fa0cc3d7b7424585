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

// decide says what becomes of a mount at a path: the mount of the list at it or next above it says so, and what is deeper than that has its own.
func (b *builder) decide(p string, c *change) {
	var m *Mount
	for i := range b.mounts {
		e := &b.mounts[i]
		if _, in := below(p, e.Path); !in {
			continue
		}
		if m == nil || len(e.Path) >= len(m.Path) {
			m = e
		}
		if b.p.NoSUID && e.made && (e.deep() || e.Path == p) {
			c.to(unix.MOUNT_ATTR_NOSUID, true)
		}
	}
	if m == nil || !m.made {
		return
	}
	at := m.Path == p
	if m.readOnly() && (at || m.deep()) || at && m.Kind == PrivateDev {
		c.to(unix.MOUNT_ATTR_RDONLY, true)
	}
	if m.NoSUID && (at || m.readOnly() && m.deep()) {
		c.to(unix.MOUNT_ATTR_NOSUID, true)
	}
	if (m.noExec() || m.exec()) && (at || m.deep()) {
		c.to(unix.MOUNT_ATTR_NOEXEC, m.noExec())
	}
}

// deep tells whether attributes are those of what is mounted below too.
func (m *Mount) deep() bool { return m.Kind != Tmpfs && m.Kind != Run && m.Kind != PrivateDev }

// change changes the mount at a path, if it is not covered by another.
func (b *builder) change(p string, c change) error {
	fd, err := b.root.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
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
