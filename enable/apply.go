package enable

import (
	"path"
	"slices"
	"syscall"
	"time"

	"ctl/internal/sys"
	"ctl/internal/tree"
)

// A Result is what came of a Plan.
type Result struct {
	Changes []Change
	Err     error // nil when all that was asked is done
}

// lockWait is how long a call waits for another one at work on the same tree.
// Links are replaced atomically with or without the lock; it keeps calls from deciding
// on what the other is about to change.
const lockWait = 30 * time.Second

// Lock keeps other calls of ctl from changing the tree until unlock is called.
// It is to be held from before the Index is opened. Where no lock can be had, the
// work goes on without.
func Lock(t *tree.Tree) (unlock func()) {
	unlock, err := t.Lock(lockWait)
	if err != nil {
		return func() {}
	}
	return unlock
}

// Apply carries the plan out, step by step; a step that fails is reported, and
// the others are carried out all the same unless they build on it.
func (ix *Index) Apply(p *Plan) Result {
	r := Result{Err: p.Err}
	a := applier{tree: ix.tree, dirs: make(map[string]*tree.Dir)}
	defer a.close()
	spoiled := -1 // the unit whose vital step failed
	for _, s := range p.Steps {
		if s.Unit == spoiled && s.Action != Report {
			continue
		}
		if err := a.do(s); err != nil {
			if s.Action != Discard { // of which the reference only says that it failed
				r.Changes = p.add(r.Changes, Change{Type: Failed, Err: sys.Errno(err), Path: ix.shown(s.Path)})
			}
			if r.Err == nil {
				r.Err = sys.Errno(err)
			}
			if s.Vital {
				spoiled = s.Unit
			}
			continue
		}
		for _, c := range s.Changes {
			r.Changes = p.add(r.Changes, c)
		}
	}
	return p.judge(r)
}

// Foresee returns what Apply would, as far as the plan can tell.
func (p *Plan) Foresee() Result {
	r := Result{Err: p.Err}
	for _, s := range p.Steps {
		for _, c := range s.Changes {
			r.Changes = p.add(r.Changes, c)
		}
	}
	return p.judge(r)
}

// judge decides whether reported failures fail the whole.
func (p *Plan) judge(r Result) Result {
	if r.Err == nil && !p.Lenient {
		for _, c := range r.Changes {
			if c.Type == Failed {
				r.Err = c.Err
				break
			}
		}
	}
	return r
}

// add appends c. A plan of several stages meets the same obstacle in each; it is reported once.
func (p *Plan) add(l []Change, c Change) []Change {
	if p.staged && c.Type == Failed && slices.Contains(l, c) {
		return l
	}
	return append(l, c)
}

// An applier changes the tree through directories that it holds open.
type applier struct {
	tree *tree.Tree
	dirs map[string]*tree.Dir
}

func (a *applier) close() {
	for _, d := range a.dirs {
		d.Close()
	}
}

// dir returns the directory p, made if need be.
func (a *applier) dir(p string) (*tree.Dir, error) {
	if d := a.dirs[p]; d != nil {
		return d, nil
	}
	d, err := a.tree.MkdirAll(p, 0o755)
	if err != nil {
		return nil, err
	}
	d.CleanTemporary()
	a.dirs[p] = d
	return d, nil
}

func (a *applier) do(s Step) error {
	name := path.Base(s.Path)
	switch s.Action {
	case Link:
		d, err := a.dir(path.Dir(s.Path))
		if err != nil {
			return err
		}
		err = d.Symlink(s.Target, name)
		if sys.Errno(err) == syscall.EEXIST {
			if old, e := d.Readlink(name); e == nil && old == s.Target {
				return nil // somebody else was faster
			}
		}
		return err
	case Replace:
		d, err := a.dir(path.Dir(s.Path))
		if err != nil {
			return err
		}
		return d.ReplaceLink(s.Target, name)
	case Remove:
		return a.remove(s, name)
	case Discard:
		err := a.tree.RemoveAll(s.Path)
		if sys.Errno(err) == syscall.ENOENT {
			return nil
		}
		return err
	}
	return nil
}

func (a *applier) remove(s Step, name string) error {
	d, err := a.tree.OpenDir(path.Dir(s.Path))
	if err != nil {
		if sys.Errno(err) == syscall.ENOENT {
			return nil
		}
		return err
	}
	defer d.Close()
	if err := d.Remove(name); err != nil && sys.Errno(err) != syscall.ENOENT {
		return err
	}
	if held := a.dirs[path.Dir(s.Path)]; held != nil {
		held.Close()
		delete(a.dirs, path.Dir(s.Path)) // it may go now
	}
	a.tree.RemoveEmptyParents(s.Path, s.Stop)
	return nil
}
