package control

import (
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// expandNames makes names of units of operands, as they were typed: a suffix is added where there
// is no type, and patterns are replaced by the names of the loaded units that fit, which come last.
// globbed tells whether there was a pattern.
func (c *Call) expandNames(m *manager.Conn, operands []string, suffix string) (names []string, globbed bool, err error) {
	names, globs, err := c.mangleNames(operands, suffix)
	if err != nil || len(globs) == 0 {
		return names, false, err
	}
	units, err := m.ListUnits(nil, globs)
	if err != nil {
		c.Log(term.Err, Failure{"list units", err}.Error())
		return nil, true, Failure{"expand names", errno(err)}
	}
	for _, u := range units {
		names = append(names, u.ID)
	}
	return names, true, nil
}

// mangleNames makes names and patterns of operands.
func (c *Call) mangleNames(operands []string, suffix string) (names, globs []string, err error) {
	if suffix == "" {
		suffix = ".service"
	}
	for _, o := range operands {
		name, notices, err := unit.Mangle(o, "", suffix, true)
		if !c.Opt.Quiet {
			for _, n := range notices {
				c.Log(term.Notice, n)
			}
		}
		if err != nil {
			c.Log(term.Err, Failure{"mangle name", err}.Error())
			return nil, nil, Failure{"expand names", err}
		}
		if strings.ContainsAny(name, "*?[") {
			globs = append(globs, name)
		} else {
			names = append(names, name)
		}
	}
	return names, globs, nil
}
