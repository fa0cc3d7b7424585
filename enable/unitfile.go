package enable

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/internal/unit"
)

// maxUnitFile bounds what is read of one unit file, in bytes.
const maxUnitFile = 64 << 20

// A mode is what a search found under a unit's name.
type mode int

const (
	unknown mode = iota
	regular
	linked // a link that leads out of the unit directories
	alias  // a link to another name in the unit directories
	masked
)

// A unitFile is a unit as the install operations see it: where its file is and
// what [Install] says.
type unitFile struct {
	name      string
	path      string // in the tree; changes as links are followed
	mode      mode
	target    string // of a link, canonical
	auxiliary bool   // only named in some Also=

	aliases, wantedBy, requiredBy, upheldBy, also []string
	defaultInstance                               string
}

func (u *unitFile) hasRules() bool {
	return len(u.aliases)+len(u.wantedBy)+len(u.requiredBy)+len(u.upheldBy) > 0
}

// A job is one request under way: the units it concerns, in the order met.
type job struct {
	ix    *Index
	queue []*unitFile
	byKey map[string]*unitFile
	notes *[]Note
}

func (ix *Index) newJob(notes *[]Note) *job {
	return &job{ix: ix, notes: notes, byKey: make(map[string]*unitFile)}
}

func (j *job) note(level int, format string, args ...any) {
	if j.notes != nil {
		*j.notes = append(*j.notes, Note{level, fmt.Sprintf(format, args...)})
	}
}

// add returns the unit called name, which is new to the job or known already.
func (j *job) add(name, p string, auxiliary bool) (*unitFile, error) {
	if !unit.Valid(name, unit.Any) {
		return nil, syscall.EINVAL
	}
	if u := j.byKey[name]; u != nil {
		u.auxiliary = u.auxiliary && auxiliary
		return u, nil
	}
	u := &unitFile{name: name, path: p, auxiliary: auxiliary}
	j.byKey[name] = u
	j.queue = append(j.queue, u)
	return u, nil
}

// addArgument adds what the user named: a unit, or a file by its absolute path.
func (j *job) addArgument(arg string) (*unitFile, error) {
	if !strings.HasPrefix(arg, "/") {
		return j.add(arg, "", false)
	}
	p := path.Clean(arg)
	// A path with links or ".." in it may well name a file of a unit directory.
	if c, err := j.ix.canonical(p); err == nil {
		p = c
	}
	return j.add(path.Base(p), p, false)
}

// A line is one thing a unit file says, or a complaint about it.
type line struct {
	key, value string
	number     int
	complaint  bool
}

// A parsedFile is the [Install] section of one file, ready to be interpreted.
type parsedFile struct {
	empty bool
	lines []line
	err   error
}

// parse reads the [Install] section of the file n in d. Only the kinds of file
// that the reference reads are read: a fifo is ENOTTY here, where it would hang there.
func (ix *Index) parse(d *dir, n *node) *parsedFile {
	key := d.path + "/" + n.name
	if f := ix.files[key]; f != nil {
		return f
	}
	f := &parsedFile{}
	ix.files[key] = f
	data, _, err := d.h.ReadFile(n.name, maxUnitFile)
	if err != nil {
		f.err = err
		return f
	}
	f.parse(data)
	return f
}

func (f *parsedFile) parse(data []byte) {
	if len(data) == 0 {
		f.empty = true
		return
	}
	f.err = unit.Parse(data, unit.InstallSections,
		func(_, key, value string, number int) {
			f.lines = append(f.lines, line{key: key, value: value, number: number})
		},
		func(number int, text string) {
			f.lines = append(f.lines, line{value: text, number: number, complaint: true})
		})
}

