package enable

import (
	"path"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/unit"
)

// config returns the directory that a request writes to.
func (ix *Index) config(f Flags) (string, error) {
	if f.Runtime {
		if ix.path.Runtime == "" {
			return "", syscall.ENXIO
		}
		return ix.path.Runtime, nil
	}
	return ix.path.Persistent, nil
}

// begin begins a plan; Err is set in it when the scope has no directory to write to.
func (ix *Index) begin(verb string, f Flags) (*Plan, string) {
	p := &Plan{Verb: verb}
	config, err := ix.config(f)
	p.Err = err
	return p, config
}

// Enable plans `systemctl enable`: links for Alias=, WantedBy=, RequiredBy= and
// UpheldBy= of the units and of what their Also= names.
func (ix *Index) Enable(args []string, f Flags) *Plan {
	p, config := ix.begin("enable", f)
	if p.Err == nil {
		ix.enable(p, config, args, f)
	}
	return p
}

func (ix *Index) enable(p *Plan, config string, args []string, f Flags) {
	j := ix.newJob(&p.Notes)
	for _, arg := range args {
		u, err := j.discover(arg, true, true)
		if err != nil {
			p.failed(p.fail(err, arg, ""))
			return
		}
		if err := j.mayProcess(p, u); err != nil {
			p.failed(err)
			return
		}
	}
	n, err := j.install(p, config, f, true, false)
	p.failed(err)
	p.Carries = n > 0
}

// mayProcess refuses units that nobody enables: masked, generated and transient ones.
func (j *job) mayProcess(p *Plan, u *unitFile) error {
	dir := path.Dir(u.path)
	switch {
	case u.mode == masked:
		return p.fail(syscall.ERFKILL, j.ix.shown(u.path), "")
	case j.ix.path.isGenerator(dir), j.ix.path.isTransient(dir):
		return p.fail(syscall.EADDRNOTAVAIL, j.ix.shown(u.path), "")
	}
	return nil
}

// install plans the links of all units of the job, those that join through
// Also= on the way included. It returns how many links were wanted. preset: what
// only an explicit request complains about is passed over.
func (j *job) install(p *Plan, config string, f Flags, load, preset bool) (wanted int, failed error) {
	for k := 0; k < len(j.queue); k++ {
		u := j.queue[k]
		p.unit++
		// Links that enable itself made are not to be followed here: the unit
		// behind them is what should be enabled. The verbs that load nothing follow them.
		if _, err := j.traverse(u, load, !load); err != nil {
			if u.auxiliary {
				p.say(Change{Type: AuxiliaryFailed, Path: u.name})
				continue
			}
			return wanted, p.fail(err, u.name, "")
		}
		switch u.mode {
		case masked:
			p.say(Change{Type: Masked, Path: j.ix.shown(u.path)})
			wanted++
			continue
		case regular:
		default:
			continue
		}
		n, err := j.installOne(p, config, f, u, preset)
		wanted += n
		if failed == nil {
			failed = err
		}
	}
	return wanted, failed
}

func (j *job) installOne(p *Plan, config string, f Flags, u *unitFile, preset bool) (wanted int, failed error) {
	keep := func(n int, err error) {
		wanted += n
		if failed == nil {
			failed = err
		}
	}
	if !j.ix.path.isSearchDir(path.Dir(u.path)) {
		if err := j.ix.link(p, u.path, config+"/"+u.name, f.Force, true); err != nil {
			return 0, err
		}
	}
	keep(j.installAliases(p, config, f, u))
	keep(j.installDependencies(p, config, u, u.wantedBy, ".wants/", preset))
	keep(j.installDependencies(p, config, u, u.requiredBy, ".requires/", preset))
	keep(j.installDependencies(p, config, u, u.upheldBy, ".upholds/", preset))
	return wanted, failed
}

func (j *job) installAliases(p *Plan, config string, f Flags, u *unitFile) (wanted int, failed error) {
	keep := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	for _, word := range u.aliases {
		dst, err := j.expand(u, word)
		if err != nil {
			keep(p.fail(err, word, ""))
			continue
		}
		name, err := checkAlias(u.name, dst)
		if err == errSelf {
			continue
		}
		if err != nil {
			switch r, ok := err.(*refusal); {
			case ok:
				err = p.fail(r, r.path, r.source)
			case err == syscall.EDESTADDRREQ:
				j.note(3, "Failed to extract parent directory from '%s': %s", dst, sys.Strerror(syscall.EDESTADDRREQ))
			}
			keep(err)
			continue
		}
		link := path.Clean(config + "/" + name)
		dangling, err := j.ix.dangling(link)
		if err != nil {
			keep(sys.Errno(err))
			continue
		}
		target := u.path
		if !j.ix.path.isSearchDir(path.Dir(u.path)) {
			target = config + "/" + u.name
		}
		if err := j.ix.link(p, target, link, f.Force || dangling, false); err != nil {
			keep(err)
			continue
		}
		wanted++
	}
	return wanted, failed
}

