package container

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
)

// custom makes a mount that the caller asked for.
func (b *builder) custom(m *Custom) error {
	if m.Target == "/" {
		return nil // that is the root already
	}
	if m.Kind == Inaccessible {
		return b.hide(m)
	}
	fd, from, err := b.customMount(m)
	if err != nil {
		return err
	}
	if b.c.later(m.Target) {
		unix.Close(from)
		b.late = append(b.late, lateMount{fd, m.Target, m.May})
		return nil
	}
	defer unix.Close(fd)
	if from < 0 {
		if err := b.attachAt(fd, m.Target); err != nil {
			return Failure{"Creating mount point for " + m.Kind.String() + " " + m.Target + " failed", err}
		}
		return nil
	}
	defer unix.Close(from)
	return b.attachCustom(fd, from, m)
}

// A lateMount is one that is not there before there are others.
type lateMount struct {
	fd     int
	target string
	may    bool // there may be no target
}

func (b *builder) closeLate() {
	for _, m := range b.late {
		unix.Close(m.fd)
	}
}

// later tells whether a place is in what the container's first process mounts.
func (c *Container) later(target string) bool {
	in := func(dir string) bool { return target == dir || strings.HasPrefix(target, dir+"/") }
	return in("/proc") || in(cgroupDir) || c.networkView() && in(sysDir)
}

// customMount makes a mount that is nowhere yet, and opens what it is of, if that is something.
func (b *builder) customMount(m *Custom) (fd, from int, err error) {
	switch m.Kind {
	case Tmpfs:
		fd, err = b.customTmpfs(m)
		return fd, -1, err
	case Overlay:
		fd, err = b.customOverlay(m)
		return fd, -1, err
	case FileSystem:
		fd, err = b.customFileSystem(m)
		return fd, -1, err
	}
	if from, err = b.open(m.Source, m.InTree); err != nil {
		return -1, -1, Failure{"Failed to clone " + m.Source, err}
	}
	if fd, err = b.customBind(m, from); err != nil {
		unix.Close(from)
	}
	return fd, from, err
}

