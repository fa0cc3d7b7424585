package control

import (
	"syscall"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/term"
)

// sayStates prints what state says of each unit file, with --full also its links, and
// ends as isEnabled has to.
func (c *Call) sayStates(names []string, state func(name string) (enable.State, error), links func(name string) ([]string, error)) error {
	enabled, found := false, false
	shown := []term.Value{}
	for _, name := range names {
		s, err := state(name)
		switch {
		case isErrno(err, syscall.ENOENT):
			s = "not-found"
		case err != nil:
			return Failure{"get unit file state for " + name, err}
		default:
			found = true
		}
		enabled = enabled || isEnabledState(s)
		shown = append(shown, term.Object{{Name: "unit_file", Value: name}, {Name: "state", Value: string(s)}})
		if c.Opt.Quiet || c.moreJSON() {
			continue
		}
		c.Print(string(s) + "\n")
		if !c.Opt.Full || err != nil {
			continue
		}
		l, err := links(name)
		if err != nil {
			return Failure{"get unit file links for " + name, err}
		}
		for _, p := range l {
			c.Print("  " + p + "\n")
		}
	}
	if c.moreJSON() && !c.Opt.Quiet {
		c.Print(c.Opt.JSON.Format(shown))
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

// statesByManager asks the manager for the states of unit files.
func (c *Call) statesByManager(names []string) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	return c.sayStates(names, func(name string) (enable.State, error) {
		s, err := manager.Ask[string](m, "GetUnitFileState", name)
		return enable.State(s), err
	}, func(name string) ([]string, error) {
		return manager.Ask[[]string](m, "GetUnitFileLinks", name, c.Opt.Runtime)
	})
}
