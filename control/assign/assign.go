// Package assign reads settings as they are written in unit files and on command lines, NAME=VALUE, and makes of them the properties that
// a manager takes: for `set-property`, and for the scopes of containers.
package assign

import (
	"errors"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
)

// Read reads settings, NAME=VALUE, for the unit of that name. What else there is to tell is said.
func Read(name string, settings []string, say func(level term.Level, text string)) ([]manager.Assignment, error) {
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
			say(err.level, err.Error())
		case settingError:
			return nil, cli.Usage("Failed to parse " + err.key + "= value '" + value + "': " + strerror(err.Err))
		case valueError:
			return nil, cli.Usage("Failed to parse " + key + "= value '" + err.value + "': " + strerror(err.Err))
		default:
			return nil, cli.Usage("Failed to parse " + key + "= value '" + value + "': " + strerror(err))
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

// strerror is the text of an error's errno, or what else it says.
func strerror(err error) string {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return sys.Strerror(e)
	}
	return err.Error()
}
