package control

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"ctl/internal/cli"
	"ctl/internal/tree"
	"ctl/sandbox/image"
)

// imageRoot is where the reference mounts an image, and so what its messages say.
const imageRoot = "/run/systemd/mount-rootfs"

// mountImage mounts the disk image that --image= names, where nobody else sees it, to be the root.
func (c *Call) mountImage() error {
	p, err := tree.Abs(c.Opt.Image)
	if err != nil {
		return Failure{"determine working directory", err}
	}
	options := image.Options{Rehearse: c.Opt.DryRun, Policy: c.Opt.ImagePolicy}
	if err := options.Verity.Beside(p); err != nil {
		return Failure{"load root hash data", err}
	}
	m, err := image.Open(context.Background(), p, options)
	if err != nil {
		if image.Unfit(err) {
			return cli.Usage(p + ": " + err.Error())
		}
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err
		}
		return Failure{"set up loopback device for " + p, err}
	}
	defer m.Close()
	if c.image, err = m.Mount(); err != nil {
		return Failure{"mount image", err}
	}
	c.Opt.Root = imageRoot
	if !c.holdsSystem() {
		return Failure{"mount image", syscall.ENOMEDIUM}
	}
	return nil
}

// holdsSystem tells whether the image says of which system it is.
func (c *Call) holdsSystem() bool {
	t, err := tree.Open(c.image.Path())
	if err != nil {
		return false
	}
	defer t.Close()
	return image.HoldsSystem(t, "")
}
