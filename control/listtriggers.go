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
	return listPlaces(c, "socket", "Listen", func(l *listing, rows []place) {
		slices.SortStableFunc(rows, func(a, b place) int {
			if d := cmp.Compare(rank(a.where), rank(b.where)); d != 0 {
				return d
			}
			return cmp.Or(strings.Compare(a.where, b.where), strings.Compare(a.kind, b.kind))
		})
		l.head = []string{"LISTEN", "TYPE", "UNIT", "ACTIVATES"}
		for _, p := range rows {
			l.rows = append(l.rows, []field{text(p.where), text(p.kind), text(p.unit), text(p.activates)})
		}
		if !c.Opt.ShowTypes {
			l.dropColumn(1)
		}
	})
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
	return listPlaces(c, "path", "Paths", func(l *listing, rows []place) {
		slices.SortStableFunc(rows, func(a, b place) int {
			return cmp.Or(strings.Compare(a.where, b.where), strings.Compare(a.kind, b.kind), strings.Compare(a.unit, b.unit))
		})
		l.head = []string{"PATH", "CONDITION", "UNIT", "ACTIVATES"}
		for _, p := range rows {
			l.rows = append(l.rows, []field{text(p.where), text(p.kind), text(p.unit), text(p.activates)})
		}
	})
}

func (l *listing) dropColumn(i int) {
	l.head = slices.Delete(l.head, i, i+1)
	for j := range l.rows {
		l.rows[j] = slices.Delete(l.rows[j], i, i+1)
	}
}

// A place is one that a socket or path unit looks at.
type place struct{ kind, where, unit, activates string }

// listPlaces lists the places that units of a type have in a property.
func listPlaces(c *Call, kind, property string, arrange func(*listing, []place)) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	units, err := c.unitsOfType(m, kind)
	if err != nil {
		return err
	}
	values, err := unitValues(m, units, triggers, question{"", property})
	if err != nil {
		return Failure{"get properties", err}
	}
	var rows []place
	for i, u := range units {
		for _, row := range values[i].rows(property) {
			p := place{unit: u.ID, activates: strings.Join(values[i].list("Triggers"), " ")}
			if manager.Scan(row, &p.kind, &p.where) {
				rows = append(rows, p)
			}
		}
	}
	l := &listing{what: kind + "s", partial: true}
	arrange(l, rows)
	l.print(c)
	return nil
}

// A timer is when a timer unit elapses and has elapsed, microseconds since 1970, 0 or Infinity if it does not.
type timer struct {
	unit, activates           string
	next, last, lastMonotonic uint64
}

// listTimers lists timer units, those that elapse first at the top.
func listTimers(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	units, err := c.unitsOfType(m, "timer")
	if err != nil {
		return err
	}
	values, err := unitValues(m, units, triggers, question{"", "NextElapseUSecMonotonic"}, question{"", "NextElapseUSecRealtime"},
		question{"", "LastTriggerUSec"}, question{"", "LastTriggerUSecMonotonic"})
	if err != nil {
		return Failure{"get properties", err}
	}
	var timers []timer
	for i, u := range units {
		p := values[i]
		timers = append(timers, timer{u.ID, strings.Join(p.list("Triggers"), " "), nextElapse(p), p.number("LastTriggerUSec"),
			p.number("LastTriggerUSecMonotonic")})
	}
	slices.SortStableFunc(timers, func(a, b timer) int {
		return cmp.Or(cmp.Compare(a.next, b.next), strings.Compare(a.unit, b.unit))
	})
	l := &listing{what: "timers", head: []string{"NEXT", "LEFT", "LAST", "PASSED", "UNIT", "ACTIVATES"}, partial: true}
	now, sinceBoot := clock.Now(), manager.Monotonic()
	for _, t := range timers {
		next := stampField(t.next, clock.Stamp(t.next, clock.Pretty))
		left := stampField(t.next, clock.Relative(t.next, now))
		left.Text, left.Right = strings.TrimSuffix(left.Text, " left"), true
		passed := stampField(t.lastMonotonic, clock.Relative(t.lastMonotonic, sinceBoot))
		passed.Right = true
		l.rows = append(l.rows, []field{next, left, stampField(t.last, clock.Stamp(t.last, clock.Pretty)), passed, text(t.unit), text(t.activates)})
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

// listAutomounts lists automount units and the file systems that they mount.
func listAutomounts(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	units, err := c.unitsOfType(m, "automount")
	if err != nil {
		return err
	}
	if len(c.Args) > 0 {
		units = nil // as with the reference, no pattern fits any
	}
	values, err := unitValues(m, units, question{"", "Where"}, question{"", "TimeoutIdleUSec"})
	if err != nil {
		return Failure{"get properties", err}
	}
	mounts := make([]manager.Unit, len(units))
	for i := range units {
		name, err := unit.FromPath(values[i].text("Where"), ".mount")
		if err != nil {
			return Failure{"get mount unit of " + units[i].ID, err}
		}
		mounts[i] = manager.Unit{ID: name, Path: manager.UnitPath(name)}
	}
	of, err := unitValues(m, mounts, question{"", "What"}, question{manager.UnitInterface, "ActiveState"})
	if err != nil {
		return Failure{"get properties", err}
	}
	order := make([]int, len(units))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(values[a].text("Where"), values[b].text("Where")) })
	l := &listing{what: "automounts", head: []string{"WHAT", "WHERE", "MOUNTED", "IDLE TIMEOUT", "UNIT"}, partial: true}
	for _, i := range order {
		mounted := of[i].text("ActiveState") == "active"
		state := field{Cell: term.Cell{Text: yesNo(mounted)}, value: mounted}
		idle := field{Cell: term.Cell{Text: "-", Color: term.Grey}}
		if t := values[i].number("TimeoutIdleUSec"); t != 0 && t != clock.Infinity {
			idle = field{Cell: term.Cell{Text: clock.Span(t, clock.Msec)}, value: t}
		}
		l.rows = append(l.rows, []field{text(of[i].text("What")), text(values[i].text("Where")), state, idle, text(units[i].ID)})
	}
	l.print(c)
	return nil
}
