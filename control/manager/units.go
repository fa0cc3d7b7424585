package manager

import "syscall"

// A Unit is a unit as the manager lists it.
type Unit struct {
	Machine                     string // "" for this one; filled in by who asks several
	ID, Description             string
	LoadState, ActiveState, Sub string
	Following                   string
	Path                        ObjectPath
	JobID                       uint32
	JobType                     string
	JobPath                     ObjectPath
}

// ListUnits lists the loaded units whose load, active or sub state is one of states, and whose
// name fits one of the patterns; none of either stands for all.
func (c *Conn) ListUnits(states, patterns []string) ([]Unit, error) {
	t, err := c.Send(ListUnits(states, patterns))
	if err != nil {
		return nil, err
	}
	return c.Units(t, states)
}

// ListUnits is the call that lists units; Conn.Units reads the reply.
func ListUnits(states, patterns []string) Call {
	return Method("ListUnitsByPatterns", notNil(states), notNil(patterns))
}

// Units waits for the reply to ListUnits. A manager older than 230 is asked for all units.
func (c *Conn) Units(t Ticket, states []string) ([]Unit, error) {
	reply, err := c.Wait(t)
	if IsName(err, "UnknownMethod", "AccessDenied") {
		reply, err = c.Manager("ListUnitsFiltered", notNil(states))
	}
	if err != nil {
		return nil, err
	}
	rows, ok := first[[][]any](reply)
	if !ok {
		return nil, syscall.EBADMSG
	}
	l := make([]Unit, 0, len(rows))
	for _, r := range rows {
		if len(r) != 10 {
			return nil, syscall.EBADMSG
		}
		var u Unit
		if !scan(r, &u.ID, &u.Description, &u.LoadState, &u.ActiveState, &u.Sub, &u.Following, &u.Path, &u.JobID, &u.JobType, &u.JobPath) {
			return nil, syscall.EBADMSG
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

// first is the first value of a reply, if it has the type.
func first[T any](reply []any) (T, bool) {
	var none T
	if len(reply) == 0 {
		return none, false
	}
	v, ok := reply[0].(T)
	return v, ok
}

// Scan puts the values of a reply or structure where the pointers say: strings, object paths,
// booleans, numbers. It is false if one has another type or is missing.
func Scan(values []any, to ...any) bool { return scan(values, to...) }

func scan(values []any, to ...any) bool {
	if len(values) < len(to) {
		return false
	}
	for i, p := range to {
		ok := true
		switch p := p.(type) {
		case nil:
		case *string:
			*p, ok = values[i].(string)
		case *ObjectPath:
			*p, ok = values[i].(ObjectPath)
		case *bool:
			*p, ok = values[i].(bool)
		case *uint32:
			*p, ok = values[i].(uint32)
		case *uint64:
			*p, ok = values[i].(uint64)
		case *int32:
			*p, ok = values[i].(int32)
		case *int64:
			*p, ok = values[i].(int64)
		case *[]string:
			*p, ok = values[i].([]string)
		case *[][]any:
			*p, ok = values[i].([][]any)
		case *[]byte:
			*p, ok = values[i].([]byte)
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

// UnitStates asks for the states of several units at once.
func (c *Conn) UnitStates(names []string) ([]UnitState, error) {
	calls := make([]Call, 0, 2*len(names))
	for _, n := range names {
		calls = append(calls, Get(UnitPath(n), UnitInterface, "ActiveState"), Get(UnitPath(n), UnitInterface, "LoadState"))
	}
	l := make([]UnitState, len(names))
	err := c.Each(calls, func(i int, reply []any, err error) error {
		if err != nil {
			return err
		}
		if i%2 == 0 {
			l[i/2].Active = Value(reply).Text()
		} else {
			l[i/2].Load = Value(reply).Text()
		}
		return nil
	})
	return l, err
}

// NeedsReload tells whether the files of a unit, if it is loaded, have changed since.
func (c *Conn) NeedsReload(name string) bool {
	reply, err := c.Manager("GetUnit", name)
	path, ok := first[ObjectPath](reply)
	if err != nil || !ok {
		return false
	}
	p, err := c.Property(path, UnitInterface, "NeedDaemonReload")
	return err == nil && p.Bool()
}

// ActiveTriggers are the units that start this one when something happens, and are active.
func (c *Conn) ActiveTriggers(name string) ([]string, error) {
	load, err := c.Property(UnitPath(name), UnitInterface, "LoadState")
	if err != nil || load.Text() == "masked" {
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
		if s.Active == "active" || s.Active == "reloading" || s.Active == "refreshing" {
			l = append(l, by.Strings()[i])
		}
	}
	return l, nil
}
