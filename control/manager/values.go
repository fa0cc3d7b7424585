package manager

import (
	"syscall"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"

	"ctl/internal/sys"
)

// property takes a variant apart.
func property(name string, v any) Property {
	if v, ok := v.(dbus.Variant); ok {
		return checked(name, v.Value())
	}
	return Property{Name: name}
}

// checked is a property, without its value if that is no text.
func checked(name string, value any) Property {
	if s, ok := value.(string); ok && !utf8.ValidString(s) {
		value = nil
	}
	return Property{name, value}
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

// Read reads the reply to Get, where the property's type is known. ENXIO: it has another.
func Read[T any](reply []any, err error) (v T, _ error) {
	if err != nil {
		return v, err
	}
	v, ok := Value(reply).Value.(T)
	if !ok {
		return v, syscall.ENXIO
	}
	return v, nil
}

// A ReplyError is that a reply has other values than it ought to.
type ReplyError struct{ errno syscall.Errno }

// Error is the text of the errno.
func (e ReplyError) Error() string { return sys.Strerror(e.errno) }

// Unwrap is the errno: ENXIO for a wrong type, EBADMSG for what is of none.
func (e ReplyError) Unwrap() error { return e.errno }

// Ask calls a method of the manager that returns one value, or a *ReplyError.
func Ask[T any](c *Conn, method string, args ...any) (T, error) {
	return first[T](c.Manager(method, args...))
}

// first is the first value of a reply.
func first[T any](reply []any, err error) (v T, _ error) {
	if err != nil || len(reply) == 0 {
		return v, orMissing(err)
	}
	switch got := reply[0].(type) {
	case spoiled:
		if string(got) == dbus.SignatureOf(v).String() {
			return v, ReplyError{syscall.EBADMSG}
		}
	case string:
		if _, want := any(v).(string); want && !utf8.ValidString(got) {
			return v, ReplyError{syscall.EBADMSG}
		}
	}
	if v, ok := reply[0].(T); ok {
		return v, nil
	}
	return v, ReplyError{syscall.ENXIO}
}

// orMissing is err, or, where there is none, that values are missing.
func orMissing(err error) error {
	if err == nil {
		err = ReplyError{syscall.ENXIO}
	}
	return err
}
