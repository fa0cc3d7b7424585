package control

import (
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A listing is what one of the list verbs found: rows of fields under the names of columns.
type listing struct {
	what    string // things are listed, in the plural
	head    []string
	rows    [][]field
	partial bool // the rows are those of active units only
	plain   bool // the line below the table has no colour
}

// A field is a cell of a listing: what is shown, and its value in JSON.
type field struct {
	term.Cell
	value term.Value
}

// text is a field that is shown as it is; "" is shown as - and is null.
func text(s string) field {
	if s == "" {
		return field{Cell: term.Cell{Text: "-", Color: term.Grey}}
	}
	return field{Cell: term.Cell{Text: s}, value: s}
}

// print shows the listing as a table, with the number of rows below, or as JSON.
func (l *listing) print(c *Call) {
	if c.Opt.JSON != term.NoJSON {
		c.Print(c.Opt.JSON.Colored(l.objects(), c.colors()))
		return
	}
	t := c.newTable()
	if c.legend() {
		t.Head = l.head
	}
	for _, r := range l.rows {
		cells := make([]term.Cell, len(r))
		for i, f := range r {
			cells[i] = f.Cell
		}
		t.Rows = append(t.Rows, cells)
	}
	out := t.String()
	if c.legend() {
		count := decimal64(uint64(len(l.rows))) + " " + l.what + " listed."
		color := term.Bold
		switch {
		case l.plain:
			color = ""
		case len(l.rows) == 0:
			color = term.Red
		}
		out += "\n" + t.Colors.Paint(color, count) + "\n"
		if l.partial && !c.Opt.All {
			out += "Pass --all to see loaded but inactive " + l.what + ", too.\n"
		}
	}
	c.page(out)
}

func (l *listing) objects() []term.Value {
	rows := make([]term.Value, 0, len(l.rows))
	for _, r := range l.rows {
		var o term.Object
		for i, f := range r {
			if name := strings.TrimSpace(l.head[i]); name != "" {
				o = append(o, term.Member{Name: strings.ReplaceAll(strings.ToLower(name), " ", "_"), Value: f.value})
			}
		}
		rows = append(rows, o)
	}
	return rows
}

// unitsOfType lists the loaded units of a type that fit the operands and the options.
func (c *Call) unitsOfType(m *manager.Conn, kind string) ([]manager.Unit, error) {
	names, globs, err := c.mangleNames(c.Args, "."+kind)
	if err != nil {
		return nil, err
	}
	units, err := c.listed(m, append(names, globs...))
	return slices.DeleteFunc(units, func(u manager.Unit) bool { return unit.Type(u.ID) != kind }), err
}

// A question asks for a property of a unit.
type question struct{ iface, name string }

// unitValues asks for the same properties of several units, together.
func unitValues(m *manager.Conn, units []manager.Unit, questions ...question) ([]unitProperties, error) {
	var calls []manager.Call
	for _, u := range units {
		for _, q := range questions {
			iface := q.iface
			if iface == "" {
				iface = manager.TypeInterface(u.ID)
			}
			calls = append(calls, manager.Get(u.Path, iface, q.name))
		}
	}
	l := make([]unitProperties, len(units))
	err := m.Each(calls, func(i int, reply []any, err error) error {
		n := i / len(questions)
		l[n] = append(l[n], manager.Property{Name: questions[i%len(questions)].name, Value: manager.Value(reply).Value})
		return err
	})
	return l, err
}
