package enable

import (
	"slices"
	"strings"

	"ctl/internal/tree"
)

// A dropIn is one *.conf file that adds to a unit, or a preset file: of those with one name the first counts.
type dropIn struct {
	name string
	path string // in the tree
	null bool   // a link to /dev/null: it hides files of its name and says nothing
}

// absent tells whether name surely is not in d, without opening anything.
func (d *dir) absent(name string) bool {
	_, err := d.lookup(name)
	return err != nil
}

// collect adds the files of the directory p whose names end in suffix to found, unless one
// of the same name is there already.
func (ix *Index) collect(found []*dropIn, p, suffix string) []*dropIn {
	d := ix.dir(p)
	if d.read() != nil {
		return found
	}
	for n := range d.list {
		if !strings.HasSuffix(n.name, suffix) {
			continue
		}
		if n.kind != tree.Regular && n.kind != tree.Link && n.kind != tree.CharDevice {
			continue
		}
		if slices.ContainsFunc(found, func(f *dropIn) bool { return f.name == n.name }) {
			continue
		}
		f := &dropIn{name: n.name, path: p + "/" + n.name}
		if n.kind == tree.Link {
			target, _ := d.readlink(n)
			f.null = target == "/dev/null"
		}
		found = append(found, f)
	}
	return found
}

func sortDropIns(l []*dropIn) {
	slices.SortFunc(l, func(a, b *dropIn) int { return strings.Compare(a.name, b.name) })
}
