package copytree

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// bufferSize is how much is read at a time.
const bufferSize = 256 << 10

// chunk is how much the kernel copies at a time, after which it is seen whether to go on.
const chunk = 8 << 20

// Contents copies what is in an open file to another, which is empty, in the cheapest way that the file systems know: blocks are shared, holes stay
// holes. It ends with the cause of ctx's end.
func Contents(ctx context.Context, to, from int) error {
	var st unix.Statx_t
	if err := statx(from, "", &st); err != nil {
		return err
	}
	w := &worker{copier: &copier{ctx: ctx}, buf: make([]byte, bufferSize)}
	defer context.AfterFunc(ctx, func() { w.stop.Store(true) })()
	return w.contents(to, from, &st)
}

// contents copies what is in a file, in the cheapest way that the file systems know.
func (w *worker) contents(to, from int, st *unix.Statx_t) error {
	size := int64(st.Size)
	if size == 0 {
		return nil
	}
	if !w.noClone.Load() {
		switch err := unix.IoctlFileClone(to, from); err {
		case nil:
			w.bytes.Add(size)
			return nil
		case unix.ENOSPC, unix.EDQUOT, unix.EIO:
			return err
		case unix.EINVAL, unix.ETXTBSY: // not this file
		default:
			w.noClone.Store(true)
		}
	}
	if int64(st.Blocks)*512 >= size && size <= bufferSize { // small and without holes
		return w.readWrite(to, from, 0, size)
	}
	for off := int64(0); off < size; {
		data, err := unix.Seek(from, off, unix.SEEK_DATA)
		hole := size
		if err == unix.ENXIO {
			break // a hole up to the end
		} else if err != nil {
			data = off // the file system cannot tell
		} else if hole, err = unix.Seek(from, data, unix.SEEK_HOLE); err != nil || hole <= data {
			break // it is shorter now
		}
		if err := w.span(to, from, data, min(hole, size)); err != nil {
			return err
		}
		off = hole
	}
	return unix.Ftruncate(to, size)
}

// span copies the bytes from off to end.
func (w *worker) span(to, from int, off, end int64) error {
	for off < end {
		if err := w.stopped(); err != nil {
			return err
		}
		if w.noRange.Load() {
			return w.readWrite(to, from, off, end)
		}
		in, out := off, off
		n, err := unix.CopyFileRange(from, &in, to, &out, int(min(end-off, chunk)), 0)
		switch err {
		case nil:
		case unix.EINTR:
			continue
		case unix.ENOSPC, unix.EDQUOT, unix.EIO:
			return err
		default:
			w.noRange.Store(true)
			continue
		}
		if n == 0 {
			return w.readWrite(to, from, off, end) // the end, or a file system that cannot and does not say so
		}
		off += int64(n)
		w.bytes.Add(int64(n))
	}
	return nil
}

// readWrite is span through memory of our own.
func (w *worker) readWrite(to, from int, off, end int64) error {
	for off < end {
		if err := w.stopped(); err != nil {
			return err
		}
		n, err := unix.Pread(from, w.buf[:min(int64(len(w.buf)), end-off)], off)
		if err == unix.EINTR {
			continue
		} else if err != nil || n == 0 {
			return err
		}
		for b := w.buf[:n]; len(b) > 0; {
			n, err := unix.Pwrite(to, b, off)
			if err == unix.EINTR {
				continue
			} else if err != nil {
				return err
			}
			b = b[n:]
			off += int64(n)
			w.bytes.Add(int64(n))
		}
	}
	return nil
}

// attributes gives an open file or directory owner, extended attributes and mode of another. The order matters: a change of
// owner takes away capabilities and set-user-ID bits.
func attributes(to, from int, st *unix.Statx_t) error {
	if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	err := copyXattrs(
		func(b []byte) (int, error) { return unix.Flistxattr(from, b) },
		func(attr string, b []byte) (int, error) { return unix.Fgetxattr(from, attr, b) },
		func(attr string, b []byte) error { return unix.Fsetxattr(to, attr, b, 0) })
	if err != nil {
		return err
	}
	return unix.Fchmod(to, uint32(st.Mode&0o7777))
}

// copyXattrs copies all extended attributes that can be.
func copyXattrs(list func([]byte) (int, error), get func(string, []byte) (int, error), set func(string, []byte) error) error {
	names, err := grow(func(b []byte) (int, error) { return list(b) })
	if err != nil {
		return lenient(err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value, err := grow(func(b []byte) (int, error) { return get(name, b) })
		if err == nil {
			err = set(name, value)
		}
		if err := lenient(err); err != nil {
			return err
		}
	}
	return nil
}

// lenient passes over errors that say that there can be no such attribute here, or not for this user.
func lenient(err error) error {
	switch err {
	case unix.EOPNOTSUPP, unix.ENODATA, unix.EPERM, unix.EACCES, unix.ENOENT, unix.EINVAL, unix.ENOSYS:
		return nil
	}
	return err
}

// grow calls f with as much room as it wants; most files have no attributes at all.
func grow(f func([]byte) (int, error)) ([]byte, error) {
	var room [256]byte
	b := room[:]
	for {
		n, err := f(b)
		if err == nil {
			return slices.Clone(b[:n]), nil
		}
		if err != unix.ERANGE || len(b) >= 64<<10 {
			return nil, err
		}
		b = make([]byte, 64<<10) // the kernel's limit
	}
}
