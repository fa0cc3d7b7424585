// Package image finds the file systems of disk images and mounts them where nobody else sees it: partition tables by the Discoverable
// Partitions Specification (https://uapi-group.org/specifications/specs/discoverable_partitions_specification), or a bare file system.
// An image may be hostile: what it says is checked before the kernel mounts anything, and no program reads it.
package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/tree"
	"ctl/internal/unit"
)

// What is wrong with an image as a whole.
var (
	ErrUnidentified = errors.New("Couldn't identify a suitable partition table or file system.")
	ErrNoRoot       = errors.New("No suitable root partition found in image.")
	ErrManyRoots    = errors.New("Multiple suitable root partitions found in image.")
	ErrPolicy       = errors.New("Image does not match image policy.")
	ErrFileSystem   = errors.New("File system type not supported or not known.")
	ErrEncrypted    = errors.New("encrypted partitions are not implemented")
	ErrNoHashes     = errors.New("No root/usr partition for specified root/usr hash found.")
)

// Unfit tells whether an error is about the image as a whole.
func Unfit(err error) bool {
	for _, e := range [...]error{ErrUnidentified, ErrNoRoot, ErrManyRoots, ErrPolicy, ErrEncrypted, ErrNoHashes} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// An Image is an open image of which is known what to mount.
type Image struct {
	file      *os.File
	block     bool // a device, not a file
	readOnly  bool
	rehearsed bool
	parts     []part // by their roles
	check     *check // of one of these
	unchecked bool   // there are hashes to check it against, and nobody says of what root
	options   [][2]string
}

// A part is a file system of an image.
type part struct {
	role        role
	start, size int64 // in bytes; a size of 0 is all there is
	fs          string
	readOnly    bool

	arch, label string
	kind        kind
	id          string // its own, 32 digits
	check       *check // nil for none
}

// Options say how an image is to be opened.
type Options struct {
	ReadOnly bool
	Rehearse bool        // nothing is to be changed, whatever would be
	Copy     bool        // work on a copy, which nobody sees and which is gone in the end
	Mount    [][2]string // options of mount(8) for partitions, by their names
	Policy   *Policy     // nil for that of systemd-nspawn(1)
	Verity   Verity      // how it is to be checked
}

// Open opens the image at a path. An image that may not be written is read-only. Copying ends with ctx.
func Open(ctx context.Context, p string, o Options) (*Image, error) {
	m := &Image{readOnly: o.ReadOnly, rehearsed: o.Rehearse, options: o.Mount}
	flags := os.O_RDWR
	if o.ReadOnly || o.Copy || o.Rehearse {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(p, flags|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if flags == os.O_RDWR && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EPERM)) {
		m.readOnly = true
		f, err = os.OpenFile(p, unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, err
	}
	m.file = f
	var st unix.Stat_t
	if err = unix.Fstat(int(f.Fd()), &st); err == nil {
		switch m.block = st.Mode&unix.S_IFMT == unix.S_IFBLK; {
		case !m.block && st.Mode&unix.S_IFMT != unix.S_IFREG:
			err = &os.PathError{Op: "open", Path: p, Err: unix.EBADFD}
		case o.Copy:
			err = m.copy(ctx, p)
		}
	}
	if err == nil {
		err = m.dissect(o)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close gives up the image. What is mounted stays.
func (m *Image) Close() error {
	if m.check != nil && m.check.file != nil {
		m.check.file.Close()
	}
	return m.file.Close()
}

// dissect finds the file systems.
func (m *Image) dissect(o Options) error {
	size, err := m.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	found, err := m.find(size)
	if err != nil {
		return err
	}
	policy := o.Policy
	if policy == nil {
		policy = defaultPolicy()
	}
	if found, err = m.protect(found, o.Verity, policy); err != nil {
		return err
	}
	var best [roles]*part
	for i := range found {
		p := &found[i]
		if best[p.role] == nil || better(p, best[p.role]) {
			best[p.role] = p
		}
	}
	for r := range roles {
		p, may := best[r], policy.allowed(r)
		switch {
		case p == nil && may&absent == 0:
			return ErrPolicy
		case p == nil:
		case p.check != nil:
			m.parts = append(m.parts, *p)
		case p.fs == encrypted && may&luks != 0:
			return ErrEncrypted
		case p.fs != encrypted && may&unprotected != 0:
			m.parts = append(m.parts, *p)
		case may&unused == 0:
			return ErrPolicy
		}
	}
	if len(m.parts) == 0 || m.parts[0].role > usr {
		return ErrNoRoot
	}
	return nil
}

// find lists all file systems that could be mounted.
func (m *Image) find(size int64) ([]part, error) {
	record := masterRecord(m.file)
	protective := slices.ContainsFunc(record, func(e masterEntry) bool { return e.kind == protectiveType })
	if protective {
		if table, ok := readGPT(m.file, size); ok {
			return m.ofTable(table)
		}
	}
	if fs := fileSystem(m.file); fs != "" {
		return []part{{role: root, fs: fs}}, nil
	}
	if len(record) == 0 || protective {
		return nil, ErrUnidentified
	}
	if p := record[0]; len(record) == 1 && p.boot && p.kind == 0x83 && p.start > 0 && p.start < p.end && p.end <= size {
		return []part{{role: root, start: p.start, size: p.end - p.start, fs: m.fileSystem(p.start, p.end)}}, nil
	}
	return nil, ErrNoRoot
}

func (m *Image) fileSystem(start, end int64) string {
	return fileSystem(io.NewSectionReader(m.file, start, end-start))
}

// ofTable finds the partitions that have a role.
func (m *Image) ofTable(table []partition) ([]part, error) {
	var l, others []part
	types := partitionTypes()
	for _, p := range table {
		id := typeID(p.kind)
		made := part{start: p.start, size: p.end - p.start, label: p.label, id: typeID(p.id)}
		if id == generic {
			others = append(others, made)
			continue
		}
		for _, t := range types {
			if t.id != id || p.flags&flagNoAuto != 0 {
				continue
			}
			made.role, made.arch, made.kind, made.fs = t.role, t.arch, t.kind, m.fileSystem(p.start, p.end)
			made.readOnly = p.flags&flagReadOnly != 0
			l = append(l, made)
		}
	}
	for _, p := range l {
		if p.kind == contents && (p.role == root || p.role == usr) {
			return l, nil
		}
	}
	switch len(others) {
	case 0:
		return l, nil
	case 1:
		others[0].role, others[0].fs = root, m.fileSystem(others[0].start, others[0].start+others[0].size)
		return append(l, others[0]), nil
	}
	return nil, ErrManyRoots
}

// better tells which of two partitions of a role is taken: that for our processor, of a system the newer one, else the first.
func better(p, than *part) bool {
	if a, b := preference(p.arch), preference(than.arch); a != b {
		return a < b
	}
	return (p.role == root || p.role == usr) && p.arch == than.arch && unit.CompareVersions(p.label, than.label) > 0
}

// fixed tells whether the part cannot be written in any case.
func (p part) fixed() bool { return p.readOnly || p.check != nil || readOnlyAlways(p.fs) }

// HoldsSystem tells whether a tree says below a directory of it ("" for its root) which system it is, os-release(5).
func HoldsSystem(t *tree.Tree, dir string) bool {
	return slices.ContainsFunc([]string{"/etc/os-release", "/usr/lib/os-release"}, func(p string) bool {
		_, err := t.Stat(dir + p)
		return err == nil
	})
}

// Describe tells what would be mounted where.
func (m *Image) Describe() []string {
	var l []string
	for _, p := range m.parts {
		how := "rw"
		if m.readOnly || p.fixed() {
			how = "ro"
		}
		if p.check != nil {
			how += " checked"
		}
		l = append(l, fmt.Sprintf("%s %s %s, from byte %d", p.role.place(), p.fs, how, p.start))
	}
	return l
}

// Name is what a machine is called whose image is at a path.
func Name(base string) string { return strings.TrimSuffix(base, ".raw") }
