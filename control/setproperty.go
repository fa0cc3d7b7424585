package control

import (
	"ctl/control/assign"
	"ctl/internal/term"
)

// setUnitProperties gives properties of a unit values, which are written as in unit files.
func setUnitProperties(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	names, _, err := c.expandNames(m, c.Args[:1], "")
	if err != nil {
		return err
	}
	var status error
	for _, n := range names {
		// Which settings there are depends on the unit's type.
		l, err := assign.Read(n, c.Args[1:], c.Log)
		if err == nil {
			err = m.SetProperties(n, c.Opt.Runtime, l)
			if err != nil {
				err = Failure{"set unit properties on " + n, err}
			}
		}
		if err != nil {
			c.Log(term.Err, err.Error())
			status = Exit(1)
		}
	}
	return status
}
