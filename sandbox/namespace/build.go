package namespace

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// Hooks make what only a process in other namespaces than the builder's can make: mounts that are nowhere yet. Without one the builder does.
type Hooks struct {
	Proc   func(options []string) (int, error) // /proc of the service's own PID namespace
	Cgroup func() (int, error)                 // of its own cgroup namespace
}

// ErrDenied is that there may be no other mount namespace here. A service whose Plan is not Essential systemd starts without it.
var ErrDenied = errors.New("mount namespaces are not allowed here")

// An Error is what could not be mounted.
type Error struct {
	Path string // in the service's root directory, "" if it is none in particular
	Why  string // the setting
	Err  error
}

func (e *Error) Error() string {
	s := "Failed to set up mount namespacing: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	return s + sys.Strerror(sys.Errno(e.Err))
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// A builder carries out a plan.
type builder struct {
	p      *Plan
	q      *Request
	hooks  Hooks
	mounts list
	host   *tree.Tree   // where sources are
	root   *tree.Tree   // the service's root directory
	top    uint64       // its mount
	table  *mount.Table // of the namespace
	nodes  *tree.Tree   // what covers what is inaccessible
	memory *tree.Tree   // of PrivateTmp=disconnected
	layers []*tree.Tree // of extensions
	open   []int        // to be closed in the end
	under  int          // where the root directory is mounted on the way
}

// Build makes the namespace and moves the calling thread into it, which must be locked and never be used for anything else: what it forks
// is in the namespace, with the service's root directory as its own.
func (p *Plan) Build(h Hooks) error {
	if p.q.err != nil {
		return &Error{Err: p.q.err}
	}
	b := &builder{p: p, q: p.q, hooks: h, mounts: append(list(nil), p.Mounts...)}
	defer b.close()
	old := unix.Umask(0)
	defer unix.Umask(old)
	if err := b.unshare(); err != nil {
		return err
	}
	b.release()
	if err := b.openRoot(); err != nil {
		return err
	}
	if b.q.rooted() {
		b.skeleton()
	}
	if err := b.apply(); err != nil {
		return err
	}
	for _, l := range p.Links {
		if err := b.link(l[0], l[1]); err != nil && !errors.Is(err, unix.EEXIST) {
			return &Error{Path: l[0], Err: err}
		}
	}
	if err := b.attributes(); err != nil {
		return err
	}
	if err := mount.Enter(b.root.Root()); err != nil {
		return &Error{Err: err}
	}
	if err := unix.Mount("", "/", "", uintptr(p.Propagation|unix.MS_REC), ""); err != nil {
		return &Error{Err: err}
	}
	return nil
}

func (b *builder) close() {
	for _, t := range append(b.layers, b.host, b.root, b.nodes, b.memory) {
		if t != nil {
			_ = t.Close()
		}
	}
	if b.table != nil {
		_ = b.table.Close()
	}
	for _, fd := range b.open {
		unix.Close(fd)
	}
}

// unshare gives the thread mounts of its own, and opens the host's root directory.
func (b *builder) unshare() error {
	if b.q.Image != nil {
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return &Error{Err: err}
		}
		if err := b.q.Image.Enter(); err != nil {
			return &Error{Err: err}
		}
	}
	switch err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case err != nil:
		return &Error{Err: err}
	}
	host, err := tree.Open(b.q.Tree)
	if err != nil {
		return &Error{Err: err}
	}
	b.host = host
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		// In a chroot, whose root directory is no mount: that of the namespace is.
		if err := sys.LeaveChroot(); err != nil {
			return &Error{Err: err}
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
			return &Error{Err: err}
		}
	}
	b.table, err = mount.OpenTable()
	if err != nil {
		return &Error{Err: err}
	}
	return nil
}

// quiet are directories that no source of a mount is in: a root directory that is the host's is mounted on the first that is there.
var quiet = [...]string{"/run/systemd/mount-rootfs", "/sys/kernel/tracing", "/sys/kernel/debug", "/sys/fs/fuse/connections", "/mnt"}

