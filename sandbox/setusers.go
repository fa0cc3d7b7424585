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

// userID parses the number of a user as it is written everywhere, in decimal digits.
func userID(s string) (uint64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" || len(s) > 1 && s[0] == '0' {
		return 0, unix.EINVAL
	}
	n, err := unit.Unsigned(s, 32)
	if err == nil && (n == 0xFFFF || n >= noID) { // stand for nobody
		err = unix.ENXIO
	}
	return n, err
}

// noID is the first number that no user and no group can have.
const noID = 0xFFFFFFFE

const errRange = cli.Usage("UID range cannot be empty or go beyond 4294967295.")

// errCount tells that so many users cannot be.
type errCount struct {
	count string
	err   error
}

func (e errCount) Error() string {
	return "Failed to parse UID range \"" + e.count + "\": " + strerror(e.err)
}

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
		n, err := userID(base)
		if err != nil {
			return cli.Usage("Failed to parse UID \"" + v + "\": " + strerror(err))
		}
		r := uint64(0x10000)
		if has {
			if r, err = unit.Unsigned(count, 32); err != nil {
				return errCount{count, err}
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
