package control

import (
	"strings"

	"ctl/control/manager"
	"ctl/internal/cli"
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
		l, err := c.assignments(n, c.Args[1:])
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

// assignments reads settings, NAME=VALUE, for a unit.
func (c *Call) assignments(name string, settings []string) ([]manager.Assignment, error) {
	kind := name[strings.LastIndexByte(name, '.')+1:]
	var all []manager.Assignment
	for _, text := range settings {
		key, value, found := strings.Cut(text, "=")
		if !found {
			return nil, cli.Usage("Not an assignment: " + text)
		}
		read := readerOf(kind, key)
		if read == nil {
			return nil, cli.Usage("Unknown assignment: " + text)
		}
		l, err := read(key, value)
		switch err := err.(type) {
		case nil:
		case cli.Usage:
			return nil, err
		case ignored:
			c.Log(err.level, err.Error())
		case settingError:
			return nil, Failure{"parse " + err.key + "= value '" + value + "'", err.Err}
		case valueError:
			return nil, Failure{"parse " + key + "= value '" + err.value + "'", err.Err}
		default:
			return nil, Failure{"parse " + key + "= value '" + value + "'", err}
		}
		all = append(all, l...)
	}
	return all, nil
}

// ignored is what is said of a part of a setting that has no effect.
type ignored struct {
	level term.Level
	text  string
}

func (i ignored) Error() string { return i.text }

// A valueError is about a part of a setting's value.
type valueError struct {
	value string
	Err   error
}

func (e valueError) Error() string { return e.value + ": " + e.Err.Error() }

// A settingError is said of another setting, which this one stands for.
type settingError struct {
	key string
	Err error
}

func (e settingError) Error() string { return e.key + ": " + e.Err.Error() }

// invalidSyntax is an error that readers return for a value that lacks a part.
func invalidSyntax(key, value string) error {
	return cli.Usage("Invalid syntax for " + key + "= value: '" + value + "'")
}

// one is a setting that is one property, of its own name.
func one(key string, v any, err error) ([]manager.Assignment, error) {
	if err != nil {
		return nil, err
	}
	return []manager.Assignment{{Name: key, Value: v}}, nil
}

// deprecated reads settings that the manager has no use for any more.
func deprecated(key, value string) ([]manager.Assignment, error) {
	return nil, ignored{term.Warning, "D-Bus property " + key + " is deprecated, ignoring assignment: " + key + "=" + value}
}

// readerOf is what reads a setting of a type of units, nil if there is none.
func readerOf(kind, key string) func(key, value string) ([]manager.Assignment, error) {
	has := func(list, word string) bool {
		for w := range strings.FieldsSeq(list) {
			if w == word {
				return true
			}
		}
		return false
	}
	for i := range settings {
		if s := &settings[i]; (s.kinds == "" || has(s.kinds, kind)) && has(s.names, key) {
			return s.read
		}
	}
	return nil
}
