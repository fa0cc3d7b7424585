package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/copytree"
	"ctl/sandbox/lock"
)

// The UIDs that containers get, 64K each, https://systemd.io/UIDS-GIDS.
const (
	firstBase = 0x00080000
	lastBase  = 0x6FFF0000
	uidRange  = 0x10000
	// foreignBase is the first of the UIDs that files of no user of this host have.
	foreignBase = 0x7FFE0000
)

// userNamespace decides which user IDs the container has and how its tree gets them.
func (c *Call) userNamespace(d *container.Container, p *prepared) error {
	o := &c.Opt
	if ids := container.MappedIDs(); ids > 0 && (o.users == usersNo || o.users == usersUnset || o.users == usersPick || ids < o.usersRange) {
		return c.shareUsers(d, ids)
	}
	if o.hardened && (o.users == usersNo || o.users == usersUnset) {
		o.users, o.ownership = usersPick, ownedAuto
	}
	if o.users == usersNo || o.users == usersUnset {
		return nil
	}
	if _, err := os.Stat("/proc/self/ns/user"); err != nil {
		return cli.Usage("--private-users= is not supported, kernel compiled without user namespace support.")
	}
	var st unix.Stat_t
	if err := unix.Stat(p.tree(), &st); err != nil {
		return err
	}
	u := &container.UserMap{Base: o.usersBase, Range: o.usersRange}
	switch o.users {
	case usersOwner:
		u.Base = st.Uid &^ 0xFFFF
		if st.Uid&0xFFFF != 0 && st.Gid&^0xFFFF != u.Base || st.Gid&^0xFFFF != u.Base {
			return cli.Usage("UID and GID base of " + p.dir + " don't match.")
		}
	case usersPick:
		if p.base == 0 {
			base, err := c.pick(st.Uid&^0xFFFF, p)
			if err != nil {
				return err
			}
			p.base = base
		}
		u.Base = p.base
	}
	if !o.quiet {
		c.say(term.Info, fmt.Sprintf("Selected user namespace base %d and range %d.", u.Base, u.Range))
	}
	how := o.ownership
	if how == ownedAuto {
		how = ownedByMap
		switch base := st.Uid &^ 0xFFFF; {
		case base == foreignBase:
			how = ownedForeign
		case base == u.Base && base != 0:
			how = ownedAsIs
		case !mappable(p.tree()) && !o.readOnly && o.volatile == container.VolatileNo:
			how = ownedByChown
		}
	}
	switch how {
	case ownedByMap:
		u.Owner = container.OwnedByMap
	case ownedForeign:
		u.Owner = container.OwnedForeign
	case ownedByChown:
		if err := c.chown(p.tree(), u); err != nil {
			return err
		}
	}
	if o.users == usersIdentity {
		u.Owner = container.OwnedAsIs
	}
	d.Users = u
	for _, dir := range slices.Concat(c.temporary, c.uppers) { // what is empty is the container's
		for _, p := range []string{dir, dir + "/src", dir + "/work"} {
			if err := os.Lchown(p, int(u.Base), int(u.Base)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("Failed to adjust ownership of %s: %w", p, errno(err))
			}
		}
	}
	return c.limits(d)
}

// mappable tells whether the owners of a directory's files can be mapped, as far as its file system's type tells.
func mappable(dir string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return true
	}
	switch uint32(fs.Type) {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.NFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.SMB2_SUPER_MAGIC:
		return false
	}
	return true
}

// chown gives the tree to the container's user IDs.
func (c *Call) chown(dir string, u *container.UserMap) error {
	if u.Range != uidRange || u.Base%uidRange != 0 {
		return cli.Usage("Failed to adjust UID/GID shift of OS tree: Invalid argument")
	}
	if c.Opt.dryRun {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	if err := copytree.Chown(ctx, dir, u.Base); err != nil {
		return fmt.Errorf("Failed to adjust UID/GID shift of OS tree: %w", errno(err))
	}
	return nil
}

// pickKey is the key under which the names of machines are hashed.
var pickKey = [2]uint64{0xaf41f04af0e056e1, 0x72ff943341cf4196}

// rangeLocks is where the reference locks ranges, too.
const rangeLocks = "/run/systemd/nspawn-uid/"

// pick chooses a range of user IDs that nobody has, and locks it: the tree's own, one that follows from the machine's name, or any.
func (c *Call) pick(own uint32, p *prepared) (uint32, error) {
	candidate := own
	next := uint32(unit.SipHash(pickKey, c.Opt.machine)) // its lower half
	for range 100 {
		if candidate >= firstBase && candidate <= lastBase && !known(candidate) {
			if got, err := c.takeRange(candidate, p); got || err != nil {
				return candidate, err
			}
		}
		candidate = (next%(lastBase-firstBase) + firstBase) &^ 0xFFFF
		next = rand.Uint32()
	}
	return 0, cli.Usage("Failed to pick suitable UID/GID range: Device or resource busy")
}

// known tells whether the host has a user or a group at an end of a range.
func known(base uint32) bool {
	for _, f := range []string{"/etc/passwd", "/etc/group"} {
		data, err := sys.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if l := strings.Split(line, ":"); len(l) > 2 {
				if id, err := strconv.ParseUint(l[2], 10, 32); err == nil && (uint32(id) == base || uint32(id) == base+0xFFFE) {
					return true
				}
			}
		}
	}
	return false
}

// takeRange locks a range, or tells whether that could be done.
func (c *Call) takeRange(base uint32, p *prepared) (bool, error) {
	file := rangeLocks + strconv.Itoa(int(base))
	if c.Opt.dryRun {
		p.files = append(p.files, file)
		return lock.Free(file, lock.Exclusive), nil
	}
	_ = os.MkdirAll(rangeLocks, 0o755)
	l, err := lock.File(file, lock.Exclusive)
	if errors.Is(err, lock.ErrBusy) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("Failed to acquire lock file for UID range %d: %w", base, errno(err))
	}
	p.locks = append(p.locks, l)
	return true, nil
}
