package control

import (
	"path"
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
)

// A processTree writes the processes of control groups below one another.
type processTree struct {
	paint   painter
	b       *strings.Builder
	columns int // that a line of a process may take, 0 for any number
}

// A groupNode is a control group with its processes and those below it.
type groupNode struct {
	name      string
	processes []manager.Process
	below     []*groupNode
}

// controlGroups arranges processes by their control groups, those of top and below.
func controlGroups(top string, processes []manager.Process) (*groupNode, []manager.Process) {
	root := &groupNode{}
	var outside []manager.Process
	top = strings.TrimSuffix(top, "/")
	for _, p := range processes {
		below, ok := strings.CutPrefix(p.CGroup, top)
		if p.CGroup == "" || !ok || below != "" && below[0] != '/' {
			outside = append(outside, p)
			continue
		}
		n := root
		for name := range strings.SplitSeq(below, "/") {
			if name != "" {
				n = n.child(name)
			}
		}
		n.processes = append(n.processes, p)
	}
	return root, outside
}

func (n *groupNode) child(name string) *groupNode {
	i, found := slices.BinarySearchFunc(n.below, name, func(c *groupNode, name string) int { return strings.Compare(c.name, name) })
	if !found {
		n.below = slices.Insert(n.below, i, &groupNode{name: name})
	}
	return n.below[i]
}

// write writes a group's processes and the groups below it; prefix comes before each line.
func (t processTree) write(n *groupNode, prefix string) {
	t.list(n.processes, prefix, func(last bool) string {
		return t.paint.branch(last && len(n.below) == 0)
	})
	for i, c := range n.below {
		last := i+1 == len(n.below)
		t.b.WriteString(prefix + t.paint.branch(last) + path.Base(c.name) + "\n")
		t.write(c, prefix+t.paint.stem(last))
	}
}

// list writes processes by their numbers, a line each.
func (t processTree) list(l []manager.Process, prefix string, branch func(last bool) string) {
	slices.SortFunc(l, func(a, b manager.Process) int { return int(a.PID) - int(b.PID) })
	digits := 0
	if len(l) > 0 {
		digits = len(decimal(l[len(l)-1].PID))
	}
	for i, p := range l {
		number := decimal(p.PID)
		number = strings.Repeat(" ", digits-len(number)) + number
		command := p.Command
		if t.columns > 0 {
			command = term.Ellipsize(command, max(t.columns-term.Width(prefix)-2-digits-1, 20), !t.paint.utf8)
		}
		t.b.WriteString(prefix + branch(i+1 == len(l)) + t.paint.color(term.Grey, number+" "+command) + "\n")
	}
}

// controlGroup writes the control group of the unit and the processes in it.
func (w *unitPage) controlGroup() {
	group := w.p.text("ControlGroup")
	if group == "" {
		return
	}
	w.line("CGroup", group)
	w.c.processTree(w.paint, w.b, group, w.processes, strings.Repeat(" ", labelWidth+2))
}

// processTree writes processes in their control groups below group.
func (c *Call) processTree(paint painter, b *strings.Builder, group string, processes []manager.Process, prefix string) {
	t := processTree{paint: paint, b: b, columns: c.width()}
	root, outside := controlGroups(group, processes)
	t.write(root, prefix)
	t.list(outside, prefix, func(bool) string { return paint.glyph("‣ ") })
}
