package sandbox

import (
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/unit"
)

func setPrivateUsers(c *Call, v string) error {
	c.Opt.given |= givenUsers
	return c.Opt.privateUsers(v)
}

// noID is the first number that no user and no group can have.
const noID = 0xFFFFFFFE

const errRange = cli.Usage("UID range cannot be empty or go beyond 4294967295.")

func (o *Settings) privateUsers(v string) error {
	b, isBool := unit.Boolean(v)
	if v != "" && v[0] >= '0' && v[0] <= '9' {
		isBool = false // IDs look like that
	}
	switch {
	case isBool && b:
		o.users = usersOwner
	case isBool:
		o.users = usersNo
	case v == "pick":
		o.users = usersPick
	case v == "managed":
		o.users = usersManaged
	case v == "identity":
		o.users, o.usersBase, o.usersRange = usersIdentity, 0, 0x10000
	default:
		base, count, has := strings.Cut(v, ":")
		n, err := unit.Unsigned(base, 32)
		if strings.HasPrefix(base, "-") {
			err = unix.EINVAL
		}
		if err == nil && n >= noID {
			err = unix.ENXIO
		}
		if err != nil {
			return cli.Usage("Failed to parse UID \"" + base + "\": " + strerror(err))
		}
		r := uint64(0x10000)
		if has {
			if r, err = unit.Unsigned(count, 32); err != nil {
				return cli.Usage("Failed to parse UID range \"" + count + "\": " + strerror(err))
			}
		}
		if r == 0 || n+r > noID {
			return errRange
		}
		o.users, o.usersBase, o.usersRange = usersFixed, uint32(n), uint32(r)
	}
	return nil
}

var ownershipNames = []string{"off", "chown", "map", "foreign", "auto"}

func setOwnership(c *Call, v string) error {
	if v == "help" {
		return c.names(ownershipNames)
	}
	i, ok := one(ownershipNames, v)
	if !ok {
		return cli.Usage("Cannot parse --private-users-ownership= value: " + v)
	}
	c.Opt.ownership, c.Opt.ownershipGiven = ownership(i), true
	c.Opt.given |= givenUsers
	return nil
}

func setChown(c *Call, _ string) error {
	c.Opt.ownership, c.Opt.ownershipGiven = ownedByChown, true
	c.Opt.given |= givenUsers
	return nil
}

func setPickUsers(c *Call, _ string) error {
	c.Opt.users = usersPick
	c.Opt.given |= givenUsers
	return nil
}
