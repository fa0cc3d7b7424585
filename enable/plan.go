package enable

import (
	"errors"
	"path"
	"strings"
	"syscall"

	"ctl/internal/sys"
	"ctl/internal/tree"
)

// An Action is what a Step does to the tree.
type Action int

const (
	Report  Action = iota // nothing; it only says something
	Link                  // make the link Path to Target, and its parent directories
	Replace               // put the link to Target in the place of the link at Path
	Remove                // remove the link or file Path, and parents left empty below Stop
	Discard               // remove Path and all below it
)

// A Step is one change to the tree, with what is to be said when it is done.
type Step struct {
	Action  Action
	Path    string // in the tree
	Target  string
	Stop    string   // Remove: the directory that stays though it be empty
	Changes []Change // on success
	// Unit numbers the unit the step is for; Vital says that when it fails the
	// other steps for that unit make no sense.
	Unit  int
	Vital bool
}

// A Plan is what a request leads to: changes of links and what is to be said.
// Making one changes nothing; Index.Apply carries it out.
type Plan struct {
	Verb  string // as error messages put it: "enable", "add dependency on"
	Notes []Note // log lines from reading the tree
	Steps []Step
	Err   error // the request failed as a whole, wholly or in part
	// Carries is whether the units had any installation information, or the plan
	// changes something; where it has not, enable and disable explain themselves.
	Carries bool
	// Lenient: failures that were only reported do not fail the request (preset-all).
	Lenient bool

	unit   int
	staged bool
}

func (p *Plan) say(c Change) {
	c.Path, c.Source = simplify(c.Path), simplify(c.Source)
	p.Steps = append(p.Steps, Step{Unit: p.unit, Changes: []Change{c}})
}

// simplify takes repeated slashes and "." out of what may be a path.
func simplify(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "./") && !strings.HasSuffix(p, "/") && !strings.HasSuffix(p, "/.") {
		return p
	}
	var parts []string
	for part := range strings.SplitSeq(p, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	s := strings.Join(parts, "/")
	if strings.HasPrefix(p, "/") {
		s = "/" + s
	}
	return s
}

// fail reports a failure and returns its errno as an error.
func (p *Plan) fail(err error, pth, source string) error {
	e := sys.Errno(err)
	p.say(Change{Type: Failed, Err: e, Path: pth, Source: source})
	return e
}

func (p *Plan) failed(err error) {
	if p.Err == nil && err != nil {
		p.Err = err
	}
}

// link plans a link at p to target. An existing link that means the same is
// left alone, another is replaced when force is set. Whether the plan wants the
// link is counted by the caller, made or not.
func (ix *Index) link(pl *Plan, target, p string, force, vital bool) error {
	d, n, err := ix.at(p)
	if err != nil && sys.Errno(err) != syscall.ENOENT && sys.Errno(err) != syscall.ENOTDIR {
		return pl.fail(err, ix.shown(p), "")
	}
	step := Step{Action: Link, Path: p, Target: target, Unit: pl.unit, Vital: vital,
		Changes: []Change{{Type: Symlink, Path: ix.shown(p), Source: simplify(target)}}}
	if n != nil {
		if n.kind != tree.Link {
			return pl.fail(syscall.EEXIST, ix.shown(p), "")
		}
		old, err := d.readlink(n)
		if err != nil {
			return pl.fail(err, ix.shown(p), "")
		}
		if ix.equivalent(d.path, old, target) {
			return nil
		}
		if !force {
			return pl.fail(syscall.EEXIST, ix.shown(p), old)
		}
		step.Action = Replace
		step.Changes = []Change{{Type: Unlink, Path: ix.shown(p)}, step.Changes[0]}
	}
	if err := ix.unmakeable(d); err != nil {
		return pl.fail(err, ix.shown(p), "")
	}
	d.put(path.Base(p), target)
	if twin := ix.twin(d); twin != nil {
		twin.put(path.Base(p), target)
	}
	pl.Steps = append(pl.Steps, step)
	return nil
}

// unmakeable tells why the directory d, which is not there, cannot be made: a file or a
// link that leads nowhere is in the way.
func (ix *Index) unmakeable(d *dir) error {
	if d.err == nil {
		return nil
	}
	for p := d.path; ; p = path.Dir(p) {
		st, err := ix.tree.Lstat(p)
		switch {
		case errors.Is(err, syscall.ENOENT) && p != "/":
			continue
		case err == nil && st.Kind == tree.Link:
			st, err = ix.tree.Stat(p)
		}
		if err == nil && st.Kind != tree.Directory {
			err = syscall.ENOTDIR
		}
		return err
	}
}

// twin is the directory that d, being a link, leads to; nil if it is none.
func (ix *Index) twin(d *dir) *dir {
	if _, n, err := ix.at(d.path); err != nil || n == nil || n.kind != tree.Link {
		return nil
	}
	to, _, err := ix.end(d.path)
	if err != nil {
		return nil
	}
	return ix.dir(to)
}

// equivalent tells whether two targets of a link in dir mean the same: the same
// file, or files of one name that both lie in the unit directories.
func (ix *Index) equivalent(dir, a, b string) bool {
	abs := func(t string) string {
		if t == "" || t[0] != '/' {
			t = dir + "/" + t
		}
		return path.Clean(t)
	}
	a, b = abs(a), abs(b)
	if a == b {
		return true
	}
	if sa, err := ix.tree.Stat(a); err == nil {
		if sb, err := ix.tree.Stat(b); err == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino {
			return true
		}
	}
	_, _, ina := ix.path.holding(a)
	_, _, inb := ix.path.holding(b)
	return ina && inb && path.Base(a) == path.Base(b)
}

// remove plans the removal of the link p and says so.
func (ix *Index) remove(pl *Plan, p, stop string) {
	d := ix.dir(path.Dir(p))
	d.drop(path.Base(p))
	pl.Steps = append(pl.Steps, Step{Action: Remove, Path: p, Stop: stop, Unit: pl.unit,
		Changes: []Change{{Type: Unlink, Path: ix.shown(p)}}})
}
