package namespace

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"

	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// make carries out one mount.
func (b *builder) make(m *Mount) error {
	switch m.Kind {
	case Inaccessible:
		return b.hide(m)
	case ReadOnly, ReadWrite, Writable, NoExec, Exec:
		return b.onItself(m)
	case Overlay:
		return b.overlay(m)
	case Image:
		return b.image(m)
	case Bind, BindAll, PrivateTmp:
		return b.bind(m)
	case Tmpfs:
		return b.tmpfs(m)
	case Run:
		if m.left = b.isMount(m.Path); m.left {
			return nil
		}
		return b.tmpfs(m)
	case PrivateDev:
		return b.devices(m)
	case HostDev, HostSys:
		return b.fromHost(m)
	case PrivateSys:
		return b.instance(m, func() (int, error) { return mount.New("sysfs", "", nil, api) })
	case Proc:
		return b.proc(m)
	case PrivateCgroup:
		return b.instance(m, b.cgroup)
	case MessageQueues:
		return b.instance(m, func() (int, error) { return mount.New("mqueue", "", nil, m.Attr) })
	case BPF:
		return b.instance(m, func() (int, error) { return mount.New("bpf", "none", nil, 0) })
	}
	return errors.ErrUnsupported
}

// covered tells whether there may be mounts at a path or below it.
func (b *builder) covered(p string) bool {
	fd, err := b.root.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return true
	}
	_, top, err := mount.Is(fd)
	return err != nil || top
}

// isMount tells whether there is a mount at a path.
func (b *builder) isMount(p string) bool {
	fd, err := b.root.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, top, err := mount.Is(fd)
	return err == nil && top
}

// clear unmounts what is mounted at a path and below it: with a mount goes what is on it, and each call takes the kernel the time of an RCU grace period.
func (b *builder) clear(p string) {
	if !b.covered(p) {
		return
	}
	for mount.Unmount(b.root, p, b.top) {
	}
	if !b.covered(p) {
		return
	}
	l, err := b.below()
	if err != nil {
		return
	}
	for i := range l {
		if _, in := below(l[i].Point, p); in && l[i].Point != p {
			for mount.Unmount(b.root, l[i].Point, b.top) {
			}
		}
	}
}

// below are the mounts of the root directory, their places seen from there.
func (b *builder) below() ([]mount.Entry, error) {
	l, err := b.table.Read()
	if err != nil {
		return nil, err
	}
	l = mount.Below(l, b.top)
	prefix := ""
	for _, e := range l {
		if e.ID == b.top {
			prefix = e.Point
		}
	}
	for i := range l {
		l[i].Point, _ = below(l[i].Point, prefix)
	}
	return l, nil
}

