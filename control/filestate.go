package control

import (
	"ctl/control/manager"
	"ctl/enable"
)

// stateByManager asks the manager for the state of unit files, as isEnabled does the files.
func (c *Call) stateByManager(names []string) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	enabled, found := false, false
	for _, name := range names {
		reply, err := m.Manager("GetUnitFileState", name)
		state := "not-found"
		switch {
		case manager.IsName(err, "NoSuchUnit", "FileNotFound", "org.freedesktop.DBus.Error.FileNotFound"):
		case err != nil:
			return Failure{"get unit file state for " + name, err}
		default:
			found = true
			manager.Scan(reply, &state)
		}
		enabled = enabled || isEnabledState(enable.State(state))
		if c.Opt.Quiet {
			continue
		}
		c.Print(state + "\n")
		if c.Opt.Full && err == nil {
			reply, err := m.Manager("GetUnitFileLinks", name, c.Opt.Runtime)
			var links []string
			if err != nil || !manager.Scan(reply, &links) {
				return Failure{"get unit file links for " + name, err}
			}
			for _, l := range links {
				c.Print("  " + l + "\n")
			}
		}
	}
	switch {
	case enabled:
		return nil
	case !found:
		return Exit(4)
	}
	return Exit(1)
}

// isEnabledState tells whether a state counts as enabled for is-enabled.
func isEnabledState(s enable.State) bool {
	switch s {
	case "enabled", "enabled-runtime", "static", "alias", "indirect", "generated":
		return true
	}
	return false
}
