package copytree

import (
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
)

const (
	baseMask = 0xFFFF0000
	// busyBase is what the top of a tree belongs to while its owners are being changed, so that nobody takes it for done.
	busyBase = 0xFFFE0000
)

// Chown gives all files of the tree at p, and the users and groups in their ACLs, to those IDs that have the same last 16 bits and
// begin at base. No link is followed; what the kernel has mounted there to show itself is left alone. A tree whose top
// belongs to the IDs at base already is taken for done.
func Chown(ctx context.Context, p string, base uint32) error {
	top, err := openDir(unix.AT_FDCWD, p)
	if err != nil {
		return fail("chown", p, err)
	}
	defer unix.Close(top)
	var st unix.Statx_t
	if err := statx(top, "", &st); err != nil {
		return fail("chown", p, err)
	}
	if st.Uid&baseMask == base && st.Gid&baseMask == base {
		return nil
	}
	o := owner{ctx: ctx, base: base}
	if err := unix.Fchownat(top, "", int(busyBase|st.Uid&^baseMask), int(busyBase|st.Gid&^baseMask), unix.AT_EMPTY_PATH); err != nil {
		return fail("chown", p, err)
	}
	if err := o.entries(top, p); err != nil {
		return err
	}
	return fail("chown", p, o.inode(top, &st))
}

// An owner gives files away.
type owner struct {
	ctx  context.Context
	base uint32
}

// entries changes all that is in an open directory.
func (o *owner) entries(fd int, at string) error {
	names, err := entries(fd, nil)
	if err != nil {
		return fail("chown", at, err)
	}
	for _, name := range names {
		if err := o.ctx.Err(); err != nil {
			return fail("chown", at, err)
		}
		if err := o.entry(fd, name, filepath.Join(at, name)); err != nil {
			return err
		}
	}
	return nil
}

func (o *owner) entry(parent int, name, at string) error {
	fd, err := open(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if errors.Is(err, unix.ENOENT) {
		return nil
	} else if err != nil {
		return fail("chown", at, err)
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := statx(fd, "", &st); err != nil {
		return fail("chown", at, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if ofKernel(fd) {
			return nil
		}
		dir, err := openDir(fd, ".")
		if err != nil {
			return fail("chown", at, err)
		}
		err = o.entries(dir, at)
		unix.Close(dir)
		if err != nil {
			return err
		}
	}
	err = o.inode(fd, &st)
	if errors.Is(err, unix.EROFS) { // something else is mounted here
		return nil
	}
	return fail("chown", at, err)
}

// inode changes one inode, open whichever way.
func (o *owner) inode(fd int, st *unix.Statx_t) error {
	uid, gid := o.base|st.Uid&^baseMask, o.base|st.Gid&^baseMask
	if err := unix.Fchownat(fd, "", int(uid), int(gid), unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	p := sys.FDPath(fd)
	if st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 { // which a change of the owner takes away
		if err := unix.Chmod(p, uint32(st.Mode)&0o7777); err != nil {
			return err
		}
	}
	for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		var buf [4096]byte
		n, err := unix.Getxattr(p, name, buf[:])
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
			continue
		}
		if err != nil {
			return err
		}
		if o.acl(buf[:n]) {
			if err := unix.Setxattr(p, name, buf[:n], 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// acl changes the IDs of an ACL, as xattr(7) holds it: after 4 bytes of version entries of tag, permissions and ID.
func (o *owner) acl(b []byte) (changed bool) {
	const user, group = 0x02, 0x08
	for i := 4; i+8 <= len(b); i += 8 {
		tag, id := binary.LittleEndian.Uint16(b[i:]), binary.LittleEndian.Uint32(b[i+4:])
		if want := o.base | id&^baseMask; (tag == user || tag == group) && id != want {
			binary.LittleEndian.PutUint32(b[i+4:], want)
			changed = true
		}
	}
	return changed
}

// ofKernel tells whether an open file is in a file system that has no owners to be changed.
func ofKernel(fd int) bool {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return false
	}
	switch uint32(fs.Type) { // signed on 32 bits, which some are too large for
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.BINFMTFS_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.EFIVARFS_MAGIC, unix.PSTOREFS_MAGIC, unix.SELINUX_MAGIC, unix.DEVPTS_SUPER_MAGIC:
		return true
	}
	return false
}
