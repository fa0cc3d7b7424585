package enable

import (
	"bytes"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/tree"
	"ctl/internal/unit"
)

// A Source is where the manager gets a unit from: its main file and its drop-ins,
// as it loads them, systemd.unit(5).
type Source struct {
	Name     string // its real name, aliases followed
	Names    []string
	Fragment string // path in the tree, "" if there is none
	Masked   bool
	DropIns  []DropIn
}

// A DropIn is a file that adds to a unit, or with Mask set one that hides others of its name.
type DropIn struct {
	Path string // in the tree
	Mask bool
}

// Source finds the files of the unit called name. EINVAL: that is no unit's name.
func (ix *Index) Source(name string) (*Source, error) {
	if !unit.Valid(name, unit.Any) {
		return nil, syscall.EINVAL
	}
	s := &Source{Name: name}
	if err := ix.fragment(s); err != nil {
		return nil, err
	}
	s.Names = ix.names(s, name)
	var found []*dropIn
	for _, d := range dropInDirs(s.Names) {
		for _, p := range ix.path.Dirs {
			if !ix.dir(p).absent(d) {
				found = ix.collect(found, p+"/"+d, ".conf")
			}
		}
	}
	sortDropIns(found)
	for _, f := range found {
		mask := f.null
		if st, err := ix.tree.Stat(f.path); err == nil {
			mask = mask || null(st)
		} else if !mask {
			continue // dangling
		}
		s.DropIns = append(s.DropIns, DropIn{f.path, mask})
	}
	return s, nil
}

// Masks tells of each drop-in whether it is there only to hide others.
func (ix *Index) Masks(paths []string) []DropIn {
	var l []DropIn
	for _, p := range paths {
		st, err := ix.tree.Stat(p)
		l = append(l, DropIn{p, err == nil && null(st)})
	}
	return l
}

// Resolved is the path that p leads to, links followed; p itself if that cannot be told.
func (ix *Index) Resolved(p string) string {
	if r, err := ix.tree.Resolve(p, true); err == nil {
		return r
	}
	return p
}

// fragment follows names and links to the main file.
func (ix *Index) fragment(s *Source) error {
	for range maxHops {
		d, n := ix.entry(s.Name)
		if n == nil {
			return nil
		}
		p := d.path + "/" + n.name
		if n.kind != tree.Link {
			s.Fragment = p
			st, err := ix.tree.Lstat(p)
			s.Masked = err == nil && null(st)
			return err
		}
		target, err := d.readlink(n)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(target, "/") {
			target = d.path + "/" + target
		}
		to, err := ix.canonical(target)
		if err != nil {
			return err
		}
		isNull, err := ix.isNull(to)
		if isNull {
			s.Fragment, s.Masked = p, true
			return nil
		}
		if _, _, within := ix.path.holding(to); !within || path.Base(to) == s.Name {
			if err != nil {
				return nil // it leads nowhere
			}
			s.Fragment, err = ix.canonicalDir(to)
			return err
		}
		base := path.Base(to)
		if unit.KindOf(base) == unit.Template && unit.KindOf(s.Name) == unit.Instance {
			if base, err = unit.WithInstance(base, unit.InstanceOf(s.Name)); err != nil {
				return err
			}
			if base == s.Name {
				s.Fragment = to
				return nil
			}
		}
		s.Name = base
	}
	return syscall.ELOOP
}

// entry finds the name in the unit directories, or else its template.
func (ix *Index) entry(name string) (*dir, *node) {
	names := []string{name}
	if unit.KindOf(name) == unit.Instance {
		names = append(names, unit.TemplateOf(name))
	}
	for _, name := range names {
		for _, p := range ix.path.Dirs {
			d := ix.dir(p)
			if n, _ := d.lookup(name); n != nil && n.kind != tree.Directory {
				return d, n
			}
		}
	}
	return nil, nil
}

// names are all names of a unit: the real one, the one asked for, and the links to it.
func (ix *Index) names(s *Source, asked string) []string {
	l := []string{s.Name}
	if asked != s.Name {
		l = append(l, asked)
	}
	for _, p := range ix.path.Dirs {
		d := ix.dir(p)
		if d.read() != nil {
			continue
		}
		for n := range d.list {
			if n.kind != tree.Link || path.Ext(n.name) != path.Ext(s.Name) || slices.Contains(l, n.name) {
				continue
			}
			if t, err := d.readlink(n); err == nil && path.Base(t) == s.Name && aliasLink(n.name, s.Name) == aliasFits {
				l = append(l, n.name)
			}
		}
	}
	return l
}

// dropInDirs are the names of the directories in which a unit's drop-ins lie: its
// own names, those of its templates, its prefixes up to each dash, and its type.
func dropInDirs(names []string) []string {
	var dirs []string
	add := func(name string) {
		if !slices.Contains(dirs, name+".d") {
			dirs = append(dirs, name+".d")
		}
	}
	for _, name := range names {
		add(name)
		if unit.KindOf(name) == unit.Instance {
			add(unit.TemplateOf(name))
		}
	}
	for _, name := range names {
		suffix := "." + unit.Type(name)
		for p := unit.Prefix(name); ; {
			i := strings.LastIndexByte(strings.TrimSuffix(p, "-"), '-')
			if i < 0 {
				break
			}
			p = p[:i+1]
			add(p + suffix)
		}
	}
	for _, name := range names {
		add(unit.Type(name))
	}
	return dirs
}

// ReadFile reads a file of the tree, for those who show or edit it.
func (ix *Index) ReadFile(p string) ([]byte, error) {
	data, _, err := ix.tree.ReadFile(p, maxUnitFile)
	return data, err
}

// Config returns the directory that changes go to.
func (ix *Index) Config(f Flags) (string, error) { return ix.config(f) }

// Shown is the path of the tree as messages name it.
func (ix *Index) Shown(p string) string { return ix.shown(p) }

// Names are the names in a directory of the tree, hidden ones left out.
func (ix *Index) Names(p string) (l []string) {
	d := ix.dir(p)
	if d.read() != nil {
		return nil
	}
	for n := range d.list {
		l = append(l, n.name)
	}
	return l
}

// Exists tells whether there is anything at p.
func (ix *Index) Exists(p string) bool {
	_, err := ix.tree.Lstat(p)
	return err == nil
}

// ErrChanged: somebody else has changed the file that is to be written.
var ErrChanged = errors.New("the file was changed meanwhile")

// Install writes an edited file, its directory made if need be. An editor runs for as long as
// it likes: the tree is locked only here, and with was set, the file must still be what it was.
func (ix *Index) Install(p string, was, data []byte) error {
	defer Lock(ix.tree)()
	if was != nil {
		if now, err := ix.ReadFile(p); !bytes.Equal(now, was) || err != nil && !gone(err) {
			return ErrChanged
		}
	}
	d, err := ix.tree.MkdirAll(path.Dir(p), 0o755)
	if err != nil {
		return err
	}
	d.CleanTemporary()
	d.Close()
	return ix.tree.WriteFile(p, data, 0o644)
}