// customBind is a mount of what is open as from.
func (b *builder) customBind(m *Custom, from int) (int, error) {
	fd, ok := b.clones[m]
	err := error(nil)
	if delete(b.clones, m); !ok {
		fd, err = mount.Clone(from, "", !m.Shallow)
	}
	if err != nil {
		return -1, Failure{"Failed to clone " + m.Source, err}
	}
	if m.Map != NoMap {
		err = b.mapCustom(m, fd, from)
	}
	if err != nil {
		unix.Close(fd)
		return -1, Failure{"Failed to map ids for bind mount " + m.Target, err}
	}
	attr := uint64(0)
	if m.ReadOnly {
		attr |= readOnly
	}
	if b.c.Limit.Hardened && deviceOf(from) == 0 {
		attr |= noDev
	}
	if attr != 0 {
		if err := mount.Set(fd, attr, true); err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	return fd, nil
}

// attachCustom puts a mount of what is open as from at its target.
func (b *builder) attachCustom(fd, from int, m *Custom) error {
	err := b.attachOn(fd, from, m.Target)
	var st, target unix.Stat_t
	if err == nil || unix.Fstat(from, &st) != nil {
		return err
	}
	place, e := b.root.Handle(m.Target, unix.O_PATH)
	if errors.Is(e, unix.ENOENT) {
		if _, e := b.root.Stat(path.Dir(m.Target)); e != nil {
			return Failure{"Failed to make parents of " + m.Target, err}
		}
		return Failure{"Failed to create mount point " + m.Target, err}
	}
	if e != nil {
		return err
	}
	defer unix.Close(place)
	if unix.Fstat(place, &target) != nil {
		return err
	}
	switch a, b := st.Mode&unix.S_IFMT == unix.S_IFDIR, target.Mode&unix.S_IFMT == unix.S_IFDIR; {
	case a && !b:
		return Refusal("Cannot bind mount directory " + m.Source + " on file " + m.Target + ".")
	case b && !a:
		return Refusal("Cannot bind mount file " + m.Source + " on directory " + m.Target + ".")
	}
	return err
}

// otherRoot puts what was asked for on "/" over the tree, open and mounted as fd at place, and returns what is then the root directory.
func (b *builder) otherRoot(fd, place int) (int, error) {
	for i := range b.c.Mounts {
		m := &b.c.Mounts[i]
		if m.Target != "/" || m.Kind == Inaccessible {
			continue
		}
		b.root = tree.At(fd, b.c.Tree)
		root, from, err := b.customMount(m)
		if err != nil {
			return -1, err
		}
		if from >= 0 {
			unix.Close(from)
		}
		if err := mount.Attach(root, place); err != nil {
			return -1, Failure{"Failed to mount /", err}
		}
		unix.Close(fd)
		fd = root
	}
	return fd, nil
}

// open opens a source, of the host or of the tree.
func (b *builder) open(path string, inTree bool) (int, error) {
	if inTree {
		return b.root.Handle(path, unix.O_PATH)
	}
	return unix.FcntlInt(uintptr(b.from[path]), unix.F_DUPFD_CLOEXEC, 0)
}

func (b *builder) customTmpfs(m *Custom) (int, error) {
	attr, options := mount.Split(m.Options, noDev|strict)
	options = b.c.owned(options...)
	all := options
	if attr&readOnly != 0 {
		all = append([]string{"ro"}, options...)
	}
	fd, err := mount.New("tmpfs", "", all, attr)
	if err != nil {
		return -1, notMounted("tmpfs", m.Target, attr, options, err)
	}
	return fd, nil
}

// customFileSystem mounts a file system of any type, of what the host has.
func (b *builder) customFileSystem(m *Custom) (int, error) {
	attr, options := mount.Split(m.Options, 0)
	all, source := options, m.Source
	if attr&readOnly != 0 {
		all = append([]string{"ro"}, options...)
	}
	fd, err := mount.New(m.Type, source, all, attr)
	if err != nil {
		return -1, notMountedFrom(source, m.Type, m.Target, attr, options, err)
	}
	return fd, nil
}

// notMounted is the failure of a mount(2).
func notMounted(typ, target string, attr uint64, options []string, err error) error {
	return notMountedFrom(typ, typ, target, attr, options, err)
}

func notMountedFrom(source, typ, target string, attr uint64, options []string, err error) error {
	return Failure{"Failed to mount " + source + " (type " + typ + ") on " + target + " (" + mountFlags(attr) + " \"" + strings.Join(options, ",") + "\")", err}
}

// customOverlay lays directories over each other; the last of them takes the changes, if there is a work directory.
func (b *builder) customOverlay(m *Custom) (int, error) {
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	// A path of a file descriptor has no characters that the option would need to have escaped, and is what was checked.
	path := func(p string) (string, error) {
		rest, inTree := strings.CutPrefix(p, "+")
		fd, err := b.open(rest, inTree)
		if err != nil {
			return "", err
		}
		fds = append(fds, fd)
		return sys.FDPath(fd), nil
	}
	var lower, named []string
	for i := range m.Lower { // the option has the highest first
		lower = append(lower, m.Lower[len(m.Lower)-1-i])
		named = append(named, strings.TrimPrefix(lower[i], "+"))
	}
	names := []string{"lowerdir=" + strings.Join(named, ":")}
	if !m.ReadOnly {
		names = append(names, "upperdir="+strings.TrimPrefix(m.Source, "+"), "workdir="+m.Work)
	}
	flags := uint64(0)
	if m.ReadOnly {
		flags = readOnly
	}
	fail := func(err error) (int, error) { return -1, notMounted("overlay", m.Target, flags, names, err) }
	if !m.ReadOnly && m.Work == "" {
		return fail(unix.ENOENT) // of a directory of the tree for changes, which would have to be left in it
	}
	if upper, inTree := strings.CutPrefix(m.Upper(), "+"); inTree {
		if d, err := b.root.MkdirAll(upper, 0o755); err == nil {
			d.Close()
		}
	}
	for i, l := range lower {
		p, err := path(l)
		if err != nil {
			return fail(err)
		}
		lower[i] = p
	}
	options := []string{"lowerdir=" + strings.Join(lower, ":")}
	if !m.ReadOnly {
		upper, err := path(m.Source)
		if err != nil {
			return fail(err)
		}
		work, err := path(m.Work)
		if err != nil {
			return fail(err)
		}
		options = append(options, "upperdir="+upper, "workdir="+work)
	}
	fd, err := mount.New("overlay", "overlay", options, 0)
	if err != nil {
		return fail(err)
	}
	if m.ReadOnly {
		if err := mount.Set(fd, readOnly, false); err != nil {
			unix.Close(fd)
			return fail(err)
		}
	}
	return fd, nil
}

// hide puts something of the same kind over the target that nobody can open.
func (b *builder) hide(m *Custom) error {
	place, err := -1, error(nil)
	later := b.c.later(m.Target)
	if later { // the host has the same there
		place, err = unix.Open(m.Target, unix.O_PATH|unix.O_CLOEXEC, 0)
	} else {
		place, err = b.root.Handle(m.Target, unix.O_PATH)
	}
	if m.May && absent(err) {
		return nil
	}
	if err != nil {
		return Failure{"Failed to resolve " + m.Target, err}
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return err
	}
	name := map[uint32]string{unix.S_IFREG: "reg", unix.S_IFDIR: "dir", unix.S_IFIFO: "fifo", unix.S_IFSOCK: "sock",
		unix.S_IFCHR: "chr", unix.S_IFBLK: "blk"}[st.Mode&unix.S_IFMT]
	from, err := b.root.Handle(inaccessible+"/"+name, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) { // devices that lead nowhere cannot always be made
		from, err = b.root.Handle(inaccessible+"/sock", unix.O_PATH)
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	fd, err := mount.Clone(from, "", false)
	if err != nil {
		return err
	}
	if err := mount.Set(fd, locked, false); err != nil {
		unix.Close(fd)
		return err
	}
	if later {
		b.late = append(b.late, lateMount{fd, m.Target, m.May})
		return nil
	}
	defer unix.Close(fd)
	return mount.Attach(fd, place)
}

// mountOptions are the options of a step as the reference has them.
func (c *Container) mountOptions(s *Step) []string {
	l := slices.Clone(s.Options)
	if s.Type == "tmpfs" && c.shift() == 0 {
		l = slices.DeleteFunc(l, func(o string) bool { return strings.HasPrefix(o, "context=") })
		l = append(l, "uid=0", "gid=0")
		if c.Label != nil {
			l = append(l, `context="`+*c.Label+`"`)
		}
	}
	return l
}

// mountFlags are attributes of a mount under the names that mount(2) has for them.
func mountFlags(attr uint64) string {
	var l []string
	for _, f := range [...]struct {
		attr uint64
		name string
	}{{readOnly, "MS_RDONLY"}, {noSuid, "MS_NOSUID"}, {noDev, "MS_NODEV"}, {noExec, "MS_NOEXEC"}, {unix.MOUNT_ATTR_NODIRATIME, "MS_NODIRATIME"},
		{unix.MOUNT_ATTR_NOSYMFOLLOW, "MS_NOSYMFOLLOW"}} {
		if attr&f.attr != 0 {
			l = append(l, f.name)
		}
	}
	if attr&unix.MOUNT_ATTR__ATIME == strict {
		l = append(l, "MS_STRICTATIME")
	}
	if l == nil {
		return "0"
	}
	return strings.Join(l, "|")
}
