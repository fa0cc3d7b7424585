package image

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// copy puts a copy without a name in the place of the open image: blocks are shared where the file system can, holes stay holes.
func (m *Image) copy(p string) error {
	if m.block {
		return &os.PathError{Op: "copy", Path: p, Err: unix.EBADFD}
	}
	to, err := unnamed(filepath.Dir(p))
	if err != nil {
		return err
	}
	if err := fill(to, m.file); err != nil {
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

func fill(to, from *os.File) error {
	if unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) == nil {
		return nil
	}
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if err := to.Truncate(size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		data, err := from.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) { // nothing but a hole
			return nil
		} else if err != nil {
			return err
		}
		hole, err := from.Seek(data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := to.Seek(data, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(to, io.NewSectionReader(from, data, hole-data)); err != nil {
			return err
		}
		at = hole
	}
	return nil
}
