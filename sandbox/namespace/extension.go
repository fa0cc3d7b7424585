package namespace

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/image"
	"ctl/sandbox/mount"
)

// A layer is an extension: a directory of the host's, or an image.
type layer struct {
	dir    string
	image  *image.Mounted
	covers []string // the directories that it extends
	why    string
}

// relax is the mount option of an image that may say under another name what it extends, systemd.exec(5).
const relax = "x-systemd.relax-extension-release-check"

// extensions finds out what ExtensionImages= and ExtensionDirectories= extend. An extension for another system is refused.
func (q *Request) extensions() error {
	e := q.Exec
	if len(e.ExtensionDirectories)+len(q.Images.Extension) == 0 {
		return nil
	}
	host, err := tree.Open(q.Tree)
	if err != nil {
		return err
	}
	defer host.Close()
	system := host
	switch {
	case q.Image != nil:
		system = tree.At(int(q.Image.Root.Fd()), "/")
	case q.Root != "":
		if system, err = sub(host, q.Root); err != nil {
			return err
		}
		defer system.Close()
	}
	for i, m := range q.Images.Extension {
		if m == nil {
			continue
		}
		x := e.ExtensionImages[i]
		relaxed := slices.ContainsFunc(x.Options, func(o [2]string) bool { return slices.Contains(strings.Split(o[1], ","), relax) })
		covers, err := extends(tree.At(int(m.Root.Fd()), "/"), image.Name(path.Base(x.Source)), system, relaxed)
		if err != nil {
			return err
		}
		q.layers = append(q.layers, layer{image: m, covers: covers, why: "ExtensionImages="})
	}
	for _, d := range e.ExtensionDirectories {
		if d.Path == "" {
			continue
		}
		t, err := sub(host, d.Path)
		if errors.Is(err, unix.ENOENT) && d.Optional {
			continue
		}
		if err != nil {
			return err
		}
		covers, err := extends(t, path.Base(d.Path), system, false)
		_ = t.Close()
		if err != nil {
			return err
		}
		q.layers = append(q.layers, layer{dir: d.Path, covers: covers, why: "ExtensionDirectories="})
	}
	return nil
}

// sub is a directory of a tree as a tree.
func sub(t *tree.Tree, dir string) (*tree.Tree, error) {
	fd, err := t.Handle(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return tree.At(fd, dir), nil
}

func extends(t *tree.Tree, name string, system *tree.Tree, relaxed bool) ([]string, error) {
	var release []byte
	for _, p := range [...]string{"/etc/os-release", "/usr/lib/os-release"} {
		if data, _, err := system.ReadFile(p, 1<<20); err == nil {
			release = data
			break
		}
	}
	return image.Extension(t, name, func(variable string) string { return unit.EnvFile(release, variable) }, relaxed)
}

// overlays adds a mount for each directory that is extended.
func (q *Request) overlays(l *list) {
	for _, dir := range image.Extended {
		m := Mount{Path: dir, Kind: Overlay, ReadOnly: true}
		why := ""
		for i, x := range q.layers {
			if slices.Contains(x.covers, dir) {
				m.layers, why = append(m.layers, i), x.why
			}
		}
		if why != "" {
			l.add(why, m)
		}
	}
}

// openLayers opens the extensions, images where the new root directory will be mounted over them.
func (b *builder) openLayers() error {
	for _, x := range b.q.layers {
		if x.image == nil {
			t, err := sub(b.host, x.dir)
			if err != nil {
				return &Error{Path: x.dir, Why: x.why, Err: err}
			}
			b.layers = append(b.layers, t)
			continue
		}
		fd, err := x.image.Clone()
		if err == nil {
			b.layers = append(b.layers, tree.At(fd, "/"))
			err = mount.Attach(fd, b.under)
		}
		if err != nil {
			return &Error{Why: x.why, Err: err}
		}
	}
	return nil
}

// overlay lays extensions over a directory, the last uppermost.
func (b *builder) overlay(m *Mount) error {
	var lower []string
	add := func(t *tree.Tree) error {
		fd, err := t.Handle(m.Path, unix.O_PATH|unix.O_DIRECTORY)
		if err == nil {
			lower = append(lower, sys.FDPath(fd))
			b.open = append(b.open, fd)
		}
		return err
	}
	for _, i := range slices.Backward(m.layers) {
		if err := add(b.layers[i]); err != nil {
			return err
		}
	}
	d, err := b.directory(m.Path)
	if errors.Is(err, unix.EROFS) {
		return nil // what is not there, and cannot be made, is not extended
	}
	if err == nil {
		d.Close()
		err = add(b.root)
	}
	if err != nil {
		return err
	}
	fd, err := mount.New("overlay", "systemd-extensions", []string{"ro", "lowerdir=" + strings.Join(lower, ":"), "redirect_dir=on"}, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return b.attach(fd, m.Path)
}

// image mounts a disk image.
func (b *builder) image(m *Mount) error {
	fd, err := m.image.Clone()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if d, err := b.directory(m.Path); err == nil {
		d.Close()
	}
	return b.attach(fd, m.Path)
}
