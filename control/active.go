package control

import (
	"slices"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// activeStates are the states of a unit, org.freedesktop.systemd1(5).
var activeStates = [...]string{"active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance", "refreshing"}

// isActive prints the active state of units: 0 if one is active, 4 if there is no such unit, else 3.
func isActive(c *Call) error {
	return c.checkUnits(manager.IsActive, 3)
}

// isFailed prints the active state of units, or tells whether the system is degraded.
func isFailed(c *Call) error {
	if len(c.Args) > 0 {
		return c.checkUnits(func(state string) bool { return state == "failed" }, 1)
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	state, err := m.SystemState(false)
	if err != nil {
		return Failure{"query system state", err}
	}
	if !c.Opt.Quiet {
		c.Print(state + "\n")
	}
	if state == "degraded" {
		return nil
	}
	return Exit(1)
}

// checkUnits is fulfilled if a unit is in a good state.
func (c *Call) checkUnits(good func(state string) bool, otherwise Exit) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	names, _, err := c.expandNames(m, c.Args, "")
	if err != nil {
		return err
	}
	found, fulfilled := false, false
	shown := []term.Value{}
	states, failed := m.UnitStates(names)
	for i, s := range states {
		if !slices.Contains(activeStates[:], s.Active) {
			return cli.Usage("Invalid unit state '" + s.Active + "' for: " + names[i])
		}
		shown = append(shown, term.Object{{Name: "unit", Value: names[i]}, {Name: "active", Value: s.Active}, {Name: "load", Value: s.Load}})
		if !c.Opt.Quiet && !c.moreJSON() {
			c.Print(s.Active + "\n")
		}
		fulfilled = fulfilled || good(s.Active)
		found = found || s.Load != "not-found"
	}
	if failed != nil {
		return Failure{"retrieve unit state", failed}
	}
	if c.moreJSON() && !c.Opt.Quiet {
		c.Print(c.Opt.JSON.Format(shown))
	}
	switch {
	case fulfilled:
		return nil
	case !found:
		return Exit(4)
	}
	return otherwise
}