// load makes the main file of u, found as n in d, known: its mode and, when
// install is set, what [Install] says. ELOOP means that it is a link.
func (j *job) load(u *unitFile, d *dir, name string, install bool) error {
	typ := unit.Type(u.name)
	if typ == "" {
		return syscall.EINVAL
	}
	if !unit.Templatable(typ) && unit.Valid(u.name, unit.Template|unit.Instance) {
		j.note(3, "%s: unit type %s cannot be templated, ignoring.", j.ix.shown(d.path+"/"+name), typ)
		return syscall.EINVAL
	}
	n, err := d.lookup(name)
	if err != nil {
		return err
	}
	switch n.kind {
	case tree.Link:
		return syscall.ELOOP
	case tree.Directory:
		return syscall.EISDIR
	case tree.CharDevice, tree.BlockDevice:
		u.mode = masked
		return nil
	case tree.Regular:
	default:
		return syscall.ENOTTY
	}
	if !install {
		st, err := d.h.Lstat(name)
		if err != nil {
			return err
		}
		u.mode = regular
		if null(st) {
			u.mode = masked
		}
		return nil
	}
	f := j.ix.parse(d, n)
	if f.empty {
		u.mode = masked
		return nil
	}
	if err := j.interpret(u, f, j.ix.shown(d.path+"/"+name)); err != nil {
		return err
	}
	u.mode = regular
	return nil
}

// interpret applies the lines of a file to u.
func (j *job) interpret(u *unitFile, f *parsedFile, shown string) error {
	for _, l := range f.lines {
		if l.complaint {
			j.note(4, "%s:%d: %s", shown, l.number, l.value)
			continue
		}
		if err := j.assign(u, l, shown); err != nil {
			return err
		}
	}
	if s, ok := errors.AsType[*unit.SyntaxError](f.err); ok && s.Text != "" {
		j.note(3, "%s:%d: %s", shown, s.Line, s.Text)
	}
	return f.err
}

// assign interprets one assignment of [Install].
func (j *job) assign(u *unitFile, l line, shown string) error {
	warn := func(format string, args ...any) {
		j.note(4, "%s:%d: %s", shown, l.number, fmt.Sprintf(format, args...))
	}
	var into *[]string
	switch l.key {
	case "Alias":
		if typ := unit.Type(u.name); !unit.Aliasable(typ) {
			warn("Alias= is not allowed for %s units, ignoring.", typ)
			return nil
		}
		into = &u.aliases
	case "WantedBy":
		into = &u.wantedBy
	case "RequiredBy":
		into = &u.requiredBy
	case "UpheldBy":
		into = &u.upheldBy
	case "Also":
		return j.also(u, l.value, warn)
	case "DefaultInstance":
		return j.defaultInstance(u, l.value, warn)
	default:
		if !strings.HasPrefix(l.key, "X-") {
			warn("Unknown key '%s' in section [Install], ignoring.", l.key)
		}
		return nil
	}
	if l.value == "" {
		*into = nil
		return nil
	}
	words, err := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	if err != nil {
		warn("Failed to parse %s=%s, ignoring: %s", l.key, l.value, sys.Strerror(sys.Errno(err)))
		return nil
	}
	for _, w := range words {
		*into = append(*into, strings.Clone(w))
	}
	return nil
}

func (j *job) also(u *unitFile, value string, warn func(string, ...any)) error {
	words, err := unit.Words(value, 0)
	for _, w := range words {
		name, err := j.expand(u, w)
		if err != nil {
			warn("Failed to resolve unit name in Also=\"%s\": %s", w, sys.Strerror(sys.Errno(err)))
			return err
		}
		if _, err := j.add(name, "", true); err != nil {
			return err
		}
		u.also = append(u.also, name)
	}
	return err
}

func (j *job) defaultInstance(u *unitFile, value string, warn func(string, ...any)) error {
	switch unit.KindOf(u.name) {
	case unit.Instance:
		return nil
	case unit.Plain:
		warn("DefaultInstance= only makes sense for template units, ignoring.")
		return nil
	}
	instance, err := j.expand(u, value)
	if err != nil {
		warn("Failed to resolve instance name in DefaultInstance=\"%s\": %s", value, sys.Strerror(sys.Errno(err)))
		return err
	}
	if instance != "" && !unit.ValidInstance(instance) {
		warn("Invalid DefaultInstance= value \"%s\".", instance)
		return syscall.EINVAL
	}
	u.defaultInstance = instance
	return nil
}

