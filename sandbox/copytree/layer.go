package copytree

import (
	"path"

	"golang.org/x/sys/unix"
)

// Layer makes a temporary directory beside the tree at the absolute path src with what overlayfs needs in order to lay a copy over the tree that
// has only what is changed: "upper", which has the attributes of the tree's root directory, and "work".
func Layer(src string) (_ *Temporary, err error) {
	dir, name := place(src)
	if name == "" { // a mount point: the directory would be in the tree that it is to be laid over
		return nil, unix.ELOOP
	}
	t, err := newTemporary(dir, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = t.Remove()
		}
	}()
	for _, p := range []string{t.Path, t.Path + "/upper", t.Path + "/work"} {
		if err := unix.Mkdir(p, 0o700); err != nil {
			return nil, fail("make", p, err)
		}
	}
	from, err := openDir(unix.AT_FDCWD, src)
	if err != nil {
		return nil, fail("open", src, err)
	}
	defer unix.Close(from)
	to, err := openDir(unix.AT_FDCWD, t.Path+"/upper")
	if err != nil {
		return nil, fail("open", t.Path, err)
	}
	defer unix.Close(to)
	var st unix.Statx_t
	if err = statx(from, "", &st); err == nil {
		err = attributes(to, from, &st)
	}
	return t, fail("copy the attributes of", src, err)
}

// Shares tells whether a copy of the tree at a path has its data in common with it, as a snapshot or block by block, ioctl_ficlone(2).
func Shares(src string) bool {
	fd, err := openDir(unix.AT_FDCWD, src)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if isSubvolume(fd) {
		return true
	}
	var files [2]int
	for i := range files {
		if files[i], err = unix.Open(path.Dir(src), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600); err != nil {
			return false
		}
		defer unix.Close(files[i])
	}
	if _, err := unix.Write(files[0], make([]byte, 1<<12)); err != nil {
		return false
	}
	return unix.IoctlFileClone(files[1], files[0]) == nil
}
