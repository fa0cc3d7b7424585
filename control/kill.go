package control

import (
	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// killUnits sends a signal to processes of units, and with --wait waits until the units have ended.
func killUnits(c *Call) error {
	m, err := c.connect(c.Opt.Wait)
	if err != nil {
		return err
	}
	names, _, err := c.expandNames(m, c.Args, "")
	if err != nil {
		return err
	}
	var status error
	for _, n := range names {
		_, err := m.Call(c.killCall(n))
		if err == nil && c.Opt.Wait {
			if err := m.Watch(n); err != nil {
				return Failure{"watch unit " + n, err}
			}
		}
		if err != nil {
			c.Log(term.Err, Failure{"kill unit " + n, err}.Error())
			status = Exit(1)
		}
	}
	if !c.Opt.Wait {
		return status
	}
	good, err := m.WaitForUnits()
	switch {
	case err != nil:
		return Failure{"wait for units", err}
	case !good:
		return Exit(1)
	}
	return status
}

// killCall is the manager's method for what is to be killed.
func (c *Call) killCall(name string) manager.Call {
	whom, signal := c.Opt.KillWhom, int32(15)
	if c.Opt.Signal != "" {
		signal = unit.SignalNumber(c.Opt.Signal)
	}
	switch {
	case c.Opt.KillSubgroup != "":
		if whom == "" {
			whom = "cgroup"
		}
		return manager.Method("KillUnitSubgroup", name, whom, c.Opt.KillSubgroup, signal)
	case whom == "":
		whom = "all"
	}
	if c.Opt.KillValue {
		return manager.Method("QueueSignalUnit", name, whom, signal, c.Opt.KillValueIs)
	}
	return manager.Method("KillUnit", name, whom, signal)
}