// place opens the directory where the new root directory is mounted on the way.
func (b *builder) place() (int, error) {
	if b.q.Runtime != "" {
		p := b.q.Runtime + "/root"
		_ = unix.Mkdir(p, 0o555)
		if fd, err := unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
			return fd, nil
		}
	}
	for _, p := range quiet {
		if fd, err := unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
			return fd, nil
		}
	}
	return -1, unix.ENOENT
}

// openRoot mounts the service's root directory where only this thread sees it.
func (b *builder) openRoot() error {
	var from, place int
	var err error
	shown := b.q.Root
	switch {
	case b.q.Image != nil:
		from, err = unix.Open(b.q.Image.Place, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	case b.q.Copy != "":
		from, err = b.host.Handle(b.q.Copy, unix.O_PATH|unix.O_DIRECTORY)
	case b.q.Root != "":
		from, err = b.host.Handle(b.q.Root, unix.O_PATH|unix.O_DIRECTORY)
	default:
		from, err = b.host.Handle("/", unix.O_PATH|unix.O_DIRECTORY)
	}
	if err != nil {
		return &Error{Path: shown, Why: "RootDirectory=", Err: err}
	}
	defer unix.Close(from)
	place = from
	if !b.q.rooted() {
		if place, err = b.place(); err != nil {
			return &Error{Err: err}
		}
		defer unix.Close(place)
	}
	fd, err := mount.Clone(from, "", true)
	if err != nil {
		return &Error{Path: shown, Err: err}
	}
	b.under = place
	if err := b.covers(place); err != nil {
		return &Error{Err: err}
	}
	if err := b.temporary(); err != nil {
		return &Error{Why: "PrivateTmp=", Err: err}
	}
	if err := b.openLayers(); err != nil {
		return err
	}
	if err := mount.Attach(fd, place); err != nil {
		return &Error{Path: shown, Err: err}
	}
	if err := b.setRoot(fd); err != nil {
		return &Error{Err: err}
	}
	return nil
}

// setRoot has the mount that is open as fd be the root directory.
func (b *builder) setRoot(fd int) (err error) {
	if b.root != nil {
		_ = b.root.Close()
	}
	b.root = tree.At(fd, "/")
	b.top, _, err = mount.Is(fd)
	return err
}

// covers makes what is mounted over what is inaccessible, below the new root directory, if the host has no such nodes.
func (b *builder) covers(place int) error {
	const dir = "/run/systemd/inaccessible"
	if b.q.Tree == "" {
		if fd, err := b.host.Handle(dir, unix.O_PATH|unix.O_DIRECTORY); err == nil {
			b.nodes = tree.At(fd, dir)
			return nil
		}
	}
	fd, err := mount.New("tmpfs", "", []string{"mode=0755", "size=4k", "nr_inodes=16"}, api)
	if err != nil {
		return err
	}
	b.nodes = tree.At(fd, dir)
	for _, n := range nodeNames {
		if n.mode == unix.S_IFDIR {
			err = unix.Mkdirat(fd, n.name, 0)
		} else {
			err = unix.Mknodat(fd, n.name, n.mode, 0)
		}
		if err != nil && !errors.Is(err, unix.EPERM) {
			return err
		}
	}
	return mount.Attach(fd, place)
}

// nodeNames are what there is of each kind of file that nobody can open.
var nodeNames = [...]struct {
	mode uint32
	name string
}{{unix.S_IFREG, "reg"}, {unix.S_IFDIR, "dir"}, {unix.S_IFIFO, "fifo"}, {unix.S_IFSOCK, "sock"}, {unix.S_IFCHR, "chr"}, {unix.S_IFBLK, "blk"}}

// release copies what tells of the host to where it can be mounted from: a copy, since it may be replaced while the service runs.
func (b *builder) release() {
	dir := b.q.release()
	if dir == "" {
		return
	}
	for _, p := range [...]string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, _, err := b.host.ReadFile(p, 1<<20); err == nil {
			t, err := tree.Open(b.q.Runtime)
			if err != nil {
				return
			}
			defer t.Close()
			if d, err := t.MkdirAll(releaseDir, 0o755); err == nil {
				d.Close()
				_ = t.WriteFile(releaseDir+"/os-release", data, 0o644)
			}
			return
		}
	}
}