// dangling tells whether p, as the plan will have it, is a link to nothing.
func (ix *Index) dangling(p string) (bool, error) {
	d, n, _ := ix.at(p)
	if n == nil || n.made {
		return false, nil
	}
	target, err := d.readlink(n)
	if err != nil {
		return false, nil // no link
	}
	if target == "/dev/null" {
		if _, err := ix.tree.Stat(target); err == nil {
			return false, nil
		}
	}
	_, err = ix.tree.Stat(p)
	switch sys.Errno(err) {
	case 0:
		return false, nil
	case syscall.ENOENT:
		return true, nil
	}
	return false, err
}

func (j *job) installDependencies(p *Plan, config string, u *unitFile, list []string, suffix string, preset bool) (wanted int, failed error) {
	if len(list) == 0 {
		return 0, nil
	}
	name, fits := u.name, unit.Any
	if unit.KindOf(u.name) == unit.Template {
		if u.defaultInstance != "" {
			var err error
			if name, err = j.instantiate(p, u); err != nil {
				return 0, err
			}
		} else {
			// The instance comes from the unit that wants it, so that must have one.
			fits = unit.Instance | unit.Template
		}
	}
	keep := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	for _, word := range list {
		dst, err := j.expand(u, word)
		if err != nil {
			keep(p.fail(err, word, ""))
			continue
		}
		if !unit.Valid(dst, fits) {
			switch {
			case preset:
			case unit.Valid(dst, unit.Any):
				keep(p.fail(syscall.EIDRM, dst, name))
			default:
				keep(p.fail(syscall.EUCLEAN, dst, ""))
			}
			continue
		}
		if err := j.ix.link(p, u.path, config+"/"+dst+suffix+name, true, false); err != nil {
			keep(err)
		} else {
			wanted++
		}
		if !j.exists(dst) {
			p.say(Change{Type: DestinationMissing, Path: dst, Source: j.ix.shown(u.path)})
		}
	}
	return wanted, failed
}

// instantiate returns the instance that a template's DefaultInstance= names.
func (j *job) instantiate(p *Plan, u *unitFile) (string, error) {
	name, err := unit.WithInstance(u.name, u.defaultInstance)
	if err != nil {
		return "", syscall.EINVAL
	}
	i := &unitFile{name: name}
	if err := j.ix.newJob(&p.Notes).search(i, false); err != nil {
		return "", sys.Errno(err)
	}
	if i.mode == masked {
		return "", p.fail(syscall.ERFKILL, j.ix.shown(i.path), "")
	}
	return name, nil
}

// exists tells whether there is a unit file of that name. In doubt it says yes:
// only a unit that surely is missing is worth a warning.
func (j *job) exists(name string) bool {
	_, err := j.ix.newJob(j.notes).discover(name, false, false)
	return sys.Errno(err) != syscall.ENOENT
}

// AddDependency plans `systemctl add-wants` and `add-requires` (suffix ".wants"
// or ".requires"): links from target to the units, whatever their [Install] says.
func (ix *Index) AddDependency(target, suffix string, args []string, f Flags) *Plan {
	p, config := ix.begin("add dependency on", f)
	if p.Err != nil {
		return p
	}
	if !unit.Valid(target, unit.Any) {
		p.failed(p.fail(syscall.EUCLEAN, target, ""))
		return p
	}
	j := ix.newJob(&p.Notes)
	to, err := j.check(p, target)
	if err != nil {
		p.failed(err)
		return p
	}
	for _, arg := range args {
		u, err := j.check(p, arg)
		if err != nil {
			p.failed(err)
			return p
		}
		if suffix == ".wants" {
			u.wantedBy = []string{to.name}
		} else {
			u.requiredBy = []string{to.name}
		}
	}
	_, err = j.install(p, config, f, false, false)
	p.failed(err)
	return p
}

// check discovers arg and refuses what cannot be installed.
func (j *job) check(p *Plan, arg string) (*unitFile, error) {
	u, err := j.discover(arg, false, true)
	if err != nil {
		return nil, p.fail(err, arg, "")
	}
	return u, j.mayProcess(p, u)
}
