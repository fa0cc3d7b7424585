// Package tree is a directory tree that serves as the root of everything done
// through it: no path, symbolic link or race inside the tree leads outside. Paths
// are relative to the root whether they begin with "/" or not, and may be
// hostile. It is for the files of a tree alone; what belongs to the host is read elsewhere.
package tree

import (
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Tree is a root directory, held open.
type Tree struct {
	fd     int
	prefix string
	walks  atomic.Bool // openat2 is not to be had; walk instead
	buf    []byte      // for getdents64(2), see buffer
}

// buffer is for what the kernel says of a directory: one for all of them, since
// fresh memory costs more than the call. A Tree is for one goroutine at a time.
func (t *Tree) buffer() []byte {
	if t.buf == nil {
		t.buf = make([]byte, 32<<10)
	}
	return t.buf
}

// Open opens the directory at path, "" meaning "/", as the root of a tree.
// The error has the errno: ENOENT, ENOTDIR, EACCES.
func Open(path string) (*Tree, error) {
	if path == "" {
		path = "/"
	}
	path, err := Abs(path)
	if err != nil {
		return nil, err
	}
	fd, err := openat(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	t := &Tree{fd: fd}
	if path != "/" {
		t.prefix = path
	}
	return t, nil
}

// Abs makes path absolute and takes out what says nothing: "//", "/./" and slashes at
// the end. Unlike filepath.Abs it leaves "..", which, after a link, is not where the text has it.
func Abs(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		wd, err := os.Getwd()
		if err != nil {
			return "", err
		}
		path = wd + "/" + path
	}
	var b strings.Builder
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			b.WriteByte('/')
			b.WriteString(name)
		}
	}
	if b.Len() == 0 {
		return "/", nil
	}
	return b.String(), nil
}

// ShowAs makes messages name the tree's files below prefix instead of where they are.
func (t *Tree) ShowAs(prefix string) { t.prefix = prefix }

// Close releases the root. What comes after it fails with EBADF.
func (t *Tree) Close() error { return closeFd(&t.fd) }

// closeFd closes a file descriptor once: its number may be another file's by the next time.
func closeFd(fd *int) error {
	n := *fd
	if *fd = -1; n < 0 {
		return unix.EBADF
	}
	return unix.Close(n)
}

// Prefix is the path of the root as users see it, "" for "/".
func (t *Tree) Prefix() string { return t.prefix }

// Shown is the path p of the tree as users see it.
func (t *Tree) Shown(p string) string { return t.prefix + p }

func (t *Tree) fail(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: t.prefix + "/" + strings.TrimPrefix(p, "/"), Err: err}
}

// Kind is a file's type.
type Kind uint8

const (
	Unknown Kind = iota
	Regular
	Directory
	Link
	CharDevice
	BlockDevice
	Other // fifo, socket
)

// Stat is what is known of a file, inode(7).
type Stat struct {
	Kind           Kind
	Mode           uint32 // permission bits
	Size           int64  // bytes
	Dev, Ino, Rdev uint64
}

func kindOf(mode uint32) Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return Regular
	case unix.S_IFDIR:
		return Directory
	case unix.S_IFLNK:
		return Link
	case unix.S_IFCHR:
		return CharDevice
	case unix.S_IFBLK:
		return BlockDevice
	}
	return Other
}

func newStat(st *unix.Stat_t) Stat {
	return Stat{
		Kind: kindOf(st.Mode), Mode: st.Mode & 0o7777, Size: st.Size,
		Dev: uint64(st.Dev), Ino: st.Ino, Rdev: uint64(st.Rdev),
	}
}

func statFd(fd int) (Stat, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Stat{}, err
	}
	return newStat(&st), nil
}

// Stat follows links to the file they lead to, inside the tree.
func (t *Tree) Stat(p string) (Stat, error) { return t.stat(p, 0) }

// Lstat does not follow a link that is p's last component.
func (t *Tree) Lstat(p string) (Stat, error) { return t.stat(p, unix.O_NOFOLLOW) }

func (t *Tree) stat(p string, flags int) (Stat, error) {
	fd, err := t.open(p, unix.O_PATH|flags)
	if err != nil {
		return Stat{}, t.fail("stat", p, err)
	}
	defer unix.Close(fd)
	st, err := statFd(fd)
	return st, t.fail("stat", p, err)
}

// Readlink returns the target of the link p as it is written.
func (t *Tree) Readlink(p string) (string, error) {
	fd, err := t.open(p, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return "", t.fail("readlink", p, err)
	}
	defer unix.Close(fd)
	target, err := readlinkat(fd, "")
	if err == unix.ENOENT {
		err = unix.EINVAL // that is how an empty path names a file that is no link
	}
	return target, t.fail("readlink", p, err)
}

// ReadFile reads up to limit bytes of the file p, links followed. A device node
// counts as empty; EISDIR is a directory and ENOTTY what else has no contents. EFBIG: there is more.
func (t *Tree) ReadFile(p string, limit int64) ([]byte, Stat, error) {
	st, err := t.Stat(p)
	if err != nil {
		return nil, st, err
	}
	if err := readable(st.Kind); err != nil || st.Kind != Regular {
		return nil, st, t.fail("read", p, err)
	}
	fd, err := t.open(p, readFlags)
	if err != nil {
		return nil, st, t.fail("open", p, err)
	}
	defer unix.Close(fd)
	data, st, err := readAll(fd, limit)
	return data, st, t.fail("read", p, err)
}

// readFlags never block or take a terminal, whatever has come to lie at a path meanwhile.
const readFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY

func readable(k Kind) error {
	switch k {
	case Directory:
		return unix.EISDIR
	case Link:
		return unix.ELOOP
	case Other:
		return unix.ENOTTY
	}
	return nil
}

func readAll(fd int, limit int64) ([]byte, Stat, error) {
	st, err := statFd(fd)
	if err == nil {
		err = readable(st.Kind)
	}
	if err != nil || st.Kind != Regular {
		return nil, st, err
	}
	if st.Size > limit {
		return nil, st, unix.EFBIG
	}
	// One byte more than the size, so that the end is seen without growing.
	data := make([]byte, 0, st.Size+1)
	for {
		n, err := eintr(func() (int, error) { return unix.Read(fd, data[len(data):cap(data)]) })
		if err != nil {
			return nil, st, err
		}
		if n == 0 {
			return data, st, nil
		}
		data = data[:len(data)+n]
		if int64(len(data)) > limit {
			return nil, st, unix.EFBIG
		}
		if int64(len(data)) == st.Size && len(data) < cap(data) {
			return data, st, nil // a read that stops short of its buffer has seen the end
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}
