package control

import (
	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// daemonReload has the manager read the unit files again, or start itself anew.
func daemonReload(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if c.Verb == "daemon-reexec" {
		if err := m.Reexecute(); err != nil {
			return cli.Usage("Reexecute daemon failed: " + strerror(err))
		}
		return nil
	}
	return reload(m)
}

// reload has the manager read the unit files again.
func reload(m *manager.Conn) error {
	if err := m.Reload(); err != nil {
		return cli.Usage("Reload daemon failed: " + strerror(err))
	}
	return nil
}

// serviceWatchdogs shows or sets whether services' watchdogs count.
func serviceWatchdogs(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if len(c.Args) == 0 {
		on, err := manager.Read[bool](m.Call(manager.Get(manager.ManagerPath, manager.ManagerInterface, "ServiceWatchdogs")))
		if err != nil {
			return Failure{"get service-watchdog state", err}
		}
		text := "no\n"
		if on {
			text = "yes\n"
		}
		c.Print(text)
		return nil
	}
	on, ok := unit.Boolean(c.Args[0])
	if !ok {
		return cli.Usage("Failed to parse service-watchdogs argument: Invalid argument")
	}
	if _, err := m.Call(manager.Set(manager.ManagerPath, manager.ManagerInterface, "ServiceWatchdogs", on)); err != nil {
		return Failure{"set service-watchdog state", err}
	}
	return nil
}

// isSystemRunning prints the state of the system; the status is 0 if all is well.
func isSystemRunning(c *Call) error {
	if c.Where.Chroot() || !c.Where.Booted() && c.Opt.Transport == "" {
		if !c.Opt.Quiet {
			c.Print("offline\n")
		}
		return Exit(1)
	}
	m, err := c.manager() // a bus may not be there yet
	if err != nil {
		return err
	}
	state, err := m.SystemState(c.Opt.Wait)
	if err != nil {
		c.Log(term.Warning, Failure{"query system state", err}.Error())
		state = "unknown"
	}
	if !c.Opt.Quiet {
		c.Print(state + "\n")
	}
	if state == "running" {
		return nil
	}
	return Exit(1)
}
