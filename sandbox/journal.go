package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

const journalDir = "/var/log/journal"

// linkJournal makes the container's journal visible to the host, or the host's directory for it to the container. In the
// tree no link leads out of it.
func (c *Call) linkJournal(d *container.Container, dir string) error {
	o := &c.Opt
	if o.linkJournal == "no" || o.ephemeral || o.dryRun || o.image != "" && o.linkJournal == "guest" { // no path of the host leads into an image
		return nil
	}
	id := d.Identity.UUID
	data, err := sys.ReadFile("/etc/machine-id")
	if err != nil {
		return nil // nothing of the host can be taken for the container's
	}
	if host, err := unit.MachineID(data); err == nil && host == id {
		text := "Host and machine ids are equal (" + id + "): refusing to link journals"
		if !o.linkJournalTry {
			return cli.Usage(text)
		}
		c.say(term.Warning, text)
		return nil
	}
	own := path.Join(journalDir, id)
	j := journal{dir: path.Join(dir, o.pivotRoot[0]), owner: treeOwner(d)}
	if d.ReadOnly {
		if o.linkJournalTry {
			return nil
		}
		return fmt.Errorf("Failed to create %s: %w", journalDir, unix.EROFS)
	}
	if d.Volatile == container.VolatileNo {
		if j.tree, err = c.openRoot(dir); err != nil {
			return err
		}
		defer j.tree.Close()
		for _, p := range []string{"/var", "/var/log", journalDir} {
			if err := j.mkdir(p); err != nil {
				if o.linkJournalTry && errors.Is(err, unix.EROFS) {
					return nil
				}
				return err
			}
		}
	}
	linked, err := j.clear(own, o.linkJournal)
	if err != nil || linked {
		return err
	}
	switch o.linkJournal {
	case "guest":
		if err := os.Symlink(j.shown(own), own); err != nil {
			if o.linkJournalTry {
				return nil
			}
			return fmt.Errorf("Failed to symlink %s to %s: %w", j.shown(own), own, errno(err))
		}
		return j.mkdir(own)
	case "host":
		if err := os.Mkdir(own, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			if o.linkJournalTry {
				return nil
			}
			return fmt.Errorf("Failed to create %s: %w", own, errno(err))
		}
	default:
		if !isDir(own) {
			return nil
		}
	}
	if j.filled(own) {
		c.say(term.Warning, j.shown(own)+" is not empty, proceeding anyway.")
	}
	if err := j.mkdir(own); err != nil {
		return err
	}
	d.Mounts = append(d.Mounts, container.Custom{Kind: container.Bind, Source: own, Target: own})
	return nil
}

// treeOwner is whom files of the container's root belong to in its tree.
func treeOwner(d *container.Container) int {
	switch {
	case d.Users == nil || d.Users.Owner == container.OwnedByMap:
		return 0
	case d.Users.Owner == container.OwnedForeign:
		return foreignBase
	}
	return int(d.Users.Base)
}

// A journal is where a container's journal is to be in its tree.
type journal struct {
	dir   string
	tree  *tree.Tree // nil if nothing of the tree is to be changed
	owner int
}

// mkdir makes a directory in the tree, if it is not there.
func (j *journal) mkdir(p string) error {
	if j.tree == nil {
		return nil
	}
	if _, err := j.tree.Stat(p); err == nil {
		return nil
	}
	dir, err := j.tree.MkdirAll(p, 0o755)
	if err != nil {
		return fmt.Errorf("Failed to create %s: %w", p, errno(err))
	}
	dir.Close()
	fd, err := j.tree.Handle(p, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("Failed to create %s: %w", p, errno(err))
	}
	defer unix.Close(fd)
	if err := unix.Fchownat(fd, "", j.owner, j.owner, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("Failed to create %s: %w", p, err)
	}
	return nil
}

// shown is the path on the host of a path in the tree.
func (j *journal) shown(p string) string {
	if j.tree != nil {
		if real, err := j.tree.Resolve(path.Dir(p), true); err == nil {
			return path.Join(j.dir, real, path.Base(p))
		}
	}
	return path.Join(j.dir, p)
}

func (j *journal) filled(p string) bool {
	if j.tree == nil {
		return false
	}
	dir, err := j.tree.OpenDir(p)
	if err != nil {
		return false
	}
	defer dir.Close()
	entries, err := dir.Entries()
	return err == nil && len(entries) > 0
}

// clear takes away what another mode has left at the host's path. linked: it is a link to the container's already.
func (j *journal) clear(own, mode string) (linked bool, err error) {
	target, err := os.Readlink(own)
	switch {
	case err == nil && mode != "host" && target == j.shown(own):
		return true, j.mkdir(own)
	case err == nil:
		if err := os.Remove(own); err != nil {
			return false, fmt.Errorf("Failed to remove symlink %s: %w", own, errno(err))
		}
	case errors.Is(err, unix.EINVAL): // it is no link
		if mode != "guest" {
			return false, nil
		}
		err := unix.Rmdir(own)
		if errors.Is(err, unix.ENOTDIR) {
			return false, cli.Usage(own + " already exists and is neither a symlink nor a directory")
		}
		if err != nil {
			return false, fmt.Errorf("Failed to remove %s: %w", own, err)
		}
	case !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("readlink(%s) failed: %w", own, errno(err))
	}
	return false, nil
}