// attach puts a mount at a path.
func (b *builder) attach(fd int, p string) error {
	place, err := b.root.Handle(p, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer unix.Close(place)
	if err := mount.Attach(fd, place); err != nil || p != "/" {
		return err
	}
	root, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // which is another one now
	if err != nil {
		return err
	}
	return b.setRoot(root)
}

// cover puts a mount of what is open as from at a path.
func (b *builder) cover(from int, p string, recursive bool) error {
	fd, err := mount.Clone(from, "", recursive)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return b.attach(fd, p)
}

// hide puts something of the same kind over a file that nobody can open.
func (b *builder) hide(m *Mount) error {
	b.clear(m.Path)
	place, err := b.root.Handle(m.Path, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) && m.Optional {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return err
	}
	from := -1
	for _, n := range nodeNames {
		if n.mode == st.Mode&unix.S_IFMT {
			from, err = b.nodes.Handle(n.name, unix.O_PATH|unix.O_NOFOLLOW)
		}
	}
	if from < 0 { // devices that lead nowhere cannot always be made
		from, err = b.nodes.Handle("sock", unix.O_PATH|unix.O_NOFOLLOW)
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	return b.cover(from, m.Path, true)
}

// onItself makes a mount of what is at a path, to have attributes of its own.
func (b *builder) onItself(m *Mount) error {
	from, err := b.root.Handle(m.Path, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) && m.Optional {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	if _, top, err := mount.Is(from); err != nil || top {
		return err
	}
	return b.cover(from, m.Path, true)
}

// bind mounts what is on the host; where there is no such path in the root directory, it is made.
func (b *builder) bind(m *Mount) error {
	from, err := b.source(m)
	if errors.Is(err, unix.ENOENT) && m.Optional {
		m.left = true // whatever is there
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	err = b.cover(from, m.Path, m.Kind != Bind)
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := b.point(from, m.Path); err != nil {
		return err
	}
	return b.cover(from, m.Path, m.Kind != Bind)
}

// source opens what a mount is of.
func (b *builder) source(m *Mount) (int, error) {
	if m.Source[0] != '/' {
		return b.memory.Handle(m.Source, unix.O_PATH)
	}
	if _, ours := below(m.Source, b.q.Runtime); ours && b.q.Runtime != "" {
		return unix.Open(m.Source, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}
	return b.host.Handle(m.Source, unix.O_PATH)
}

// point makes a path for a mount of what is open as from.
func (b *builder) point(from int, p string) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	d, err := b.root.MkdirAll(path.Dir(p), 0o755)
	if err != nil {
		return err
	}
	defer d.Close()
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return d.Mkdir(path.Base(p), 0o755)
	}
	return unix.Mknodat(d.Fd(), path.Base(p), unix.S_IFREG|0o644, 0)
}

// directory opens the directory at a path, which it makes with its parents.
func (b *builder) directory(p string) (*tree.Dir, error) { return b.root.MkdirAll(p, 0o755) }

// tmpfs mounts a file system in memory.
func (b *builder) tmpfs(m *Mount) error {
	if d, err := b.directory(m.Path); err == nil {
		d.Close()
	}
	b.clear(m.Path)
	fd, err := mount.New("tmpfs", "", m.Options, m.Attr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return b.attach(fd, m.Path)
}

// fromHost mounts the host's /dev or /sys where there is none. Its path is not that of the mount, which may have come of a link of the tree.
func (b *builder) fromHost(m *Mount) error {
	if d, err := b.directory(m.Path); err == nil {
		d.Close()
	}
	if m.left = b.isMount(m.Path); m.left {
		return nil
	}
	from, err := unix.Open(m.Source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	return b.cover(from, m.Path, true)
}

// instance mounts a file system of the kernel's of its own, or what there is of it on the host where it may not be made.
func (b *builder) instance(m *Mount, make func() (int, error)) error {
	if d, err := b.directory(m.Path); err == nil {
		d.Close()
	}
	fd, err := make()
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return b.fromHost(m)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	parts := b.hostParts(m)
	b.clear(m.Path)
	if err := b.attach(fd, m.Path); err != nil {
		return err
	}
	for _, p := range parts {
		_ = b.attach(p.fd, p.path) // what is not in the new one needs no cover
		unix.Close(p.fd)
	}
	return nil
}

// A part is a mount that is nowhere yet, and where it belongs.
type part struct {
	fd   int
	path string
}

// hostParts are what is mounted on the host's /proc or /sys: what a container manager has covered there stays covered.
func (b *builder) hostParts(m *Mount) []part {
	dir := m.Source
	top, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil || dir != "/proc" && dir != "/sys" {
		return nil
	}
	defer unix.Close(top)
	id, _, err := mount.Is(top)
	if err != nil {
		return nil
	}
	table, err := b.table.Read()
	if err != nil {
		return nil
	}
	var l []part
	for _, e := range table {
		name, in := below(e.Point, dir)
		if e.Parent != id || !in || name == "/" {
			continue
		}
		fd, err := mount.Clone(top, name[1:], true)
		if err != nil {
			continue
		}
		if mount.Propagate(fd, unix.MS_PRIVATE) != nil {
			unix.Close(fd)
			continue
		}
		l = append(l, part{fd, path.Join(m.Path, name)})
	}
	return l
}

func (b *builder) cgroup() (int, error) {
	if b.hooks.Cgroup != nil {
		return b.hooks.Cgroup()
	}
	return mount.New("cgroup2", "cgroup2", nil, api)
}

func (b *builder) proc(m *Mount) error {
	if m.Optional && b.hooks.Proc == nil { // of a tree, where somebody may have mounted it
		if m.left = b.isMount(m.Path); m.left {
			return nil
		}
	}
	return b.instance(m, func() (int, error) {
		if b.hooks.Proc != nil {
			return b.hooks.Proc(m.Options)
		}
		fd, err := mount.New("proc", "", m.Options, api)
		if err != nil && len(m.Options) > 0 && b.q.Without != nil { // the host's is in its place, which hides nothing
			if err := b.q.Without(m.Why, err); err != nil {
				return -1, err
			}
		}
		return fd, err
	})
}

// temporary makes the file system that PrivateTmp=disconnected has in memory, which is outside the root directory: its parts are mounted there.
func (b *builder) temporary() error {
	for i := range b.mounts {
		m := &b.mounts[i]
		if m.Source == "" || m.Source[0] == '/' {
			continue
		}
		if b.memory == nil {
			fd, err := mount.New("tmpfs", "", append([]string{"mode=0700"}, limited[:]...), unix.MOUNT_ATTR_NODEV|strict)
			if err != nil {
				return err
			}
			b.memory = tree.At(fd, "/tmp")
			if err := mount.Attach(fd, b.under); err != nil {
				return err
			}
		}
		if err := unix.Mkdirat(b.memory.Root(), m.Source, 0o1777); err != nil {
			return err
		}
	}
	return nil
}
