package container

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// unshare gives the thread mounts of its own: those of the namespace where the tree is.
func (b *builder) unshare() error {
	if b.c.Enter == nil {
		return unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	if err := b.c.Enter(); err != nil {
		return err
	}
	return unix.Unshare(unix.CLONE_NEWNS)
}

// leaveChroot makes the root directory of the mount namespace ours: in a chroot ours is no mount, and none of its mounts could
// be the container's root.
func (b *builder) leaveChroot() error {
	if b.c.Below == nil { // it has to be found from here
		var err error
		if b.c.Below, err = os.OpenFile(b.c.Tree, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
			return err
		}
	}
	if err := sys.LeaveChroot(); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
}

// openTree mounts the tree where it is found, which only this thread sees, and returns it open.
func (b *builder) openTree() (int, error) {
	c := b.c
	where := c.Tree
	if c.Below != nil {
		where = sys.FDPath(int(c.Below.Fd()))
	}
	place, err := unix.Open(where, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", c.Tree, err)
	}
	defer unix.Close(place)
	fd, err := mount.Clone(place, "", true)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", c.Tree, err)
	}
	fail := func(what string, err error) (int, error) {
		unix.Close(fd)
		return -1, fmt.Errorf("%s %s: %w", what, c.Tree, err)
	}
	if err := mount.Propagate(fd, unix.MS_PRIVATE); err != nil {
		return fail("mount", err)
	}
	if c.Users != nil && c.Users.Owner != OwnedAsIs {
		err := mount.MapIDs(fd, b.users, true)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) { // this file system, on this kernel
			unix.Close(fd)
			return -1, Refusal("ID mapped mounts are apparently not available, sorry.")
		}
		if err != nil {
			return fail("map the owners of", err)
		}
	}
	if c.Tree == "/" {
		// A process whose root directory is covered counts as being in a chroot, where user namespaces cannot be made.
		unix.Close(place)
		if place, err = unix.Open("/usr", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			return fail("mount", err)
		}
	}
	switch {
	case c.Changes != "": // a layer has changes of all of the tree
		if fd, err = b.layered(fd, place); err == nil && c.PivotRoot[0] != "" {
			fd, err = b.pivot(fd, place)
		}
	case c.PivotRoot[0] != "":
		if err = mount.Attach(fd, place); err == nil {
			fd, err = b.pivot(fd, place)
		}
		if err == nil && c.Volatile != VolatileNo {
			fd, err = mount.Clone(fd, "", true)
			if err == nil {
				fd, err = b.volatile(fd, place)
			}
		}
	default:
		fd, err = b.volatile(fd, place)
	}
	if err != nil {
		return -1, err
	}
	if fd, err = b.otherRoot(fd, place); err != nil {
		return -1, err
	}
	if c.Limit.Hardened {
		if err := mount.Set(fd, noDev, true); err != nil {
			return fail("keep devices from", err)
		}
	}
	return fd, nil
}

// pivot makes a directory of the tree, open and mounted as fd at place, the root directory instead; the former one may go to a directory of it.
func (b *builder) pivot(fd, place int) (int, error) {
	root, err := b.pivoted(fd, place)
	if err != nil {
		return -1, fmt.Errorf("make %s the root: %w", b.c.PivotRoot[0], bare(err))
	}
	return root, nil
}

func (b *builder) pivoted(fd, place int) (int, error) {
	t := tree.At(fd, b.c.Tree)
	defer t.Close()
	from, err := t.Handle(b.c.PivotRoot[0], unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(from)
	root, err := mount.Clone(from, "", true)
	if err != nil {
		return -1, err
	}
	old, err := mount.Clone(fd, "", true) // before the new root is put over it
	if err != nil {
		return -1, err
	}
	defer unix.Close(old)
	if err := mount.Attach(root, place); err != nil || b.c.PivotRoot[1] == "" {
		return root, err
	}
	n := tree.At(root, b.c.Tree)
	to, err := n.Handle(b.c.PivotRoot[1], unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(to)
	return root, mount.Attach(old, to)
}
