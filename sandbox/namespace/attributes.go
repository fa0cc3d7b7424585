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

// decide says what becomes of a mount at a path.
func (b *builder) decide(p string, c *change) {
	nearest := b.nearest(p, func(*Mount) bool { return true })
	if m := nearest; m != nil {
		at := m.Path == p
		if (m.readOnly() && m.deep() || at && (m.readOnly() || m.Kind == PrivateDev)) && m.made {
			c.to(unix.MOUNT_ATTR_RDONLY, true)
		}
		if m.NoSUID && m.made && (at || m.readOnly() && m.deep()) {
			c.to(unix.MOUNT_ATTR_NOSUID, true)
		}
	}
	// What says nothing about execution does not end what is said further up.
	says := func(m *Mount) bool { return m.Kind == Exec || m.Kind == NoExec }
	last := b.nearest(p, says)
	for i := range b.mounts {
		m := &b.mounts[i]
		if !m.made || !m.noExec() && !m.exec() {
			continue
		}
		if _, in := below(p, m.Path); !in || p != m.Path && !m.deep() {
			continue
		}
		if last != nil && last != m && len(last.Path) > len(m.Path) {
			continue
		}
		c.to(unix.MOUNT_ATTR_NOEXEC, m.noExec())
	}
	if b.p.NoSUID {
		c.to(unix.MOUNT_ATTR_NOSUID, true)
	}
}

// deep tells whether attributes are those of what is mounted below too.
func (m *Mount) deep() bool { return m.Kind != Tmpfs && m.Kind != Run && m.Kind != PrivateDev }

// nearest is the mount at p or the next above it, of those that are wanted.
func (b *builder) nearest(p string, wanted func(*Mount) bool) *Mount {
	var best *Mount
	for i := range b.mounts {
		m := &b.mounts[i]
		if _, in := below(p, m.Path); in && wanted(m) && (best == nil || len(m.Path) >= len(best.Path)) {
			best = m
		}
	}
	return best
}

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
