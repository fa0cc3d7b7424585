package manager

import (
	"syscall"
	"unicode/utf8"
)

// A Unit is a unit as the manager lists it.
type Unit struct {
	ID, Description             string
	LoadState, ActiveState, Sub string
	Following                   string
	Path                        ObjectPath
	JobID                       uint32
	JobType                     string
	JobPath                     ObjectPath
	Machine                     string // whose unit it is, "" for the manager's own
}

// ListUnits lists the loaded units whose load, active or sub state is one of states, and whose
// name fits one of the patterns; none of either stands for all. A manager older than 230 does not
// know patterns and lists all.
func (c *Conn) ListUnits(states, patterns []string) ([]Unit, error) {
	reply, err := c.Manager("ListUnitsByPatterns", notNil(states), notNil(patterns))
	if IsName(err, "UnknownMethod", "AccessDenied") {
		reply, err = c.Manager("ListUnitsFiltered", notNil(states))
	}
	if err == nil && len(reply) > 0 {
		if l, ok := reply[0].([]Unit); ok {
			return l, nil
		}
	}
	rows, err := first[[][]any](reply, err)
	if err != nil {
		return nil, err
	}
	l := make([]Unit, 0, len(rows))
	for _, r := range rows {
		var u Unit
		if !Scan(r, &u.ID, &u.Description, &u.LoadState, &u.ActiveState, &u.Sub, &u.Following, &u.Path, &u.JobID, &u.JobType, &u.JobPath) {
			return nil, ReplyError{syscall.ENXIO}
		}
		l = append(l, u)
	}
	return l, nil
}

// notNil is an empty list for a missing one, which has no D-Bus type.
func notNil(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// Scan puts the values of a reply or structure where the pointers say: strings, lists of them,
// object paths, numbers, structures. It is false if one has another type or is missing.
func Scan(values []any, to ...any) bool {
	if len(values) < len(to) {
		return false
	}
	for i, p := range to {
		ok := true
		switch p := p.(type) {
		case *string:
			*p, ok = values[i].(string)
			ok = ok && utf8.ValidString(*p)
		case *ObjectPath:
			*p, ok = values[i].(ObjectPath)
		case *uint32:
			*p, ok = values[i].(uint32)
		case *uint64:
			*p, ok = values[i].(uint64)
		case *uint16:
			*p, ok = values[i].(uint16)
		case *int32:
			*p, ok = values[i].(int32)
		case *bool:
			*p, ok = values[i].(bool)
		case *[]byte:
			*p, ok = values[i].([]byte)
		case *[]int32:
			*p, ok = values[i].([]int32)
		case *[]string:
			*p, ok = values[i].([]string)
		case *[][]any:
			*p, ok = values[i].([][]any)
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

// UnitState is how a unit was loaded and whether it is active.
type UnitState struct{ Load, Active string }

// UnitStates asks for the states of several units at once. With an error they are those of the units before the one that it is about.
func (c *Conn) UnitStates(names []string) ([]UnitState, error) {
	calls := make([]Call, 0, 2*len(names))
	for _, n := range names {
		calls = append(calls, Get(UnitPath(n), UnitInterface, "ActiveState"), Get(UnitPath(n), UnitInterface, "LoadState"))
	}
	l := make([]UnitState, len(names))
	known := 0
	err := c.Each(calls, func(i int, reply []any, err error) error {
		state, err := Read[string](reply, err)
		if i%2 == 0 {
			l[i/2].Active = state
		} else {
			l[i/2].Load = state
		}
		if err == nil {
			known = i + 1
		}
		return err
	})
	return l[:known/2], err
}

// Outdated are those of several units that are loaded and whose files have changed since.
func (c *Conn) Outdated(names ...string) []string {
	var loaded, l []string
	var calls []Call
	for _, n := range names {
		calls = append(calls, Method("GetUnit", n))
	}
	// What cannot be asked for is not known to be outdated.
	ask := calls
	calls = nil
	_ = c.Each(ask, func(i int, reply []any, err error) error {
		if path, err := first[ObjectPath](reply, err); err == nil {
			loaded = append(loaded, names[i])
			calls = append(calls, Get(path, UnitInterface, "NeedDaemonReload"))
		}
		return nil
	})
	_ = c.Each(calls, func(i int, reply []any, err error) error {
		if err == nil && Value(reply).Bool() {
			l = append(l, loaded[i])
		}
		return nil
	})
	return l
}

// IsActive tells whether a unit in an active state works.
func IsActive(state string) bool {
	return state == "active" || state == "reloading" || state == "refreshing"
}

// ActiveTriggers are the units that start this one when something happens, and are active. They can do nothing to a
// masked one, which has none unless asked for.
func (c *Conn) ActiveTriggers(name string, evenMasked bool) ([]string, error) {
	load, err := c.Property(UnitPath(name), UnitInterface, "LoadState")
	if err != nil || load.Text() == "masked" && !evenMasked {
		return nil, err
	}
	by, err := c.Property(UnitPath(name), UnitInterface, "TriggeredBy")
	if err != nil {
		return nil, err
	}
	states, err := c.UnitStates(by.Strings())
	if err != nil {
		return nil, err
	}
	var l []string
	for i, s := range states {
		if IsActive(s.Active) {
			l = append(l, by.Strings()[i])
		}
	}
	return l, nil
}

// A PathError is an object that ought to be a unit's and is not.
type PathError ObjectPath

// Error says so.
func (e PathError) Error() string { return "no unit's object: " + string(e) }

// UnitOf is the name of the unit that a process belongs to. ESRCH: there is no such process.
func (c *Conn) UnitOf(pid uint32) (string, error) {
	if err := syscall.Kill(int(pid), 0); err == syscall.ESRCH {
		return "", err
	}
	path, err := Ask[ObjectPath](c, "GetUnitByPID", pid)
	if err != nil {
		return "", err
	}
	name, ok := unitName(path)
	if !ok {
		return "", PathError(path)
	}
	return name, nil
}
