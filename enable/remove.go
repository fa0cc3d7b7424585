package enable

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/internal/unit"
)

// Disable plans `systemctl disable`: every link in the directory written to
// that stands for one of the units, or for one their Also= names, goes.
func (ix *Index) Disable(names []string, f Flags) *Plan {
	p, config := ix.begin("disable", f)
	p.staged = true
	if p.Err == nil {
		ix.disable(p, config, names)
	}
	return p
}

// Links lists what Disable would remove for the unit called name, and changes nothing in the Index.
func (ix *Index) Links(name string, f Flags) ([]string, []Note) {
	p, config := ix.begin("disable", f)
	if p.Err != nil {
		return nil, nil
	}
	m, _, ok := ix.toDisable(p, []string{name})
	if !ok {
		return nil, p.Notes
	}
	links, _ := ix.findMarked(p, m, config)
	return links, p.Notes
}

// disable reports whether the request may go on (reenable's second half).
func (ix *Index) disable(p *Plan, config string, names []string) bool {
	m, installable, ok := ix.toDisable(p, names)
	if !ok {
		return false
	}
	some, all := ix.removeMarked(p, m, config)
	p.Carries = some || installable
	return all
}

// toDisable marks the units, and those that their Also= names. installable: one of
// the units has something to install; ok: the request may go on.
func (ix *Index) toDisable(p *Plan, names []string) (m *marks, installable, ok bool) {
	j := ix.newJob(&p.Notes)
	for _, name := range names {
		if !unit.Valid(name, unit.Any) {
			p.failed(p.fail(syscall.EUCLEAN, name, ""))
			return nil, false, false
		}
		u, err := j.add(name, "", false)
		if err == nil {
			_, err = j.traverse(u, true, true)
		}
		if err != nil {
			e := p.fail(err, name, "")
			p.failed(e)
			// What is left of a unit that is gone can still be removed.
			if e != syscall.ENOENT {
				return nil, false, false
			}
		}
		installable = installable || u.hasRules() || len(u.also) > 0
	}
	m = newMarks()
	j.mark(p, m)
	return m, installable, true
}

// marks are what links are removed for: their own names, or where they lead.
type marks struct {
	names map[string]bool
	paths map[string]bool
}

func newMarks() *marks { return &marks{names: map[string]bool{}, paths: map[string]bool{}} }

// mark finds all units of the job, with those of Also=, and marks their names.
func (j *job) mark(p *Plan, m *marks) {
	for k := 0; k < len(j.queue); k++ {
		u := j.queue[k]
		where := func() string {
			if u.path != "" {
				return j.ix.shown(u.path)
			}
			return u.name
		}
		_, err := j.traverse(u, true, true)
		switch e := sys.Errno(err); {
		case e == syscall.ENOLINK:
			p.say(Change{Type: Dangling, Path: where()})
		case e == syscall.ENOENT && u.auxiliary:
		case e != 0:
			p.failed(p.fail(err, where(), ""))
		case u.mode == masked:
			p.say(Change{Type: Masked, Path: where()})
			continue
		case u.mode != regular:
			continue
		}
		m.names[u.name] = true
	}
}

// removeMarked plans the removal of the links below config that m marks. some: there are any;
// all: of each link it could be told where it leads.
func (ix *Index) removeMarked(p *Plan, m *marks, config string) (some, all bool) {
	links, all := ix.findMarked(p, m, config)
	for _, l := range links {
		ix.remove(p, l, config)
	}
	return len(links) > 0, all
}

// findMarked lists the links below config that m marks, and those that lead to them, in the
// order of their paths. all: of each link it could be told where it leads.
func (ix *Index) findMarked(p *Plan, m *marks, config string) (found []string, all bool) {
	if len(m.names)+len(m.paths) == 0 {
		return nil, true
	}
	var links []string
	ix.links(config, func(l string) { links = append(links, l) })
	slices.Sort(links)
	removed := make(map[string]bool)
	refused := make(map[string]bool)
	for again := true; again; {
		again = false
		for _, l := range links {
			if removed[l] || refused[l] {
				continue
			}
			ok, err := ix.marked(m, l)
			if err != nil {
				refused[l] = true
				p.failed(p.fail(err, ix.shown(l), ""))
				continue
			}
			if ok {
				removed[l] = true
				m.paths[l] = true
				again = true
			}
		}
	}
	links = slices.DeleteFunc(links, func(l string) bool { return !removed[l] })
	return links, len(refused) == 0
}

// links calls yield with each link below dir that has a unit's name.
// Directories that are links themselves are not entered.
func (ix *Index) links(dirPath string, yield func(string)) {
	d := ix.dir(dirPath)
	if d.read() != nil {
		return
	}
	for n := range d.list {
		switch n.kind {
		case tree.Directory:
			ix.links(dirPath+"/"+n.name, yield)
		case tree.Link:
			if unit.Valid(n.name, unit.Any) {
				yield(dirPath + "/" + n.name)
			}
		}
	}
}

// marked tells whether the link l is to go: for its name, its template's name,
// a link it leads through, or the file at its end.
func (ix *Index) marked(m *marks, l string) (bool, error) {
	name := path.Base(l)
	if m.names[name] {
		return true, nil
	}
	if unit.KindOf(name) != unit.Plain && m.names[unit.TemplateOf(name)] {
		return true, nil
	}
	end, through, err := ix.end(l)
	if err != nil {
		return false, err
	}
	for _, t := range through {
		if m.paths[t] {
			return true, nil
		}
	}
	return m.paths[end] || m.names[path.Base(end)], nil
}

// maxLinks is how many links the kernel follows in one path, path_resolution(7).
const maxLinks = 40

// end follows the link l to its end, which need not exist, and lists the links passed on the way.
func (ix *Index) end(l string) (end string, through []string, err error) {
	p := l
	for range maxLinks {
		d, n, err := ix.at(p)
		if n == nil {
			switch sys.Errno(err) {
			case 0, syscall.ENOENT:
				return p, through, nil
			}
			return "", nil, err
		}
		if n.kind != tree.Link {
			return p, through, nil
		}
		target, err := d.readlink(n)
		if err != nil {
			return "", nil, err
		}
		if !strings.HasPrefix(target, "/") {
			target = path.Dir(p) + "/" + target
		}
		if p, err = ix.canonical(target); err != nil {
			return "", nil, err
		}
		if p == "/" {
			return p, through, nil
		}
		through = append(through, p)
	}
	return "", nil, syscall.ELOOP
}

// Reenable plans `systemctl reenable`: disable by name, then enable from where the unit's file was.
func (ix *Index) Reenable(args []string, f Flags) *Plan {
	p, config := ix.begin("reenable", f)
	p.staged = true
	if p.Err != nil {
		return p
	}
	var names, files []string
	for _, arg := range args {
		name := path.Base(arg)
		names = append(names, name)
		// A linked unit loses its link to disable; its file tells enable where to link to.
		if !strings.Contains(arg, "/") && unit.KindOf(arg) != unit.Instance {
			j := ix.newJob(&p.Notes)
			// Without a root the reference looks, but goes on with the name.
			if u, err := j.discover(name, true, true); err == nil && u.path != "" && ix.rooted() {
				arg = u.path
			}
		}
		files = append(files, arg)
	}
	if !ix.disable(p, config, names) {
		return p
	}
	ix.enable(p, config, files, f)
	return p
}
