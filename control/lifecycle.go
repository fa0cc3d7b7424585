package control

import "ctl/internal/term"

func cleanUnits(c *Call) error { return needsManager(c) }

func freezeUnits(c *Call) error { return needsManager(c) }

// resetFailed makes the manager forget that units failed.
func resetFailed(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if len(c.Args) == 0 {
		if _, err := m.Manager("ResetFailed"); err != nil {
			return Failure{"reset failed state of all units", err}
		}
		return nil
	}
	names, _, err := c.expandNames(m, c.Args, "")
	if err != nil {
		return err
	}
	bad := false
	for _, n := range names {
		if _, err := m.Manager("ResetFailedUnit", n); err != nil {
			c.Log(term.Err, Failure{"reset failed state of unit " + n, err}.Error())
			bad = true
		}
	}
	if bad {
		return Exit(1)
	}
	return nil
}
