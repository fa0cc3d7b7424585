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

// State returns the enablement state of the unit file called name, as
// `systemctl is-enabled` prints it. ENOENT: there is no such unit.
func (ix *Index) State(name string) (State, []Note, error) {
	var notes []Note
	s, err := ix.state(name, &notes)
	return s, notes, err
}

func (ix *Index) state(name string, notes *[]Note) (State, error) {
	if !unit.Valid(name, unit.Any) {
		return "", syscall.EINVAL
	}
	u, err := ix.newJob(notes).discover(name, true, true)
	if err != nil {
		return "", sys.Errno(err)
	}
	dir := path.Dir(u.path)
	switch {
	case u.mode == masked && ix.path.isRuntime(dir):
		return "masked-runtime", nil
	case u.mode == masked:
		return "masked", nil
	case name != path.Base(u.path) && unit.KindOf(u.name) != unit.Instance:
		return "alias", nil
	case ix.path.isGenerator(dir):
		return "generated", nil
	case ix.path.isTransient(dir):
		return "transient", nil
	}
	if s := ix.linkState(u, true); s != "" {
		return s, nil
	}
	switch {
	case ix.linkState(u, false) != "":
		return "indirect", nil // in use under another name
	case u.hasRules():
		return "disabled", nil
	case len(u.also) > 0:
		return "indirect", nil
	}
	return "static", nil
}

// linkState tells what the links to u make of it, "" if there are none. With
// named set only links count that its [Install] could have made.
func (ix *Index) linkState(u *unitFile, named bool) State {
	var runtime, vendor, linkedHere, linkedRuntime bool
	below := false // the directories from here on are of lower priority than u's file
	for _, p := range ix.path.Dirs {
		found, sameName := ix.linksIn(p).find(u, named, below)
		switch {
		case found && (p == ix.path.Persistent || ix.cfg.Scope == User && userConfigDir(p)):
			return "enabled"
		case found && ix.path.isRuntime(p):
			runtime = true
		case found:
			vendor = true
		case sameName && p == ix.path.Persistent:
			linkedHere = true
		case sameName && ix.path.isRuntime(p):
			linkedRuntime = true
		}
		if path.Dir(u.path) == p || strings.HasPrefix(u.path, p+"/") {
			below = true
		}
	}
	switch {
	case runtime:
		return "enabled-runtime"
	case vendor && unit.KindOf(u.name) == unit.Instance:
		return "static" // the vendor instantiated it; a vendor's alias says less
	case linkedHere:
		return "linked"
	case linkedRuntime:
		return "linked-runtime"
	}
	return ""
}

// userConfigDir tells whether the administrator enables units for all users in p.
func userConfigDir(p string) bool {
	return p == "/etc/systemd/user" || p == "/run/systemd/user" || p == "/etc/xdg/systemd/user"
}

// A linkIndex is what the links of one unit directory say, by the unit concerned.
type linkIndex struct {
	dependencies map[string][]string // unit or its template -> links in .wants, .requires, .upholds
	to           map[string][]string // last component of the target -> links in the directory itself
	named        map[string]bool     // links in the directory itself
}

// linksIn reads the links of the unit directory p and of the real directories in it that hold dependencies.
func (ix *Index) linksIn(p string) *linkIndex {
	d := ix.dir(p)
	if d.links != nil {
		return d.links
	}
	l := &linkIndex{}
	d.links = l
	if d.read() != nil {
		return l
	}
	l.dependencies, l.to, l.named = map[string][]string{}, map[string][]string{}, map[string]bool{}
	for n := range d.list {
		switch {
		case n.kind == tree.Directory && holdsDependencies(n.name):
			sub := ix.dir(p + "/" + n.name)
			if sub.read() != nil {
				continue
			}
			for s := range sub.list {
				if s.kind == tree.Link {
					l.addDependency(s.name)
				}
			}
		case n.kind == tree.Link:
			l.named[n.name] = true
			if t, err := d.readlink(n); err == nil {
				t = t[strings.LastIndexByte(t, '/')+1:]
				l.to[t] = append(l.to[t], n.name)
			}
		}
	}
	return l
}

func (l *linkIndex) addDependency(link string) {
	l.dependencies[link] = append(l.dependencies[link], link)
	if unit.KindOf(link) == unit.Instance {
		t := unit.TemplateOf(link)
		l.dependencies[t] = append(l.dependencies[t], link)
	}
}

func holdsDependencies(name string) bool {
	return strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires") || strings.HasSuffix(name, ".upholds")
}

// find tells whether one of the links is for u, and whether there is one with u's
// own name that leads to a file of u's own name. With below set, links of u's name
// are hidden by u's file and do not count.
func (l *linkIndex) find(u *unitFile, named, below bool) (found, sameName bool) {
	counts := func(link string) bool { return !named || u.mayBeCalled(link) }
	for _, link := range l.dependencies[u.name] {
		if counts(link) {
			return true, false
		}
	}
	ownName := !below && l.named[u.name]
	for _, link := range l.to[u.name] {
		switch {
		case link == u.name && !below:
			sameName = true
		case counts(link):
			return true, false
		}
	}
	if ownName && !sameName && counts(u.name) {
		return true, false
	}
	return false, sameName
}

// mayBeCalled tells whether [Install] of u could have made a link of that name.
func (u *unitFile) mayBeCalled(link string) bool {
	if link == u.name {
		return true
	}
	if slices.Contains(u.aliases, link) {
		return true
	}
	if u.defaultInstance != "" && unit.KindOf(u.name) == unit.Template {
		i, err := unit.WithInstance(u.name, u.defaultInstance)
		return err == nil && i == link
	}
	return false
}

// UnitFiles lists the unit files whose names match, as `systemctl
// list-unit-files`: each name once, with the directory that comes first. A unit whose
// state cannot be told is "bad".
func (ix *Index) UnitFiles(match func(name string) bool) ([]UnitFile, []Note, error) {
	var notes []Note
	var out []UnitFile
	seen := make(map[string]bool)
	for _, p := range ix.path.Dirs {
		d := ix.dir(p)
		switch e := sys.Errno(d.read()); e {
		case 0:
		case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES:
			continue
		default:
			return nil, notes, e
		}
		for n := range d.list {
			if n.kind != tree.Regular && n.kind != tree.Link || seen[n.name] ||
				!unit.Valid(n.name, unit.Any) || !match(n.name) {
				continue
			}
			seen[n.name] = true
			s, err := ix.state(n.name, &notes)
			if err != nil {
				s = "bad"
			}
			out = append(out, UnitFile{Name: n.name, Path: p + "/" + n.name, State: s})
		}
	}
	return out, notes, nil
}

// QueryPresets fills in what the presets say of the files. They are read when there
// is a file they matter for.
func (ix *Index) QueryPresets(files []UnitFile) []Note {
	var notes []Note
	var rules unit.Rules
	read := false
	for i := range files {
		f := &files[i]
		if !takesPreset(f.State) {
			continue
		}
		if !read {
			var err error
			if rules, err = ix.readPresets(&notes); err != nil {
				return notes
			}
			read = true
		}
		f.Preset = presetWord(rules, f.Name)
	}
	return notes
}

// takesPreset tells whether the preset column says anything for a unit in state s.
func takesPreset(s State) bool {
	switch s {
	case "alias", "static", "generated", "transient":
		return false
	}
	return true
}