// loadOrFollow loads the file called name in d as the main file of u; of a link it
// finds out where it leads and what that makes of u.
func (j *job) loadOrFollow(u *unitFile, d *dir, name string, install bool) error {
	err := j.load(u, d, name, install)
	if err != syscall.ELOOP {
		return err
	}
	n, err := d.lookup(name)
	if err != nil {
		return err
	}
	outside, err := j.resolve(u, d, n)
	if err != nil {
		return err
	}
	isNull, err := j.ix.isNull(u.target)
	switch e := sys.Errno(err); {
	case e != 0 && e != syscall.ENOENT:
		return err
	case isNull:
		u.mode = masked
	case outside:
		u.mode = linked
	default:
		u.mode = alias
	}
	return nil
}

// resolve reads the link n one step and checks that what it says is a fit alias
// when it stays in the unit directories.
func (j *job) resolve(u *unitFile, d *dir, n *node) (outside bool, err error) {
	target, err := d.readlink(n)
	if err != nil {
		return false, err
	}
	if !strings.HasPrefix(target, "/") {
		target = d.path + "/" + target
	}
	to, err := j.ix.canonical(target)
	if err != nil {
		return false, err
	}
	_, rest, within := j.ix.path.holding(to)
	if !within && !j.ix.path.isSearchDir(to) {
		u.target = to
		return true, nil
	}
	if err := j.checkAliasLink(n.name, path.Base(to)); err != nil {
		if err == errSelf {
			err = syscall.ELOOP
		}
		return false, err
	}
	if strings.Contains(rest, "/") {
		j.note(4, "Suspicious symlink %s/%s %s %s, treating as alias.",
			j.ix.shown(d.path), n.name, arrow, j.ix.shown(to))
	}
	u.target = to
	return false, nil
}

// arrow stands between a link and its target in messages; the front door
// replaces it where the locale has no such character.
const arrow = "→"

// search finds the file of u in the unit directories, of an instance also under
// its template's name, and loads it with its drop-ins.
func (j *job) search(u *unitFile, install bool) error {
	if u.mode != unknown {
		return nil
	}
	if u.path != "" {
		if err := j.loadOrFollow(u, j.ix.dir(path.Dir(u.path)), path.Base(u.path), install); err != nil {
			return err
		}
		return j.dropIns(u, install)
	}
	names := [2]string{u.name}
	if unit.KindOf(u.name) == unit.Instance {
		names[1] = unit.TemplateOf(u.name)
	}
	for _, name := range names {
		if name == "" {
			break
		}
		for _, p := range j.ix.path.Dirs {
			d := j.ix.dir(p)
			err := j.loadOrFollow(u, d, name, install)
			switch sys.Errno(err) {
			case 0:
				u.path = p + "/" + name
				return j.dropIns(u, install)
			case syscall.ENOENT, syscall.ENOTDIR, syscall.EACCES:
			default:
				return err
			}
		}
	}
	return syscall.ENOENT
}

// dropIns applies the *.conf files of NAME.d, and of an instance also of
// TEMPLATE.d, in every unit directory: of files of the same name the first
// counts, and they apply in the order of their names.
func (j *job) dropIns(u *unitFile, install bool) error {
	if !install || u.mode == masked {
		return nil
	}
	var found []*dropIn
	collect := func(name string) {
		for _, p := range j.ix.path.Dirs {
			if j.ix.dir(p).absent(name) {
				continue
			}
			found = j.ix.collect(found, p+"/"+name, ".conf")
		}
	}
	collect(u.name + ".d")
	if unit.KindOf(u.name) == unit.Instance {
		collect(unit.TemplateOf(u.name) + ".d")
	}
	sortDropIns(found)
	for _, f := range found {
		data, st, err := j.ix.tree.ReadFile(f.path, maxUnitFile)
		if f.null || err == nil && null(st) {
			continue
		}
		if sys.Errno(err) == syscall.ENOENT {
			continue // a dangling link says nothing; it is no reason to lose the unit
		}
		if err != nil {
			return err
		}
		var pf parsedFile
		pf.parse(data)
		if err := j.interpret(u, &pf, j.ix.shown(f.path)); err != nil {
			return err
		}
	}
	return nil
}
