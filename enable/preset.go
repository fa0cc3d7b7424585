package enable

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/tree"
	"ctl/internal/unit"
)

// PresetMode says which half of the presets is applied.
type PresetMode int

const (
	Full PresetMode = iota
	EnableOnly
	DisableOnly
)

// presetWord is what the rules say of a unit, in the past tense of list-unit-files.
func presetWord(rules unit.Rules, name string) string {
	switch rules.MatchPattern(name) {
	case unit.Disable:
		return "disabled"
	case unit.Ignore:
		return "ignored"
	}
	return "enabled"
}

// presetDirs lists the directories of preset files, highest priority first.
func (ix *Index) presetDirs() []string {
	roots := []string{"/etc/systemd/", "/run/systemd/", "/usr/local/lib/systemd/", "/usr/lib/systemd/"}
	if splitUsr(ix.tree) {
		roots = append(roots, "/lib/systemd/")
	}
	in := func(name string) (dirs []string) {
		for _, r := range roots {
			dirs = append(dirs, r+name)
		}
		return dirs
	}
	if ix.cfg.Scope != System {
		return in("user-preset")
	}
	// In an initrd its own presets count alone, if it has any.
	if _, err := ix.tree.Stat("/etc/initrd-release"); err == nil {
		for _, d := range in("initrd-preset") {
			if ix.dir(d).err == nil {
				return in("initrd-preset")
			}
		}
	}
	return in("system-preset")
}

// readPresets reads all preset files, systemd.preset(5): of those with one name the first, in the order of their names.
func (ix *Index) readPresets(notes *[]Note) (rules unit.Rules, err error) {
	var files []*dropIn
	for _, d := range ix.presetDirs() {
		files = ix.collect(files, d, ".preset")
	}
	sortDropIns(files)
	for _, f := range files {
		if f.null {
			continue
		}
		data, _, err := ix.tree.ReadFile(f.path, maxUnitFile)
		if sys.Errno(err) == syscall.ENOENT || sys.Errno(err) == syscall.ENOTTY {
			continue
		}
		if err != nil {
			return nil, sys.Errno(err)
		}
		rules = append(rules, unit.ParsePreset(data, func(line int, text string) {
			*notes = append(*notes, Note{4, ix.shown(f.path) + ":" + strconv.Itoa(line) + ": " + text})
		})...)
	}
	return rules, nil
}

// A presetJob sorts units into those to enable and those to disable.
type presetJob struct {
	ix          *Index
	p           *Plan
	rules       unit.Rules
	plus, minus *job
}

// Preset plans `systemctl preset`.
func (ix *Index) Preset(args []string, mode PresetMode, f Flags) *Plan {
	p, config := ix.begin("preset", f)
	p.staged = true
	if p.Err != nil {
		return p
	}
	j := ix.newPresetJob(p)
	if j == nil {
		return p
	}
	for _, arg := range args {
		name := arg
		if strings.HasPrefix(arg, "/") {
			name = path.Base(arg) // a preset is for the unit, wherever its file is
			if !unit.Valid(name, unit.Any) {
				p.failed(p.fail(syscall.EINVAL, arg, ""))
				return p
			}
		}
		if err := j.sort(name); err != nil && !tolerable(err) {
			p.failed(err)
			return p
		}
	}
	j.execute(config, mode, f)
	return p
}

// PresetAll plans `systemctl preset-all`: every unit file there is, by directory
// and name. What is wrong with a unit does not fail the whole, unless it is of a kind
// that makes the tree doubtful.
func (ix *Index) PresetAll(mode PresetMode, f Flags) *Plan {
	p, config := ix.begin("preset all", f)
	p.staged = true
	p.Lenient = true
	if p.Err != nil {
		return p
	}
	j := ix.newPresetJob(p)
	if j == nil {
		return p
	}
	for _, dirPath := range ix.path.Dirs {
		d := ix.dir(dirPath)
		if e := sys.Errno(d.read()); e == syscall.ENOENT {
			continue
		} else if e != 0 {
			p.failed(e)
			return p
		}
		var names []string
		for n := range d.list {
			names = append(names, n.name)
		}
		slices.Sort(names)
		for _, name := range names {
			n := d.nodes[name]
			if n.kind != tree.Regular && n.kind != tree.Link || !unit.Valid(name, unit.Any) {
				continue
			}
			if err := j.sort(name); err != nil && !tolerable(err) {
				p.failed(err)
				return p
			}
		}
	}
	j.execute(config, mode, f)
	return p
}

func (ix *Index) newPresetJob(p *Plan) *presetJob {
	rules, err := ix.readPresets(&p.Notes)
	if err != nil {
		p.failed(err)
		return nil
	}
	return &presetJob{ix: ix, p: p, rules: rules, plus: ix.newJob(&p.Notes), minus: ix.newJob(&p.Notes)}
}

// tolerable tells whether a preset goes on to the next unit after err.
func tolerable(err error) bool {
	switch sys.Errno(err) {
	case syscall.EEXIST, syscall.ERFKILL, syscall.EADDRNOTAVAIL, syscall.ETXTBSY, syscall.EBADSLT, syscall.EIDRM,
		syscall.EUCLEAN, syscall.ELOOP, syscall.EXDEV, syscall.ENOENT, syscall.ENOLINK, syscall.EUNATCH:
		return true
	}
	return false
}

// sort asks the presets about one unit and puts it where they say.
func (j *presetJob) sort(name string) error {
	if j.plus.byKey[name] != nil || j.minus.byKey[name] != nil {
		return nil
	}
	u, err := j.ix.newJob(&j.p.Notes).discover(name, false, true)
	if err != nil {
		return j.p.fail(err, name, "")
	}
	if u.name != name {
		return nil // an alias goes with its unit
	}
	action, instances := j.rules.Match(name)
	switch action {
	case unit.Disable:
		if _, err := j.minus.discover(name, false, true); err != nil {
			return j.p.fail(err, name, "")
		}
	case unit.Enable:
		if len(instances) == 0 {
			return j.enable(name)
		}
		for _, i := range instances {
			if err := j.enable(i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (j *presetJob) enable(name string) error {
	u, err := j.plus.discover(name, true, true)
	if err != nil {
		return j.p.fail(err, name, "")
	}
	err = j.plus.mayProcess(j.p, u)
	if sys.Errno(err) == syscall.EADDRNOTAVAIL {
		// The reference complains and links the generated unit all the same.
		j.plus.forget(u)
	}
	return err
}

// forget takes u out of the job again; its name stays known.
func (j *job) forget(u *unitFile) {
	j.queue = slices.DeleteFunc(j.queue, func(q *unitFile) bool { return q == u })
}

func (j *presetJob) execute(config string, mode PresetMode, f Flags) {
	if mode != EnableOnly {
		m := newMarks()
		j.minus.mark(j.p, m)
		j.ix.removeMarked(j.p, m, config)
	}
	if mode != DisableOnly {
		_, err := j.plus.install(j.p, config, f, true, true)
		j.p.failed(err)
	}
}
