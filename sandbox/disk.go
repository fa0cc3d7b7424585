package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox/container"
	"ctl/sandbox/dmverity"
	"ctl/sandbox/image"
	"ctl/sandbox/lock"
)

// findImage finds the image that was asked for, the newest one of a versioned directory.
func (c *Call) findImage() (err error) {
	c.Opt.image, err = c.newest(image.Images, c.Opt.image)
	return err
}

// imageNamed tells whether a machine's image is called so, and takes it.
func (c *Call) imageNamed(dir, name string) bool {
	p := path.Join(dir, image.Name(name)+".raw")
	if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
		c.Opt.image = p
		return true
	}
	if v, err := image.Images.Newest(p + ".v"); err == nil {
		c.Opt.image = v
		return true
	}
	return false
}

// base is the last component of the path of what is started, without what only says what kind of thing it is.
func (c *Call) base() string {
	if c.Opt.image != "" {
		return image.Name(path.Base(c.Opt.image))
	}
	return path.Base(path.Clean(c.Opt.directory))
}

// place is the path of what is started.
func (c *Call) place() string {
	if c.Opt.image != "" {
		return c.Opt.image
	}
	return path.Clean(c.Opt.directory)
}

// prepareImage opens, locks and mounts the image, or a copy of it.
func (c *Call) prepareImage(ctx context.Context) (*prepared, error) {
	o := &c.Opt
	real, err := realPath(o.image)
	if err != nil {
		return nil, err
	}
	p := &prepared{dir: real}
	readOnly := o.readOnly || o.volatile != container.VolatileNo
	mode := lock.Exclusive
	if readOnly {
		mode = lock.Shared
	}
	switch {
	case o.ephemeral:
	case o.dryRun:
		p.files, err = lock.Busy(real, mode, os.Getenv)
	default:
		var l *lock.Lock
		if l, err = lock.Image(real, mode, os.Getenv); err == nil {
			p.locks = append(p.locks, l)
		}
	}
	if errors.Is(err, lock.ErrBusy) {
		return nil, cli.Usage("Disk image " + real + " is currently busy.")
	} else if err != nil {
		return nil, fmt.Errorf("Failed to create image lock: %w", errno(err))
	}
	options := image.Options{ReadOnly: readOnly, Rehearse: o.dryRun, Copy: o.ephemeral && !o.dryRun, Policy: o.imagePolicy, Verity: o.verity}
	if err := options.Verity.Beside(real); err != nil {
		p.release()
		return nil, fmt.Errorf("Failed to read verity artefacts for %s: %w", real, errno(err))
	}
	m, err := image.Open(ctx, real, options)
	if err != nil {
		p.release()
		return nil, c.unfitImage(real, err)
	}
	defer m.Close()
	if m.Unchecked() {
		c.say(term.Notice, "Note: image "+real+" contains verity information, but no root hash specified and no embedded root hash signature found! Proceeding without integrity checking.")
	}
	p.parts = m.Describe()
	if p.image, err = m.Mount(); err != nil {
		p.release()
		if os.Geteuid() == 0 && container.MappedIDs() > 0 && errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("Failed to mount image: %w (in a user namespace; only the host's root may mount images)", errno(err))
		}
		switch {
		case errors.Is(err, dmverity.ErrNoKernel):
			return nil, fmt.Errorf("%w: %w (%w)", image.ErrProtection, errno(unix.EOPNOTSUPP), dmverity.ErrNoKernel)
		case errors.Is(err, image.ErrSignature):
			return nil, image.ErrSignature
		case errors.Is(err, image.ErrProtection):
			return nil, fmt.Errorf("%w: %w", image.ErrProtection, errno(err))
		}
		return nil, fmt.Errorf("Failed to mount image: %w", errno(err))
	}
	return p, nil
}

// unfitImage says what is wrong with an image.
func (c *Call) unfitImage(p string, err error) error {
	if image.Unfit(err) {
		c.say(term.Err, p+": "+err.Error())
		if errors.Is(err, image.ErrUnidentified) {
			c.say(term.Notice, imageHint)
		}
		return Exit(1)
	}
	if pe, ok := errors.AsType[*os.PathError](err); ok && pe.Op == "copy" {
		return fmt.Errorf("Failed to copy image file: %w", errno(err))
	}
	if errors.Is(err, image.ErrProtection) {
		return fmt.Errorf("%w: %w", image.ErrProtection, errno(err))
	}
	return fmt.Errorf("Failed to set up loopback block device: %w", errno(err))
}

// imageHint says which images there can be.
const imageHint = "Note that the disk image needs to\n" +
	"    a) either contain only a single MBR partition of type 0x83 that is marked bootable\n" +
	"    b) or contain a single GPT partition of type 0FC63DAF-8483-4772-8E79-3D69D8477DE4\n" +
	"    c) or follow https://uapi-group.org/specifications/specs/discoverable_partitions_specification\n" +
	"    d) or contain a file system without a partition table\n" +
	"in order to be bootable with systemd-nspawn."
