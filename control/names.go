package control

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// expandNames makes names of units of operands, as they were typed: a suffix is added where there
// is no type, and patterns are replaced by the names of the loaded units that fit and that the options do not leave out, which come last.
// globbed tells whether there was a pattern.
func (c *Call) expandNames(m *manager.Conn, operands []string, suffix string) (names []string, globbed bool, err error) {
	names, globs, err := c.mangleNames(operands, suffix)
	if err != nil || len(globs) == 0 {
		return names, false, err
	}
	units, err := c.listed(m, globs)
	if err != nil {
		c.Log(term.Err, err.Error())
		return nil, true, Failure{"expand names", errno(errors.Unwrap(err))}
	}
	for _, u := range units {
		names = append(names, u.ID)
	}
	return names, true, nil
}

// listed are the loaded units that fit patterns and that the options do not leave out, in the manager's order
// or, without patterns, by type and name.
func (c *Call) listed(m *manager.Conn, patterns []string) ([]manager.Unit, error) {
	units, err := m.ListUnits(c.Opt.States, patterns)
	if err != nil {
		return nil, Failure{"list units", err}
	}
	units = slices.DeleteFunc(units, func(u manager.Unit) bool { return !c.lists(u) })
	if len(patterns) == 0 {
		sortUnits(units)
	}
	return units, nil
}

// sortUnits sorts units by machine, type and name.
func sortUnits(units []manager.Unit) {
	slices.SortFunc(units, func(a, b manager.Unit) int {
		return cmp.Or(strings.Compare(a.Machine, b.Machine), byTypeAndName(a.ID, b.ID))
	})
}

// numbers tells the operands that are numbers from the others, which are names.
func (c *Call) numbers() (numbers []uint32, names []string) {
	for _, arg := range c.Args {
		if n, err := strconv.ParseUint(arg, 10, 32); err == nil {
			numbers = append(numbers, uint32(n))
		} else {
			names = append(names, arg)
		}
	}
	return numbers, names
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
