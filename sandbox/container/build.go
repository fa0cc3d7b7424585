package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/sandbox/mount"
	"ctl/sandbox/program"
)

// A builder makes the root directory of a container. It works on a thread that has mounts, a root directory and a umask of
// its own; what it does the host does not see.
type builder struct {
	c        *Container
	root     *tree.Tree      // the container's root directory
	from     map[string]int  // what of the host is mounted, open by its path
	clones   map[*Custom]int // the mounts of it that the caller wants, made before there are those of the tree, which may be in them
	users    int             // a user namespace for idmapped mounts, -1 if there is none
	master   *os.File        // of the console
	slave    *os.File
	stub     *os.File  // our own program
	dir      *tree.Dir // of the last step that made something
	dirPath  string
	late     []lateMount
	heap     *program.Heap
	cgroups  int // all of them, mounted nowhere yet, -1 where the container sees its own only or there are none
	warnings []string
}

// build makes the root directory, in a new mount namespace of the calling thread.
func (b *builder) build() error {
	if err := b.unshare(); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	unix.Umask(0)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		if err := b.leaveChroot(); err != nil {
			return fmt.Errorf("keep mounts from the host: %w", err)
		}
	}
	steps := b.c.Steps()
	defer b.closeSources()
	if err := b.sources(steps); err != nil {
		return err
	}
	fd, err := b.openTree()
	if err != nil {
		return err
	}
	b.root = tree.At(fd, b.c.Tree)
	defer b.closeDir()
	for i := range steps {
		s := &steps[i]
		if s.mounts() {
			b.closeDir()
		}
		if err := b.do(s); err != nil {
			if s.May && absent(err) {
				continue
			}
			if said(err) {
				return err
			}
			return fmt.Errorf("%s %s: %w", s.Do, s.Target, bare(err))
		}
	}
	_ = b.asOwner(b.timezone)
	_ = b.asOwner(b.resolvConf)
	if err := b.credentials(); err != nil {
		return fmt.Errorf("pass credentials: %w", bare(err))
	}
	if err := b.home(); err != nil {
		return Failure{"Failed to make home directory", err}
	}
	return b.checkExec()
}

// bare is err without the words round its errno, where they would say what the caller says too.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// absent tells whether something is not there, or not to be had.
func absent(err error) bool {
	if err == nil {
		return false
	}
	for _, e := range []error{unix.ENOENT, unix.ENXIO, unix.ENODEV, unix.ENOTDIR, unix.EPERM, unix.EROFS, unix.EACCES} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sources opens what is to be mounted from the host, before anything is mounted over the paths that lead there.
func (b *builder) sources(steps []Step) error {
	b.from = make(map[string]int)
	want := func(path string, may bool) error {
		if _, ok := b.from[path]; ok || path == "" {
			return nil
		}
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			if may {
				return nil
			}
			return fmt.Errorf("Failed to clone %s: %w", path, err)
		}
		b.from[path] = fd
		return nil
	}
	if err := eachSource(steps, want); err != nil {
		return err
	}
	b.clones = make(map[*Custom]int)
	for i := range steps {
		if m := steps[i].Custom; m != nil && m.Kind == Bind && !m.InTree && holds(b.from[m.Source], b.c.Tree) {
			if fd, err := mount.Clone(b.from[m.Source], "", !m.Shallow); err == nil {
				b.clones[m] = fd
			}
		}
	}
	return nil
}

// holds tells whether a path is in the directory that is open.
func holds(dir int, p string) bool {
	name, err := os.Readlink(sys.FDPath(dir))
	return err == nil && strings.HasPrefix(p+"/", strings.TrimSuffix(name, "/")+"/")
}

func (b *builder) closeSources() {
	for _, fd := range b.from {
		unix.Close(fd)
	}
	for _, fd := range b.clones {
		unix.Close(fd)
	}
}

// openStub opens what the stub takes, if there is to be one.
func (b *builder) openStub() (err error) {
	if !b.c.Process.Stub {
		return nil
	}
	if b.stub, err = sealed(); err != nil {
		return fmt.Errorf("seal the stub: %w", err)
	}
	return nil
}

