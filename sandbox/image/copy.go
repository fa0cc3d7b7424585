package image

import (
	"context"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ctl/sandbox/copytree"
)

// copy puts a copy without a name in the place of the open image.
func (m *Image) copy(ctx context.Context, p string) error {
	if m.block {
		return &os.PathError{Op: "copy", Path: p, Err: unix.EBADFD}
	}
	to, err := unnamed(filepath.Dir(p))
	if err != nil {
		return err
	}
	if err := copytree.Contents(ctx, int(to.Fd()), int(m.file.Fd())); err != nil {
		to.Close()
		return &os.PathError{Op: "copy", Path: p, Err: err}
	}
	m.file.Close()
	m.file = to
	return nil
}

// unnamed is a file that has no name, in a directory or, where that cannot be written or cannot have such files, in /var/tmp.
func unnamed(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		f, err = os.OpenFile("/var/tmp", os.O_RDWR|unix.O_TMPFILE, 0o600)
	}
	return f, err
}
