package control

import (
	"cmp"
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// triggers is the property that has the units which a unit starts.
var triggers = question{manager.UnitInterface, "Triggers"}

// listSockets lists what socket units listen on, files after all else.
func listSockets(c *Call) error {
	rows, err := c.places("socket", "Listen")
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b place) int {
		return cmp.Or(strings.Compare(a.machine, b.machine), cmp.Compare(rank(a.where), rank(b.where)),
			strings.Compare(a.where, b.where), strings.Compare(a.kind, b.kind))
	})
	l := placeListing("sockets", "LISTEN", "TYPE", rows)
	if !c.Opt.ShowTypes {
		l.dropColumn(1)
	}
	l.print(c)
	return nil
}

// rank puts addresses that are no paths first.
func rank(address string) int {
	if strings.HasPrefix(address, "/") {
		return 1
	}
	return 0
}

// listPaths lists what path units look at.
func listPaths(c *Call) error {
	rows, err := c.places("path", "Paths")
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b place) int {
		return cmp.Or(strings.Compare(a.machine, b.machine), strings.Compare(a.where, b.where), strings.Compare(a.kind, b.kind),
			strings.Compare(a.unit, b.unit))
	})
	placeListing("paths", "PATH", "CONDITION", rows).print(c)
	return nil
}

// A place is one that a socket or path unit looks at.
type place struct{ machine, kind, where, unit, activates string }

// places are those that units of a type have in a property.
func (c *Call) places(kind, property string) ([]place, error) {
	var rows []place
	err := c.onManagers(func(machine string, m *manager.Conn) error {
		units, err := c.unitsOfType(m, kind)
		if err != nil {
			return err
		}
		values, err := unitValues(m, units, triggers, question{"", property})
		if err != nil {
			return Failure{"get properties", err}
		}
		for i, u := range units {
			for _, row := range values[i].rows(property) {
				p := place{machine: machine, unit: u.ID, activates: strings.Join(values[i].list("Triggers"), " ")}
				if manager.Scan(row, &p.kind, &p.where) {
					rows = append(rows, p)
				}
			}
		}
		return nil
	})
	return rows, err
}

func placeListing(what, where, kind string, rows []place) *listing {
	l := &listing{what: what, head: []string{where, kind, "UNIT", "ACTIVATES"}, partial: true}
	for _, p := range rows {
		l.rows = append(l.rows, []field{text(p.where), text(p.kind), text(onMachine(p.machine, p.unit)), text(p.activates)})
	}
	return l
}

func (l *listing) dropColumn(i int) {
	l.head = slices.Delete(l.head, i, i+1)
	for j := range l.rows {
		l.rows[j] = slices.Delete(l.rows[j], i, i+1)
	}
}

// A timer is when a timer unit elapses and has elapsed, microseconds since 1970, 0 or Infinity if it does not.
type timer struct {
	machine, unit, activates  string
	next, last, lastMonotonic uint64
}

// listTimers lists timer units, those that elapse first at the top.
func listTimers(c *Call) error {
	var timers []timer
	err := c.onManagers(func(machine string, m *manager.Conn) error {
		units, err := c.unitsOfType(m, "timer")
		if err != nil {
			return err
		}
		values, err := unitValues(m, units, triggers, question{"", "NextElapseUSecMonotonic"}, question{"", "NextElapseUSecRealtime"},
			question{"", "LastTriggerUSec"}, question{"", "LastTriggerUSecMonotonic"})
		if err != nil {
			return Failure{"get properties", err}
		}
		for i, u := range units {
			p := values[i]
			timers = append(timers, timer{machine, u.ID, strings.Join(p.list("Triggers"), " "), nextElapse(p), p.number("LastTriggerUSec"),
				p.number("LastTriggerUSecMonotonic")})
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(timers, func(a, b timer) int {
		return cmp.Or(strings.Compare(a.machine, b.machine), cmp.Compare(a.next, b.next), strings.Compare(a.unit, b.unit))
	})
	l := &listing{what: "timers", head: []string{"NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES"}, partial: true}
	now, sinceBoot := clock.Now(), manager.Monotonic()
	for _, t := range timers {
		next := stampField(t.next, clock.Stamp(t.next, clock.Pretty))
		left := stampField(t.next, clock.Relative(t.next, now))
		left.Text, left.Right = strings.TrimSuffix(left.Text, " left"), true
		passed := stampField(t.lastMonotonic, clock.Relative(t.lastMonotonic, sinceBoot))
		passed.Right = true
		last := stampField(t.last, clock.Stamp(t.last, clock.Pretty))
		l.rows = append(l.rows, []field{next, left, last, passed, text(onMachine(t.machine, t.unit)), text(t.activates)})
	}
	l.print(c)
	return nil
}

// stampField is a point in time that may not be known.
func stampField(t uint64, shown string) field {
	f := text(shown)
	f.Color, f.value = "", t
	if t == clock.Infinity {
		f.value = nil
	}
	return f
}

// An automount is a file system that is mounted when somebody goes there.
type automount struct {
	machine, unit, what, where string
	idle                       uint64 // microseconds after which it is unmounted again, 0 or Infinity for never
	mounted                    bool
}

// listAutomounts lists automount units and the file systems that they mount.
func listAutomounts(c *Call) error {
	var rows []automount
	err := c.onManagers(func(machine string, m *manager.Conn) error {
		l, err := c.automounts(m)
		for _, a := range l {
			a.machine = machine
			rows = append(rows, a)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b automount) int {
		return cmp.Or(strings.Compare(a.machine, b.machine), strings.Compare(a.where, b.where))
	})
	l := &listing{what: "automounts", head: []string{"WHAT", "WHERE", "MOUNTED", "IDLE TIMEOUT", "UNIT"}, partial: true}
	for _, a := range rows {
		state := field{Cell: term.Cell{Text: yesNo(a.mounted)}, value: a.mounted}
		idle := field{Cell: term.Cell{Text: "-", Color: term.Grey}}
		if a.idle != 0 && a.idle != clock.Infinity {
			idle = field{Cell: term.Cell{Text: clock.Span(a.idle, clock.Msec)}, value: a.idle}
		}
		l.rows = append(l.rows, []field{text(a.what), text(a.where), state, idle, text(onMachine(a.machine, a.unit))})
	}
	l.print(c)
	return nil
}

// automounts asks a manager for its automount units.
func (c *Call) automounts(m *manager.Conn) ([]automount, error) {
	units, err := c.unitsOfType(m, "automount")
	if err != nil {
		return nil, err
	}
	values, err := unitValues(m, units, question{"", "Where"}, question{"", "TimeoutIdleUSec"})
	if err != nil {
		return nil, Failure{"get properties", err}
	}
	mounts := make([]manager.Unit, len(units))
	for i := range units {
		name, err := unit.FromPath(values[i].text("Where"), ".mount")
		if err != nil {
			return nil, Failure{"get mount unit of " + units[i].ID, err}
		}
		mounts[i] = manager.Unit{ID: name, Path: manager.UnitPath(name)}
	}
	of, err := unitValues(m, mounts, question{"", "What"}, question{manager.UnitInterface, "ActiveState"})
	if err != nil {
		return nil, Failure{"get properties", err}
	}
	l := make([]automount, len(units))
	for i, u := range units {
		l[i] = automount{unit: u.ID, what: of[i].text("What"), where: values[i].text("Where"),
			idle: values[i].number("TimeoutIdleUSec"), mounted: of[i].text("ActiveState") == "active"}
	}
	return l, nil
}
