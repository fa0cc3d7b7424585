package container

import "ctl/sandbox/console"

// openConsole opens a pseudo terminal of the container's own file system of terminals, which is open as pts, pty(7).
func (b *builder) openConsole(pts int) error {
	if !b.c.Console {
		return nil
	}
	owner := b.c.shift()
	group := owner
	if b.c.ttyGroup() {
		group += ttyGroup
	}
	var err error
	if b.master, b.slave, err = console.NewPair(pts, owner, group); err != nil {
		return Failure{"Failed to allocate a pty", err}
	}
	return nil
}
