package control

import (
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A dependencyGraph is what is known about units and the units that they depend on, in one direction.
type dependencyGraph struct {
	m          *manager.Conn
	properties []string // that name the dependencies
	nodes      map[string]*dependent
}

// A dependent is a unit with what it depends on.
type dependent struct {
	load, active, sub string
	on                []string // sorted, targets last
	err               error
	asked             bool // for the states
	known             bool // on and err are
}

// dependencyProperties are the properties that lead in the direction that the options ask for.
func (c *Call) dependencyProperties() []string {
	switch c.Opt.Direction {
	case "reverse":
		return []string{"RequiredBy", "RequisiteOf", "WantedBy", "PartOf", "BoundBy", "UpheldBy"}
	case "after":
		return []string{"After"}
	case "before":
		return []string{"Before"}
	}
	return []string{"Requires", "Requisite", "Wants", "ConsistsOf", "BindsTo", "Upholds"}
}

// ask asks for the dependencies of units.
func (g *dependencyGraph) ask(names []string) error {
	var calls []manager.Call
	for _, n := range names {
		for _, p := range g.properties {
			calls = append(calls, manager.Get(manager.UnitPath(n), manager.UnitInterface, p))
		}
	}
	return g.m.Each(calls, func(i int, reply []any, err error) error {
		d := g.node(names[i/len(g.properties)])
		d.known = true
		if err != nil {
			d.err = err
			return nil
		}
		for _, on := range manager.Value(reply).Strings() {
			if !slices.Contains(d.on, on) {
				d.on = append(d.on, on)
			}
		}
		return nil
	})
}

// learn asks for the dependencies of units, and then for the states of those.
func (g *dependencyGraph) learn(names []string) error {
	if err := g.ask(names); err != nil {
		return err
	}
	var unknown []string
	for _, n := range names {
		d := g.node(n)
		slices.SortFunc(d.on, targetsLast)
		for _, on := range d.on {
			if d := g.node(on); !d.asked {
				d.asked = true
				unknown = append(unknown, on)
			}
		}
	}
	return g.learnStates(unknown)
}

// node is what is known of a unit, nothing at first.
func (g *dependencyGraph) node(name string) *dependent {
	d := g.nodes[name]
	if d == nil {
		d = &dependent{}
		g.nodes[name] = d
	}
	return d
}

func (g *dependencyGraph) learnStates(names []string) error {
	states := [...]string{"LoadState", "ActiveState", "SubState"}
	var calls []manager.Call
	for _, n := range names {
		for _, s := range states {
			calls = append(calls, manager.Get(manager.UnitPath(n), manager.UnitInterface, s))
		}
	}
	return g.m.Each(calls, func(i int, reply []any, err error) error {
		d := g.nodes[names[i/len(states)]]
		*[...]*string{&d.load, &d.active, &d.sub}[i%len(states)] = manager.Value(reply).Text()
		return nil // one that cannot be asked for has no state
	})
}

func targetsLast(a, b string) int {
	switch ta, tb := unit.Type(a) == "target", unit.Type(b) == "target"; {
	case ta && !tb:
		return 1
	case tb && !ta:
		return -1
	}
	return compareFold(a, b)
}

// withDependencies are units, each with those that it depends on after it. What cannot be asked for is told.
func (c *Call) withDependencies(m *manager.Conn, names []string) []string {
	g := &dependencyGraph{m: m, properties: c.dependencyProperties(), nodes: map[string]*dependent{}}
	_ = g.ask(names) // a connection that is lost shows at the next call
	var l []string
	for _, n := range names {
		if !slices.Contains(l, n) {
			l = append(l, n)
		}
		d := g.node(n)
		if d.err != nil {
			c.Log(term.Err, Failure{"get properties of " + n, d.err}.Error())
		}
		for _, on := range d.on {
			if !slices.Contains(l, on) {
				l = append(l, on)
			}
		}
	}
	return l
}

// listDependencies shows what units depend on, as a tree.
func listDependencies(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	operands := c.Args
	if len(operands) == 0 {
		operands = []string{"default.target"}
	}
	names, _, err := c.expandNames(m, operands, "")
	if err != nil {
		return err
	}
	t := dependencyTree{c: c, paint: c.painter(), graph: &dependencyGraph{m: m, properties: c.dependencyProperties(), nodes: map[string]*dependent{}},
		plain: c.Opt.Plain || len(c.Opt.Types) > 0 || len(c.Opt.States) > 0, columns: max(term.Columns(c.Getenv, c.Stdout), 20)}
	if err := t.learn(names); err != nil {
		return Failure{"get properties of " + names[0], err}
	}
	if c.moreJSON() {
		l := []term.Value{}
		for _, n := range names {
			o, err := t.object(n)
			if err != nil {
				return err
			}
			l = append(l, o)
		}
		c.Print(c.Opt.JSON.Format(l))
		return nil
	}
	for i, n := range names {
		if i > 0 {
			t.b.WriteByte('\n')
		}
		t.b.WriteString(n + "\n")
		if err = t.write(n, nil); err != nil {
			break
		}
	}
	c.page(t.b.String())
	return err
}

// A dependencyTree writes the dependencies of units.
type dependencyTree struct {
	c     *Call
	paint painter
	graph *dependencyGraph
	plain bool // without branches
	path  []string

	columns int // lines may have
	b       strings.Builder
}

// learn asks for all that the tree shows, one level below the other.
func (t *dependencyTree) learn(names []string) error {
	for len(names) > 0 {
		if err := t.graph.learn(names); err != nil {
			return err
		}
		var next []string
		for _, n := range names {
			for _, on := range t.graph.nodes[n].on {
				if t.wanted(on) && t.descends(on) && !t.graph.nodes[on].known && !slices.Contains(next, on) {
					next = append(next, on)
				}
			}
		}
		names = next
	}
	return nil
}

// descends tells whether the dependencies of a dependency are shown.
func (t *dependencyTree) descends(name string) bool {
	return t.c.Opt.All || unit.Type(name) == "target"
}

// wanted tells whether the options want to see a unit.
func (t *dependencyTree) wanted(name string) bool {
	d := t.graph.nodes[name]
	types, states := t.c.Opt.Types, t.c.Opt.States
	if len(types) > 0 && !slices.Contains(types, unit.Type(name)) {
		return false
	}
	return len(states) == 0 || slices.Contains(states, d.load) || slices.Contains(states, d.active) || slices.Contains(states, d.sub)
}

// write writes what is below a unit; open tells for each level above whether more comes there.
func (t *dependencyTree) write(name string, open []bool) error {
	d := t.graph.node(name)
	if d.err != nil {
		return Failure{"get properties of " + name, d.err}
	}
	t.path = append(t.path, name)
	if !t.plain {
		defer func() { t.path = t.path[:len(t.path)-1] }()
	}
	var shown []string
	for _, on := range d.on {
		if t.wanted(on) {
			shown = append(shown, on)
		}
	}
	for i, on := range shown {
		last := i+1 == len(shown)
		if slices.Contains(t.path, on) {
			if !t.plain {
				t.line(" ", "...", open, true)
				break
			}
			continue
		}
		active := t.graph.nodes[on].active
		t.line(t.paint.color(dependencyColor(active), t.paint.glyph(stateGlyph(active))), on, open, last)
		if t.descends(on) {
			if err := t.write(on, append(slices.Clone(open), !last)); err != nil {
				return err
			}
		}
	}
	return nil
}

func dependencyColor(active string) string {
	switch active {
	case "active", "reloading", "refreshing", "activating":
		return term.Green
	case "failed":
		return term.Red
	}
	return term.Plain
}

// line writes one unit with the branches that lead to it.
func (t *dependencyTree) line(glyph, name string, open []bool, last bool) {
	if t.plain {
		t.b.WriteString("  " + t.fitting(name, 0) + "\n")
		return
	}
	t.b.WriteString(glyph + " ")
	const step, dots = 2, "..."
	for i := range len(open) + 1 {
		switch {
		case !t.c.Opt.Full && step*(i+1) > t.columns-len(dots):
			t.b.WriteString(strings.Repeat(" ", 1-t.columns%2) + dots + "\n")
			return
		case i < len(open):
			t.b.WriteString(t.paint.stem(!open[i]))
		}
	}
	t.b.WriteString(t.paint.branch(last) + t.fitting(name, step*len(open)+step) + "\n")
}

// fitting is a name as far as it has room on a line that begins with a prefix.
func (t *dependencyTree) fitting(name string, prefix int) string {
	if t.c.Opt.Full {
		return name
	}
	return term.Ellipsize(name, t.columns-prefix, !t.paint.utf8)
}
