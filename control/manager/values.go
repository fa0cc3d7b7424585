package manager

import (
	"syscall"

	"github.com/godbus/dbus/v5"
)

// property takes a variant apart.
func property(name string, v any) Property {
	p := Property{Name: name}
	if v, ok := v.(dbus.Variant); ok {
		p.Value = v.Value()
	}
	return p
}

// Text is the value as a string: of a string, an object path; else "".
func (p Property) Text() string {
	switch v := p.Value.(type) {
	case string:
		return v
	case ObjectPath:
		return string(v)
	}
	return ""
}

// Bool is the value of a boolean, or false.
func (p Property) Bool() bool { b, _ := p.Value.(bool); return b }

// Strings is the value of an array of strings, or nil.
func (p Property) Strings() []string { l, _ := p.Value.([]string); return l }

// Ask calls a method of the manager that returns one value. EBADMSG: it is of another type.
func Ask[T any](c *Conn, method string, args ...any) (T, error) {
	return first[T](c.Manager(method, args...))
}

// first is the first value of a reply.
func first[T any](reply []any, err error) (v T, _ error) {
	if err != nil {
		return v, err
	}
	if len(reply) > 0 {
		if v, ok := reply[0].(T); ok {
			return v, nil
		}
	}
	return v, syscall.EBADMSG
}
