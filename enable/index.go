package enable

import (
	"errors"
	"os"
	"path"
	"strings"
	"syscall"

	"ctl/internal/tree"
)

// An Index is what is known of the unit directories of one scope: each
// directory is read at most once, each unit file parsed at most once. What a
// Plan decides is recorded in the Index too, so that a later decision sees the
// tree as it will be, and nothing on disk changes before Apply.
type Index struct {
	cfg  Config
	tree *tree.Tree
	path *SearchPath

	dirs     map[string]*dir
	resolved map[string]string      // directory as written -> canonical
	files    map[string]*parsedFile // by canonical path
}

// Open prepares the Index of the unit directories of cfg.Scope. It reads nothing yet.
// EINVAL means that the scope and the tree, or SYSTEMD_UNIT_PATH, do not go
// together; ENXIO that the user's directories are unknown.
func Open(cfg Config) (*Index, error) {
	sp, err := newSearchPath(cfg, splitUsr(cfg.Tree))
	if err != nil {
		return nil, err
	}
	return &Index{
		cfg: cfg, tree: cfg.Tree, path: sp,
		dirs:     make(map[string]*dir),
		resolved: make(map[string]string),
		files:    make(map[string]*parsedFile),
	}, nil
}

// SearchPath returns the directories the Index covers.
func (ix *Index) SearchPath() *SearchPath { return ix.path }

// splitUsr tells whether /lib is a directory of its own: then units may live
// in /lib/systemd/system, as they did before the merge of /usr.
func splitUsr(t *tree.Tree) bool {
	st, err := t.Lstat("/lib")
	return err == nil && st.Kind == tree.Directory
}

// A node is one name in a directory.
type node struct {
	name   string
	kind   tree.Kind
	target string // of a link, once read
	known  bool   // target was read
	made   bool   // by this plan, not on disk
}

// A dir is one directory of the tree and what is known of its names.
type dir struct {
	path  string
	err   error // from opening it
	h     *tree.Dir
	nodes map[string]*node // nil: known to be absent
	order []string         // names as read, when whole
	whole bool

	links *linkIndex
}

// dir returns the directory p. A directory that cannot be opened is returned
// too, with err set; names can be planned into it.
func (ix *Index) dir(p string) *dir {
	if d := ix.dirs[p]; d != nil {
		return d
	}
	d := &dir{path: p, nodes: make(map[string]*node)}
	d.h, d.err = ix.tree.OpenDir(p)
	ix.dirs[p] = d
	return d
}

// at returns the directory and the node of path p; the node is nil if there is none.
func (ix *Index) at(p string) (*dir, *node, error) {
	d := ix.dir(path.Dir(p))
	n, err := d.lookup(path.Base(p))
	return d, n, err
}

// lookup returns the node called name, or nil and why there is none.
func (d *dir) lookup(name string) (*node, error) {
	if n, ok := d.nodes[name]; ok {
		if n == nil {
			return nil, syscall.ENOENT
		}
		return n, nil
	}
	if d.err != nil {
		return nil, d.err
	}
	if d.whole {
		return nil, syscall.ENOENT
	}
	st, err := d.h.Lstat(name)
	if err != nil {
		if errors.Is(err, syscall.ENOENT) {
			d.nodes[name] = nil
		}
		return nil, err
	}
	n := &node{name: name, kind: st.Kind}
	d.nodes[name] = n
	return n, nil
}

// read makes the whole directory known.
func (d *dir) read() error {
	if d.whole || d.err != nil {
		return d.err
	}
	es, err := d.h.Entries()
	if err != nil {
		d.err = err
		return err
	}
	planned := d.nodes
	d.nodes = make(map[string]*node, len(es))
	block := make([]node, len(es))
	d.order = make([]string, 0, len(es))
	for i, e := range es {
		n := &block[i]
		n.name, n.kind = e.Name, e.Kind
		if p, ok := planned[e.Name]; ok {
			if p == nil {
				continue
			}
			n = p
		}
		d.nodes[e.Name] = n
		d.order = append(d.order, e.Name)
	}
	for name, n := range planned {
		if n != nil && n.made && d.nodes[name] == nil {
			d.nodes[name] = n
			d.order = append(d.order, name)
		}
	}
	d.whole = true
	return nil
}

// readlink returns the target of the link n as it is written.
func (d *dir) readlink(n *node) (string, error) {
	if !n.known {
		t, err := d.h.Readlink(n.name)
		if err != nil {
			return "", err
		}
		n.target, n.known = t, true
	}
	return n.target, nil
}

// put records that the plan makes name a link to target.
func (d *dir) put(name, target string) {
	if _, seen := d.nodes[name]; !seen && d.whole {
		d.order = append(d.order, name)
	}
	d.nodes[name] = &node{name: name, kind: tree.Link, target: target, known: true, made: true}
	d.links = nil
	if d.err != nil && errors.Is(d.err, syscall.ENOENT) {
		d.whole = true // a directory that the plan makes holds nothing else
		d.err = nil
	}
}

// drop records that the plan removes name.
func (d *dir) drop(name string) {
	d.nodes[name] = nil
	d.links = nil
}

// list returns the nodes of d in the order read, hidden ones left out.
func (d *dir) list(yield func(*node) bool) {
	for _, name := range d.order {
		if n := d.nodes[name]; n != nil && !strings.HasPrefix(name, ".") && !yield(n) {
			return
		}
	}
}

// canonicalDir resolves the links in the path of a directory, inside the tree.
// What does not exist is kept as it is.
func (ix *Index) canonicalDir(p string) (string, error) {
	if r, ok := ix.resolved[p]; ok {
		return r, nil
	}
	r, err := ix.tree.Resolve(p, true)
	if err != nil {
		return "", err
	}
	ix.resolved[p] = r
	return r, nil
}

// canonical resolves all but the last component of p.
func (ix *Index) canonical(p string) (string, error) {
	p = path.Clean("/" + p)
	if p == "/" {
		return p, nil
	}
	d, err := ix.canonicalDir(path.Dir(p))
	if err != nil {
		return "", err
	}
	return path.Join(d, path.Base(p)), nil
}

// rooted tells whether the tree is another than "/": --root=/ is no root, neither to us nor to the reference.
func (ix *Index) rooted() bool { return ix.tree.Prefix() != "" }

// shown is p as messages name it: with the tree's prefix.
func (ix *Index) shown(p string) string { return ix.tree.Shown(p) }

// isNull tells whether p, followed to its end, is a file that masks: empty, or
// a device node such as /dev/null. A tree often lacks /dev/null, so that path counts as it stands.
func (ix *Index) isNull(p string) (bool, error) {
	if p == "/dev/null" {
		return true, nil
	}
	st, err := ix.tree.Stat(p)
	if err != nil {
		return false, err
	}
	return null(st), nil
}

func null(st tree.Stat) bool {
	return st.Kind == tree.Regular && st.Size == 0 || st.Kind == tree.CharDevice || st.Kind == tree.BlockDevice
}

// absolute makes a path absolute against the working directory, by joining alone.
func absolute(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	wd, err := os.Getwd()
	if err != nil {
		return "/" + p
	}
	return strings.TrimSuffix(wd, "/") + "/" + p
}