// credentials puts the secrets where nothing is ever written to a disk.
func (b *builder) credentials() error {
	if len(b.c.Creds) == 0 {
		return nil
	}
	dirMode, mode := uint32(0o500), uint32(0o400)
	if u := b.c.User; u != nil && u.UID != 0 && b.c.Limit.NoNewPrivileges {
		dirMode, mode = 0o555, 0o444 // nobody would be there to hand them on
	}
	if err := b.do(&Step{Do: Mount, Target: credsPath, Type: "ramfs", Attr: locked &^ readOnly, Options: []string{"mode=0700"}}); err != nil {
		return err
	}
	d, err := b.root.OpenDir(credsPath)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, s := range b.c.Creds {
		if err := b.own(d.Fd(), s.Name, writeAt(d.Fd(), s.Name, s.Data, mode)); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(d.Fd(), dirMode); err != nil {
		return err
	}
	if s := b.c.shift(); s != 0 {
		if err := unix.Fchown(d.Fd(), s, s); err != nil {
			return err
		}
	}
	return mount.Set(d.Fd(), locked, false)
}

// home makes the home directory of a user who has none.
func (b *builder) home() error {
	u := b.c.User
	if u == nil || u.UID == 0 || u.Home == "" || u.Home == "/" || b.c.ReadOnly {
		return nil
	}
	if _, err := b.root.Stat(u.Home); !errors.Is(err, unix.ENOENT) {
		return nil
	}
	var d *tree.Dir
	name := path.Base(u.Home)
	err := b.asOwner(func() (err error) {
		if d, err = b.root.MkdirAll(path.Dir(u.Home), 0o775); err == nil {
			err = unix.Mkdirat(d.Fd(), name, 0o755)
		}
		return err
	})
	if err != nil {
		return err
	}
	defer d.Close()
	base := b.c.shift()
	return unix.Fchownat(d.Fd(), name, base+int(u.UID), base+int(u.GID), unix.AT_SYMLINK_NOFOLLOW)
}

// do carries out a step.
func (b *builder) do(s *Step) error {
	switch s.Do {
	case Mount:
		fd, err := mount.New(s.Type, "", s.Options, s.Attr)
		if s.Type == "sysfs" && errors.Is(err, unix.EPERM) { // it is for who owns the network
			fd, err = hostSys(s.Attr)
		}
		if err != nil {
			return notMounted(s.Type, s.Target, s.Attr, b.c.mountOptions(s), err)
		}
		defer unix.Close(fd)
		if s.Type == "devpts" {
			if shift := b.c.shift(); shift != 0 {
				_ = unix.Fchownat(fd, "", shift, shift, unix.AT_EMPTY_PATH)
				_ = unix.Fchownat(fd, "ptmx", shift, shift, unix.AT_SYMLINK_NOFOLLOW)
			}
			if err := b.openConsole(fd); err != nil {
				return err
			}
		}
		return b.attachAt(fd, s.Target)
	case SelfBind:
		return b.bind(s)
	case HostBind:
		return b.hostBind(s)
	case Directory:
		return b.directory(s.Target, s.Mode)
	case Link:
		if s.May {
			if _, err := b.root.Stat(path.Join(path.Dir(s.Target), s.Source)); err != nil {
				return err
			}
		}
		return b.in(s.Target, func(dir int, name string) error {
			err := unix.Symlinkat(s.Source, dir, name)
			if s.May && errors.Is(err, unix.EEXIST) {
				return nil
			}
			return b.own(dir, name, err)
		})
	case Device:
		return b.device(s)
	case Extra:
		if err := b.extra(s.Extra); err != nil {
			return Failure{"Failed to create device node '" + s.Target + "'", err}
		}
		return nil
	case Node:
		return b.in(s.Target, func(dir int, name string) error {
			return b.own(dir, name, unix.Mknodat(dir, name, s.Mode, 0))
		})
	case Write:
		return b.in(s.Target, func(dir int, name string) error {
			return b.own(dir, name, writeAt(dir, name, s.Data, s.Mode))
		})
	case Seal:
		fd, err := b.root.Handle(s.Target, unix.O_PATH)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return mount.Set(fd, s.Attr, s.Target == "/") // all that is mounted in the tree
	case Wanted:
		return b.custom(s.Custom)
	}
	return errors.ErrUnsupported
}

// hostSys is the host's /sys, mounted nowhere yet.
func hostSys(attr uint64) (int, error) {
	from, err := unix.Open("/sys", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(from)
	fd, err := mount.Clone(from, "", true)
	if err != nil {
		return -1, err
	}
	return fd, mount.Set(fd, attr, true)
}

// attachAt puts a mount at target, a directory that is made if it is missing.
func (b *builder) attachAt(fd int, target string) error {
	d, err := b.makeDirectory(target)
	if err != nil {
		return err
	}
	defer d.Close()
	return mount.Attach(fd, d.Fd())
}

// makeDirectory opens the directory at target, which it makes with its parents.
func (b *builder) makeDirectory(target string) (*tree.Dir, error) {
	d, err := b.root.OpenDir(target)
	if !errors.Is(err, unix.ENOENT) {
		return d, err
	}
	if above, err := b.makeDirectory(path.Dir(target)); err == nil {
		above.Close()
	}
	err = b.asOwner(func() (err error) {
		d, err = b.root.MkdirAll(target, 0o755)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s := b.c.shift(); s != 0 {
		_ = unix.Fchown(d.Fd(), s, s)
	}
	return d, nil
}

// directory makes one directory; one that is there already stays as it is.
func (b *builder) directory(target string, mode uint32) error {
	err := b.in(target, func(dir int, name string) error {
		return b.own(dir, name, unix.Mkdirat(dir, name, mode))
	})
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// asOwner does something in the tree, and again as the container's root user where the tree shows all files with the owners
// of its user namespace and nobody else can own one.
func (b *builder) asOwner(do func() error) error {
	err := do()
	if !errors.Is(err, unix.EOVERFLOW) || b.c.Users == nil {
		return err
	}
	s := b.c.shift()
	_ = unix.Setfsgid(s) // both are of this thread alone
	_ = unix.Setfsuid(s)
	defer func() {
		_ = unix.Setfsuid(0)
		_ = unix.Setfsgid(0)
	}()
	return do()
}

// in opens the directory that target is in, made if need be, and has make put the last component there. It stays open for the next step, which is
// often about the same one, until something is mounted.
func (b *builder) in(target string, make func(dir int, name string) error) error {
	if dir := path.Dir(target); b.dir == nil || b.dirPath != dir {
		b.closeDir()
		d, err := b.makeDirectory(dir)
		if err != nil {
			return err
		}
		b.dir, b.dirPath = d, dir
	}
	return b.asOwner(func() error { return make(b.dir.Fd(), path.Base(target)) })
}

// closeDir closes what in has left open.
func (b *builder) closeDir() {
	if b.dir != nil {
		b.dir.Close()
		b.dir = nil
	}
}

// own gives what was made to the container's root user.
func (b *builder) own(dir int, name string, err error) error {
	s := b.c.shift()
	if err != nil || s == 0 {
		return err
	}
	return unix.Fchownat(dir, name, s, s, unix.AT_SYMLINK_NOFOLLOW)
}

// writeAt makes a file.
func writeAt(dir int, name string, data []byte, mode uint32) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for len(data) > 0 {
		n, err := unix.Write(fd, data)
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return unix.Fchmod(fd, mode)
}

// bind mounts what is in the container at another place of it.
func (b *builder) bind(s *Step) error {
	from, err := b.root.Handle(s.Source, unix.O_PATH)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	return b.bindFrom(from, s)
}

// hostBind mounts what is on the host.
func (b *builder) hostBind(s *Step) error {
	from, ok := b.from[s.Source]
	if !ok {
		return unix.ENOENT
	}
	return b.bindFrom(from, s)
}

func (b *builder) bindFrom(from int, s *Step) error {
	fd, err := b.hostFile(from, s)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return b.attachOn(fd, from, s.Target)
}

// hostFile is what is open as from, mounted once more and nowhere yet.
func (b *builder) hostFile(from int, s *Step) (int, error) {
	fd, err := mount.Clone(from, "", false)
	if err != nil {
		return -1, err
	}
	if err = mount.Propagate(fd, s.propagation()); err == nil {
		err = mount.Set(fd, s.Attr, false)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// attachOn puts a mount of what is open as from at target; what is missing there is made of the same kind.
func (b *builder) attachOn(fd, from int, target string) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return b.attachAt(fd, target)
	}
	place, err := b.root.Handle(target, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		if real, e := b.root.Resolve(target, true); e == nil { // where a link leads that leads nowhere yet
			target = real
		}
		err = b.in(target, func(dir int, name string) error {
			return b.own(dir, name, writeAt(dir, name, nil, 0o644))
		})
		if err == nil {
			place, err = b.root.Handle(target, unix.O_PATH)
		}
	}
	if err != nil {
		return err
	}
	defer unix.Close(place)
	return mount.Attach(fd, place)
}

// device makes a device as the host has it, or mounts the host's where none may be made.
func (b *builder) device(s *Step) error {
	host := s.Target
	var st unix.Stat_t
	if err := unix.Stat(host, &st); err != nil {
		if errors.Is(err, unix.ENOENT) { // what the host lacks the container does
			return nil
		}
		return err
	}
	if st.Mode&unix.S_IFMT != s.Mode {
		return unix.ENXIO
	}
	if s.May { // somebody may be kept from using it
		fd, err := unix.Open(host, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if err != nil {
			return unix.ENXIO
		}
		unix.Close(fd)
	}
	err := b.in(s.Target, func(dir int, name string) error {
		err := b.own(dir, name, unix.Mknodat(dir, name, st.Mode, s.Device))
		if err == nil {
			err = unix.Fchmodat(dir, name, st.Mode&0o7777, 0)
		}
		return err
	})
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	from, err := unix.Open(host, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	return b.bindFrom(from, s)
}

func (b *builder) warn(format string, args ...any) {
	b.warnings = append(b.warnings, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
