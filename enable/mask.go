package enable

import (
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/internal/unit"
)

// Mask plans `systemctl mask`: a link to /dev/null under each name.
func (ix *Index) Mask(names []string, f Flags) *Plan {
	p, config := ix.begin("mask", f)
	if p.Err != nil {
		return p
	}
	for _, name := range names {
		if !unit.Valid(name, unit.Any) {
			p.failed(syscall.EINVAL)
			continue
		}
		p.unit++
		p.failed(ix.link(p, "/dev/null", config+"/"+name, f.Force, false))
	}
	return p
}

// Unmask plans `systemctl unmask`: what masks under each name goes, and links to it. Nothing
// goes when of one name that cannot be told. generated: it is also said what a generator masks.
func (ix *Index) Unmask(names []string, f Flags, generated bool) *Plan {
	p, config := ix.begin("unmask", f)
	if p.Err != nil {
		return p
	}
	var todo []string
	for _, name := range names {
		if !unit.Valid(name, unit.Any) {
			return &Plan{Verb: p.Verb, Err: syscall.EINVAL}
		}
		if generated {
			ix.generatorMask(p, name)
		}
		file := config + "/" + name
		masks, err := ix.masks(file)
		switch sys.Errno(err) {
		case 0, syscall.ENOENT:
		default:
			p.failed(sys.Errno(err))
			return p
		}
		if masks {
			todo = append(todo, file)
		}
	}
	m := newMarks()
	for _, file := range unique(todo) {
		m.paths[file] = true
		ix.remove(p, file, config)
	}
	ix.removeMarked(p, m, config)
	return p
}

// generatorMask says so when name is masked by a generator, which unmask cannot help.
func (ix *Index) generatorMask(p *Plan, name string) {
	u := &unitFile{name: name}
	if err := ix.newJob(&p.Notes).search(u, false); err == nil && u.mode == masked && ix.path.isGenerator(path.Dir(u.path)) {
		p.say(Change{Type: MaskedGenerator, Path: name, Source: ix.shown(u.path)})
	}
}

// masks tells whether the file p, which may be a link, masks a unit.
func (ix *Index) masks(p string) (bool, error) {
	_, n, err := ix.at(p)
	if n == nil {
		if sys.Errno(err) == syscall.ENOTDIR {
			err = syscall.ENOENT
		}
		return false, err
	}
	end, _, err := ix.end(p)
	if err != nil {
		return false, err
	}
	return ix.isNull(end)
}

// LinkUnits plans `systemctl link`: links to unit files outside the unit directories.
// The first file that will not do ends it, before anything is made.
func (ix *Index) LinkUnits(files []string, f Flags) *Plan {
	p, config := ix.begin("link", f)
	if p.Err != nil {
		return p
	}
	var todo []string
	for _, file := range files {
		target, err := ix.linkable(file)
		if err != nil {
			p.failed(p.fail(err, file, ""))
			return p
		}
		if target != "" && !slices.Contains(todo, target) {
			todo = append(todo, target)
		}
	}
	for _, target := range todo {
		p.unit++
		p.failed(ix.link(p, target, config+"/"+path.Base(target), f.Force, false))
	}
	return p
}

// linkable returns the path to link to for file, or "" when the file lies in a
// unit directory already.
func (ix *Index) linkable(file string) (string, error) {
	if !strings.HasPrefix(file, "/") {
		return "", syscall.EINVAL
	}
	if strings.Trim(file, "/") == "" {
		return "", syscall.EADDRNOTAVAIL
	}
	if !unit.Valid(path.Base(file), unit.Any) {
		return "", syscall.EUCLEAN
	}
	st, err := ix.tree.Lstat(file)
	if err != nil {
		return "", err
	}
	switch st.Kind {
	case tree.Regular:
	case tree.Link:
		return "", syscall.ELOOP
	case tree.Directory:
		return "", syscall.EISDIR
	default:
		return "", syscall.EBADFD
	}
	real, err := ix.canonical(file)
	if err != nil {
		return "", err
	}
	if ix.path.isSearchDir(path.Dir(real)) {
		return "", nil
	}
	if _, _, ok := ix.path.holding(real); ok {
		return "", syscall.ETXTBSY
	}
	return file, nil
}

