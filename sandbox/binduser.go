package sandbox

import (
	"slices"
	"strconv"
	"strings"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

// userName tells whether somebody can be called so.
func userName(s string) bool {
	return s != "" && len(s) < 32 && s[0] != '-' && !strings.ContainsAny(s, " \t\n:/,") && strings.Trim(s, "0123456789.") != ""
}

func setBindUser(c *Call, v string) error {
	if !userName(v) {
		return cli.Usage("Invalid user name to bind: " + v)
	}
	c.Opt.bindUsers = append(c.Opt.bindUsers, v)
	c.Opt.given |= givenBindUser
	return nil
}

// hostShell is the shell that a bound user has on the host.
const hostShell = "\x00"

func setBindUserShell(c *Call, v string) error {
	own, ok := unit.Boolean(v)
	switch {
	case !ok && !inTree(v):
		return cli.Usage("Invalid user shell to bind: " + v)
	case !ok:
		c.Opt.bindUserShell = v
	case own:
		c.Opt.bindUserShell = hostShell
	default:
		c.Opt.bindUserShell = ""
	}
	c.Opt.given |= givenBindUserShell
	return nil
}

func setBindUserGroup(c *Call, v string) error {
	if !userName(v) {
		return cli.Usage("Invalid bind user auxiliary group name: " + v)
	}
	c.Opt.bindUserGroups = append(c.Opt.bindUserGroups, v)
	return nil
}

// Users of the host get these IDs in a container, https://systemd.io/UIDS-GIDS.
const (
	firstBound = 60514
	lastBound  = 60577
)

// nobodyID is the user whom files belong to that nobody else can have.
const nobodyID = 65534

// largestDatabase is how long a file of users or groups may be, in bytes.
const largestDatabase = 16 << 20

// A database is a file of users or groups, passwd(5), group(5): its lines, split.
type database [][]string

// readDatabase reads one; one that is not there is empty.
func readDatabase(t *tree.Tree, name string) (d database) {
	data, _, _ := t.ReadFile(name, largestDatabase)
	for line := range strings.SplitSeq(string(data), "\n") {
		if f := strings.Split(line, ":"); len(f) > 2 && f[0] != "" {
			d = append(d, f)
		}
	}
	return d
}

// find is the line in which a column has a value, nil if there is none.
func (d database) find(column int, value string) []string {
	if i := slices.IndexFunc(d, func(f []string) bool { return f[column] == value }); i >= 0 {
		return d[i]
	}
	return nil
}

// bindUsers lets users of the host have their home directories in the container, whose nss-systemd(8) finds them by what is written below
// /run/host/userdb.
func (c *Call) bindUsers(d *container.Container, dir string) error {
	o := &c.Opt
	if len(o.bindUsers) == 0 {
		return nil
	}
	host, err := tree.Open("/")
	if err != nil {
		return err
	}
	defer host.Close()
	groups, shadow := readDatabase(host, "/etc/group"), readDatabase(host, "/etc/shadow")
	var users, insideGroups database
	if o.volatile != container.VolatileYes { // it has none of the tree's files then
		t, err := c.openRoot(dir)
		if err != nil {
			return err
		}
		defer t.Close()
		users, insideGroups = readDatabase(t, "/etc/passwd"), readDatabase(t, "/etc/group")
	}
	next := uint64(firstBound)
	for i, name := range o.bindUsers {
		if slices.Contains(o.bindUsers[:i], name) {
			continue
		}
		u, err := lookUpUser(filesOf(host), name)
		if err != nil || u.Name != name {
			return cli.Usage("Failed to resolve user '" + name + "': Unknown user")
		}
		if u.UID == 0 {
			return cli.Usage("Mapping 'root' user not supported, sorry.")
		}
		if u.UID == nobodyID {
			return cli.Usage("Mapping 'nobody' user not supported, sorry.")
		}
		group := groups.find(2, strconv.FormatUint(uint64(u.GID), 10))
		switch {
		case group == nil:
			return cli.Usage("Failed to resolve group of user '" + name + "': Unknown group")
		case group[0] != name:
			return cli.Usage("Sorry, mapping users without private groups is currently not supported.")
		}
		id := ""
		for ; next <= lastBound; next++ {
			if id = strconv.FormatUint(next, 10); users.find(2, id) == nil && insideGroups.find(2, id) == nil {
				break
			}
		}
		switch {
		case next > lastBound:
			return cli.Usage("No suitable available UID in range 60514…60577 in machine detected, can't map user.")
		case users.find(0, name) != nil:
			return cli.Usage("Sorry, the user '" + name + "' already exists in the machine.")
		case insideGroups.find(0, name) != nil:
			return cli.Usage("Sorry, the group '" + name + "' already exists in the machine.")
		}
		c.bindUser(d, u, next, shadow.find(0, name))
		next++
	}
	return nil
}

// bindUser adds a user with an ID of the container's.
func (c *Call) bindUser(d *container.Container, u *container.User, id uint64, shadow []string) {
	o := &c.Opt
	home := "/run/host/home/" + u.Name
	member := func(name string, v term.Value) term.Member { return term.Member{Name: name, Value: v} }
	service := member("service", "io.systemd.NSpawn")
	user := term.Object{member("userName", u.Name), member("uid", id), member("gid", id), member("homeDirectory", home), service}
	switch o.bindUserShell {
	case "":
	case hostShell:
		user = append(user, member("shell", u.Shell))
	default:
		user = append(user, member("shell", o.bindUserShell))
	}
	memberOf := []term.Value{}
	for _, g := range o.bindUserGroups {
		memberOf = append(memberOf, g)
	}
	user = append(user, member("memberOf", memberOf))
	var secret term.Object
	if shadow != nil {
		secret = term.Object{member("hashedPassword", []term.Value{shadow[1]})}
	}
	write := func(suffix string, mode uint32, v term.Object) {
		name := u.Name + suffix
		d.Files = append(d.Files, container.File{Path: "/run/host/userdb/" + name, Mode: mode, Data: []byte(term.JSON.Format(v))},
			container.File{Path: "/run/host/userdb/" + strconv.FormatUint(id, 10) + suffix, Link: name})
	}
	write(".user", 0o644, user)
	write(".user-privileged", 0o600, term.Object{member("privileged", secret)})
	write(".group", 0o644, term.Object{member("groupName", u.Name), member("gid", id), service})
	for i, g := range o.bindUserGroups {
		if !slices.Contains(o.bindUserGroups[:i], g) {
			d.Files = append(d.Files, container.File{Path: "/run/host/userdb/" + u.Name + ":" + g + ".membership", Mode: 0o644, Data: []byte("{}\n")})
		}
	}
	d.Mounts = append(d.Mounts, container.Custom{Kind: container.Bind, Source: u.Home, Target: home, Map: container.MapUser, Owner: uint32(id)})
}