// releaseDir is where the copy is in Runtime.
const releaseDir = "/.os-release-stage"

// step replaces the first link in a path by what it leads to, inside the root directory, or the first ".." that came of one. Where
// it leads to other mounts may have to be made first, which is why a path is resolved piece by piece.
func (b *builder) step(p string) (string, bool, error) {
	at, rest := "/", p
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		switch name {
		case "", ".":
			continue
		case "..":
			return simple(path.Dir(at) + "/" + rest), true, nil
		}
		next := path.Join(at, name)
		st, err := b.root.Lstat(next)
		if errors.Is(err, unix.ENOENT) {
			return path.Join(next, rest), false, nil
		}
		if err != nil {
			return "", false, err
		}
		if st.Kind != tree.Link {
			at = next
			continue
		}
		target, err := b.root.Readlink(next)
		if err != nil {
			return "", false, err
		}
		if !path.IsAbs(target) {
			target = at + "/" + target
		}
		return simple(target + "/" + rest), true, nil
	}
	return at, false, nil
}

// simple is a path without what says nothing.
func simple(p string) string {
	if q, err := tree.Abs(p); err == nil {
		return q
	}
	return p
}

// maxLinks is how many links one path may have, path_resolution(7).
const maxLinks = 32

// apply makes the mounts.
func (b *builder) apply() error {
	for again := true; again; {
		again = false
		for i := range b.mounts {
			m := &b.mounts[i]
			if m.made {
				continue
			}
			to, link, err := b.step(m.Path)
			if err != nil {
				return b.failed(m, err)
			}
			if m.Path = to; link {
				if m.followed++; m.followed > maxLinks {
					return b.failed(m, unix.ELOOP)
				}
				again = true
				break
			}
			if err := b.make(m); err != nil {
				return b.failed(m, err)
			}
			m.made = true
		}
		if again {
			b.mounts.sortAndDrop()
		}
	}
	return nil
}

func (b *builder) failed(m *Mount, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Path: m.Path, Why: m.Why, Err: err}
}

// link makes a symbolic link, with the directories that it is in, if there is nothing of that name.
func (b *builder) link(at, to string) error {
	d, err := b.root.MkdirAll(path.Dir(at), 0o755)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Symlink(to, path.Base(at))
}

// skeleton makes the directories and links that every root directory has, where they are missing and can be made.
func (b *builder) skeleton() {
	for _, d := range baseDirectories {
		if fd, err := b.root.MkdirAll(d.path, d.mode); err == nil {
			fd.Close()
		}
	}
	for _, l := range baseLinks {
		if _, err := b.root.Lstat("/" + l.to + "/" + l.has); err == nil {
			_ = b.link("/"+l.name, l.to)
		}
	}
}

var baseDirectories = [...]struct {
	path string
	mode uint32
}{{"/usr", 0o755}, {"/root", 0o750}, {"/var", 0o755}, {"/etc", 0o755}, {"/proc", 0o555}, {"/sys", 0o555}, {"/dev", 0o555}, {"/run", 0o555}}

// baseLinks are made to directories that are there and have a certain file: the programs' interpreter of the 64 bit architectures that keep
// it in /lib64.
var baseLinks = [...]struct{ name, to, has string }{
	{"bin", "usr/bin", ""}, {"lib", "usr/lib", ""}, {"sbin", "usr/sbin", ""},
	{"lib64", "usr/lib/x86_64-linux-gnu", "ld-linux-x86-64.so.2"}, {"lib64", "usr/lib64", "ld-linux-x86-64.so.2"},
	{"lib64", "usr/lib/powerpc64le-linux-gnu", "ld64.so.2"}, {"lib64", "usr/lib64", "ld64.so.2"},
	{"lib64", "usr/lib/loongarch64-linux-gnu", "ld-linux-loongarch-lp64d.so.1"}, {"lib64", "usr/lib64", "ld-linux-loongarch-lp64d.so.1"},
}