// Revert plans `systemctl revert`: what the administrator added to or put in the
// place of a vendor's unit goes, below /etc and /run alike.
func (ix *Index) Revert(names []string) *Plan {
	p := &Plan{Verb: "revert"}
	var todo []string
	for _, name := range names {
		if !unit.Valid(name, unit.Any) {
			return &Plan{Verb: p.Verb, Err: syscall.EINVAL}
		}
		l, err := ix.revertible(p, name)
		if err != nil {
			p.failed(err)
			return p
		}
		todo = append(todo, l...)
	}
	m := newMarks()
	for _, t := range unique(todo) {
		p.unit++
		ix.discard(p, t)
		m.paths[t] = true
	}
	if ix.path.Runtime != "" {
		ix.removeMarked(p, m, ix.path.Runtime)
	}
	ix.removeMarked(p, m, ix.path.Persistent)
	return p
}

// revertible lists what Revert removes for one unit.
func (ix *Index) revertible(p *Plan, name string) (todo []string, err error) {
	vendor := false
	var own []string
	for _, dirPath := range ix.path.Dirs {
		d := ix.dir(dirPath)
		if n, err := d.lookup(name); n == nil {
			if !gone(err) {
				return nil, p.fail(err, ix.shown(dirPath+"/"+name), "")
			}
		} else {
			vendor = vendor || n.kind == tree.Regular && ix.path.isVendor(dirPath) &&
				!(ix.rooted() && ix.path.isGenerator(dirPath))
			if ix.path.isConfig(dirPath) && (n.kind == tree.Regular || n.kind == tree.Link) {
				own = append(own, dirPath+"/"+name)
			}
		}
		n, err := d.lookup(name + ".d")
		if n == nil {
			if !gone(err) {
				return nil, p.fail(err, ix.shown(dirPath+"/"+name+".d"), "")
			}
			continue
		}
		if n.kind == tree.Directory && (ix.path.isConfig(dirPath) || ix.path.isControl(dirPath) || ix.path.isTransient(dirPath)) {
			todo = append(todo, dirPath+"/"+name+".d")
		}
	}
	if vendor {
		todo = append(todo, own...)
	}
	return todo, nil
}

func gone(err error) bool { return errors.Is(err, syscall.ENOENT) }

// discard plans the removal of a file, or of a directory with what is in it.
func (ix *Index) discard(p *Plan, t string) {
	step := Step{Action: Discard, Path: t, Unit: p.unit}
	if d := ix.dir(t); d.read() == nil {
		var names []string
		for n := range d.list {
			if n.kind != tree.Directory && !leftover(n.name) {
				names = append(names, n.name)
			}
		}
		slices.Sort(names)
		for _, n := range names {
			step.Changes = append(step.Changes, Change{Type: Unlink, Path: ix.shown(t + "/" + n)})
		}
	}
	step.Changes = append(step.Changes, Change{Type: Unlink, Path: ix.shown(t)})
	ix.dir(path.Dir(t)).drop(path.Base(t))
	p.Steps = append(p.Steps, step)
}

// leftovers are the endings and names of what editors, package managers and quotas leave behind, which is not spoken of.
var leftovers = [...]string{"~", ".rpmnew", ".rpmsave", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-tmp", ".dpkg-dist", ".dpkg-bak",
	".dpkg-backup", ".dpkg-remove", ".ucf-new", ".ucf-old", ".ucf-dist", ".swp", ".bak", ".old", ".new"}

func leftover(name string) bool {
	switch name {
	case "lost+found", "aquota.user", "aquota.group":
		return true
	}
	return strings.HasPrefix(name, ".") || slices.ContainsFunc(leftovers[:], func(end string) bool { return strings.HasSuffix(name, end) })
}

// SetDefault plans `systemctl set-default`: the link default.target, always below /etc.
func (ix *Index) SetDefault(name string) *Plan {
	p := &Plan{Verb: "set default"}
	if unit.Type(name) != "target" || !unit.Valid(name, unit.Any) || name == "default.target" {
		p.Err = syscall.EINVAL
		return p
	}
	j := ix.newJob(&p.Notes)
	u, err := j.discover(name, false, false)
	if err != nil {
		p.failed(p.fail(err, name, ""))
		return p
	}
	if err := j.mayProcess(p, u); err != nil {
		p.failed(err)
		return p
	}
	p.failed(ix.link(p, u.path, ix.path.Persistent+"/default.target", true, false))
	return p
}

// Default returns the name of the unit that default.target stands for.
func (ix *Index) Default() (string, []Note, error) {
	var notes []Note
	u, err := ix.newJob(&notes).discover("default.target", false, true)
	if err != nil {
		return "", notes, sys.Errno(err)
	}
	return u.name, notes, nil
}
