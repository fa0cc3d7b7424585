package copytree

import (
	"errors"
	"path"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctls of btrfs, linux/btrfs.h. Where the bits for reading and writing are depends on the architecture; FICLONE is one
// of the same family that writes.
const (
	writes = unix.FICLONE &^ 0x1fffffff
	reads  = 0xc0000000 - writes
	family = 0x94 << 8

	subvolCreate   = writes | 4096<<16 | family | 14
	snapDestroy    = writes | 4096<<16 | family | 15
	snapCreate     = writes | 4096<<16 | family | 23
	subvolGetFlags = reads | 8<<16 | family | 25
	subvolSetFlags = writes | 8<<16 | family | 26
	subvolRootref  = reads | writes | 4096<<16 | family | 61
	inoLookupUser  = reads | writes | 4096<<16 | family | 62

	subvolReadOnly = 1 << 1
	subvolInode    = 256 // of a subvolume's top
)

type volArgs struct {
	fd   int64
	name [4088]byte
}

type snapArgs struct {
	fd      int64
	transid uint64
	flags   uint64
	unused  [4]uint64
	name    [4040]byte
}

type rootrefArgs struct {
	minTree uint64
	refs    [255]struct{ tree, dir uint64 }
	n       uint8
	_       [7]byte
}

type inoArgs struct {
	dir, tree uint64
	name      [256]byte
	path      [4096 - 16 - 256]byte
}

func ioctl(fd int, nr uint, arg unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(nr), uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

// isSubvolume tells whether the open directory is the top of a subvolume of btrfs.
func isSubvolume(fd int) bool {
	var st unix.Stat_t
	var sf unix.Statfs_t
	return unix.Fstat(fd, &st) == nil && st.Ino == subvolInode && unix.Fstatfs(fd, &sf) == nil && int64(sf.Type) == unix.BTRFS_SUPER_MAGIC
}

// createSubvolume makes an empty subvolume.
func createSubvolume(parent int, name string) error {
	var a volArgs
	if len(name) >= len(a.name) {
		return unix.ENAMETOOLONG
	}
	copy(a.name[:], name)
	return ioctl(parent, subvolCreate, unsafe.Pointer(&a))
}

// setReadOnly changes whether a subvolume is read-only.
func setReadOnly(fd int, on bool) error {
	var flags uint64
	if err := ioctl(fd, subvolGetFlags, unsafe.Pointer(&flags)); err != nil {
		return err
	}
	flags &^= subvolReadOnly
	if on {
		flags |= subvolReadOnly
	}
	return ioctl(fd, subvolSetFlags, unsafe.Pointer(&flags))
}

// snapshot makes a snapshot of the subvolume from, and of those in it, which are empty directories in the snapshot otherwise.
func snapshot(parent int, name string, from int, skip func(name string) bool) (err error) {
	a := snapArgs{fd: int64(from)}
	if len(name) >= len(a.name) {
		return unix.ENAMETOOLONG
	}
	copy(a.name[:], name)
	if err := ioctl(parent, snapCreate, unsafe.Pointer(&a)); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = removeAt(parent, name)
		}
	}()
	to, err := openDir(parent, name)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	defer keepTimes(to)()
	if skip != nil {
		names, err := entries(to, nil)
		if err != nil {
			return err
		}
		for _, n := range names {
			if !skip(n) {
				continue
			}
			if err := removeAt(to, n); err != nil {
				return err
			}
		}
	}
	inner, err := subvolumes(from)
	if err != nil {
		return err
	}
	for _, p := range inner {
		dir, base := path.Split(p)
		if dir == "" && skip != nil && skip(base) {
			continue
		}
		if err := snapshotInner(to, from, dir, base); err != nil {
			return err
		}
	}
	return nil
}

// keepTimes notes the times of an open directory and gives it them again when it was changed.
func keepTimes(fd int) (restore func()) {
	var st unix.Statx_t
	if statx(fd, "", &st) != nil {
		return func() {}
	}
	return func() { _ = unix.UtimesNanoAt(fd, ".", times(&st), 0) }
}

func snapshotInner(to, from int, dir, base string) error {
	sub, err := openBelow(from, dir+base)
	if err == unix.EXDEV || err == unix.ENOENT || err == nil && !isSubvolume(sub) {
		_ = unix.Close(sub)
		return nil // something is mounted over it, or it has just gone
	} else if err != nil {
		return err
	}
	defer unix.Close(sub)
	parent, err := openBelow(to, dir)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	defer keepTimes(parent)()
	if err := unix.Unlinkat(parent, base, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	return snapshot(parent, base, sub, nil)
}

// subvolumes are the paths of the subvolumes in the subvolume fd, but not of those in them.
func subvolumes(fd int) ([]string, error) {
	var l []string
	var refs rootrefArgs
	for {
		err := ioctl(fd, subvolRootref, unsafe.Pointer(&refs))
		if err != nil && err != unix.EOVERFLOW {
			return nil, err
		}
		for _, r := range refs.refs[:refs.n] {
			a := inoArgs{dir: r.dir, tree: r.tree}
			if err := ioctl(fd, inoLookupUser, unsafe.Pointer(&a)); err == unix.ENOENT {
				continue
			} else if err != nil {
				return nil, err
			}
			l = append(l, unix.ByteSliceToString(a.path[:])+unix.ByteSliceToString(a.name[:]))
		}
		if err == nil {
			return l, nil
		}
	}
}

// destroy removes the subvolume fd, which has that name in the directory parent, with those in it.
func destroy(parent int, name string, fd int) error {
	var a volArgs
	if len(name) >= len(a.name) {
		return unix.ENAMETOOLONG
	}
	copy(a.name[:], name)
	err := ioctl(parent, snapDestroy, unsafe.Pointer(&a))
	if err != unix.ENOTEMPTY {
		return err
	}
	if err := setReadOnly(fd, false); err != nil { // else nothing could be removed in it
		return err
	}
	inner, err := subvolumes(fd)
	if err != nil {
		return err
	}
	for _, p := range inner {
		dir, base := path.Split(p)
		if err := destroyInner(fd, dir, base); err != nil {
			return err
		}
	}
	return ioctl(parent, snapDestroy, unsafe.Pointer(&a))
}

func destroyInner(fd int, dir, base string) error {
	parent, err := openBelow(fd, dir)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	sub, err := openDir(parent, base)
	if err != nil {
		return err
	}
	defer unix.Close(sub)
	return destroy(parent, base, sub)
}

// openBelow opens a directory below another one, through neither links nor mounts.
func openBelow(fd int, p string) (int, error) {
	p = strings.Trim(p, "/")
	if p == "" {
		p = "."
	}
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_MAGICLINKS}
	for {
		sub, err := unix.Openat2(fd, p, &how)
		if !errors.Is(err, syscall.EINTR) && err != unix.EAGAIN { // EAGAIN: something was renamed meanwhile
			return sub, err
		}
	}
}
