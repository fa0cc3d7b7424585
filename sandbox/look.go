package sandbox

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/tree"
	"ctl/sandbox/container"
)

// openRoot opens what becomes the container's root directory: a tree, or a directory of it.
func (c *Call) openRoot(dir string) (*tree.Tree, error) {
	t, err := tree.Open(dir)
	root := c.Opt.pivotRoot[0]
	if err != nil || root == "" {
		return t, err
	}
	defer t.Close()
	fd, err := t.Handle(root, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return tree.At(fd, path.Join(dir, root)), nil
}

// A reader reads a file of moderate size by its path.
type reader func(p string) ([]byte, error)

func filesOf(t *tree.Tree) reader {
	return func(p string) ([]byte, error) {
		data, _, err := t.ReadFile(p, largestDatabase)
		return data, err
	}
}

// view reads files of the tree as the container will see them, with what is asked to be mounted over them; the mounts are in the order
// in which they are made.
func (c *Call) view(t *tree.Tree, mounts []container.Custom) reader {
	return func(p string) ([]byte, error) {
		for _, m := range slices.Backward(mounts) {
			rest, below := strings.CutPrefix(p, strings.TrimSuffix(m.Target, "/"))
			if !below || rest != "" && rest[0] != '/' {
				continue
			}
			for _, source := range sourcesOf(&m) {
				if data, err := readSource(t, source, rest); err == nil {
					return data, nil
				}
			}
			return nil, unix.ENOENT
		}
		if c.Opt.volatile == container.VolatileYes { // it has of the tree's files those in /usr
			return nil, unix.ENOENT
		}
		return filesOf(t)(p)
	}
}

// sourcesOf are the directories that a mount shows, the uppermost first; those of the tree begin with "+".
func sourcesOf(m *container.Custom) []string {
	switch {
	case m.Kind == container.Overlay:
		l := slices.Clone(m.Lower)
		slices.Reverse(l)
		if m.Source != "" {
			l = slices.Insert(l, 0, m.Source)
		}
		return l
	case m.Kind == container.Bind && m.InTree:
		return []string{"+" + m.Source}
	case m.Kind == container.Bind:
		return []string{m.Source}
	}
	return nil
}

// readSource reads a file below a path that something is mounted from.
func readSource(t *tree.Tree, source, rest string) ([]byte, error) {
	if own, inTree := strings.CutPrefix(source, "+"); inTree {
		return filesOf(t)(own + rest)
	}
	host, err := tree.Open("/")
	if err != nil {
		return nil, err
	}
	defer host.Close()
	return filesOf(host)(source + rest)
}

// lookUpUser finds a user by name or number.
func lookUpUser(read reader, name string) (*container.User, error) {
	unknown := cli.Usage("Failed to resolve user " + name + ".")
	passwd, err := read("/etc/passwd")
	if err != nil {
		return nil, unknown
	}
	var u *container.User
	for line := range strings.SplitSeq(string(passwd), "\n") {
		f := strings.Split(line, ":")
		if len(f) < 7 || f[0] != name && f[2] != name {
			continue
		}
		uid, e1 := strconv.ParseUint(f[2], 10, 32)
		gid, e2 := strconv.ParseUint(f[3], 10, 32)
		if e1 != nil || e2 != nil || !path.IsAbs(f[5]) {
			continue
		}
		u = &container.User{UID: uint32(uid), GID: uint32(gid), Name: f[0], Home: path.Clean(f[5]), Shell: f[6]}
		break
	}
	if u == nil {
		return nil, unknown
	}
	groups, err := read("/etc/group")
	if err != nil || u.Name != name { // who is called by a number is in no further groups
		return u, nil
	}
	for line := range strings.SplitSeq(string(groups), "\n") {
		f := strings.Split(line, ":")
		if len(f) < 4 || !slices.Contains(strings.Split(f[3], ","), u.Name) {
			continue
		}
		if gid, err := strconv.ParseUint(f[2], 10, 32); err == nil && uint32(gid) != u.GID && !slices.Contains(u.Groups, uint32(gid)) {
			u.Groups = append(u.Groups, uint32(gid))
		}
	}
	return u, nil
}
