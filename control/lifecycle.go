package control

import (
	"ctl/control/manager"
	"ctl/internal/term"
)

// resetFailed makes the manager forget that units failed.
func resetFailed(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if len(c.Args) == 0 {
		if _, err := m.Manager("ResetFailed"); err != nil {
			return Failure{"execute operation", err}
		}
		return nil
	}
	return c.forUnits(m, "reset failed state of unit ", func(name string) manager.Call {
		return manager.Method("ResetFailedUnit", name)
	})
}

// forUnits makes a call for each unit named, whatever comes of those before. doing is for failures.
func (c *Call) forUnits(m *manager.Conn, doing string, call func(name string) manager.Call) error {
	names, _, err := c.expandNames(m, c.Args, "")
	if err != nil {
		return err
	}
	var status error
	for _, n := range names {
		if _, err := m.Call(call(n)); err != nil {
			c.Log(term.Err, Failure{doing + n, err}.Error())
			status = Exit(1)
		}
	}
	return status
}

// hold freezes, thaws or cleans units. The reference keeps each loaded while it does, for which it has to be a bus.
func hold(c *Call) error {
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	names, _, err := c.expandNames(m, c.Args, "")
	if err != nil {
		return err
	}
	var status error
	for _, n := range names {
		if err := c.holdUnit(m, n); err != nil {
			c.Log(term.Err, err.Error())
			status = Exit(1)
		}
	}
	return status
}

func (c *Call) holdUnit(m *manager.Conn, name string) error {
	if _, err := m.Manager("RefUnit", name); err != nil {
		return Failure{"add reference to unit " + name, err}
	}
	call := manager.Method("FreezeUnit", name)
	switch c.Verb {
	case "thaw":
		call = manager.Method("ThawUnit", name)
	case "clean":
		what := c.Opt.What
		if len(what) == 0 {
			what = []string{"cache", "runtime"}
		}
		call = manager.Method("CleanUnit", name, what)
	}
	if _, err := m.Call(call); err != nil {
		return Failure{c.Verb + " unit " + name, err}
	}
	return nil
}
