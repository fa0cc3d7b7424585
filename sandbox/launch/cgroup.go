package launch

import (
	"golang.org/x/sys/unix"

	groups "ctl/sandbox/cgroup"
)

// openGroups opens the cgroup that the command is started in, and the one below it where it runs.
func (c *command) openGroups() (err error) {
	dir := c.q.Cgroup
	if dir == "" {
		return nil
	}
	if c.q.Delegate {
		uid, gid := -1, -1
		if c.id.set {
			uid, gid = int(c.id.uid), int(c.id.gid)
		}
		if err = (&groups.Group{Path: dir}).Delegate(uid, gid, c.q.Subgroup); err != nil {
			return at(cgroup, err)
		}
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY
	if c.group, err = c.std.open(dir, flags); err == nil && c.q.Subgroup != "" {
		c.subgroup, err = c.std.open(dir+"/"+c.q.Subgroup, flags)
	}
	return at(cgroup, err)
}

// join moves the process into a cgroup.
func (b *child) join(group int) {
	if group >= 0 {
		b.WriteFile(cgroup.String(), group, "cgroup.procs", "0", false)
	}
}
