package sandbox

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/sandbox/container"
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
	if err := unix.Stat(p.dir, &st); err != nil {
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
		base, err := c.pick(st.Uid&^0xFFFF, p)
		if err != nil {
			return err
		}
		u.Base = base
	}
	switch o.ownership {
	case ownedAuto:
		u.Owner = container.OwnedByMap
		if st.Uid&^0xFFFF == foreignBase {
			u.Owner = container.OwnedForeign
		} else if st.Uid&^0xFFFF == u.Base && u.Base != 0 {
			u.Owner = container.OwnedAsIs
		}
	case ownedByMap:
		u.Owner = container.OwnedByMap
	case ownedForeign:
		u.Owner = container.OwnedForeign
	case ownedByChown:
		return cli.Usage("--private-users-ownership=chown is not implemented yet.")
	}
	if o.users == usersIdentity {
		u.Owner = container.OwnedAsIs
	}
	d.Users = u
	return c.limits(d)
}

// pick chooses a range of user IDs that nobody has, and locks it: the tree's own, or one that follows from the machine's name.
func (c *Call) pick(own uint32, p *prepared) (uint32, error) {
	candidate := own
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Opt.machine))
	next := uint32(h.Sum64()%(lastBase-firstBase)+firstBase) &^ 0xFFFF
	for range 100 {
		if candidate >= firstBase && candidate <= lastBase {
			_ = os.MkdirAll("/run/systemd/nspawn-uid", 0o755)
			l, err := lock.File("/run/systemd/nspawn-uid/"+strconv.Itoa(int(candidate)), lock.Exclusive)
			if err == nil {
				p.locks = append(p.locks, l)
				return candidate, nil
			}
			if !errors.Is(err, lock.ErrBusy) {
				return 0, fmt.Errorf("Failed to acquire lock file for UID range %d: %w", candidate, errno(err))
			}
		}
		candidate = next
		next = uint32(rand.Uint64N(lastBase-firstBase)+firstBase) &^ 0xFFFF
	}
	return 0, cli.Usage("Failed to pick suitable UID/GID range: Device or resource busy")
}
