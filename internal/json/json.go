// Package json reads JSON as systemd does: each value knows where it stands, and a table says which members an object may have.
// It uses no reflection and works nothing out before it is called, unlike encoding/json.
package json

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Value is a JSON value with where it begins in its text, both counted from 1.
type Value struct {
	Line, Column int

	kind     kind
	text     string // of a string, or a number that is no integer of 64 bits
	positive uint64 // what a number is, if it is not below 0
	negative int64  // or if it is
	real     float64
	yes      bool
	elements []Value  // of an array, or the values of an object's members
	names    []string // of an object's members
}

type kind uint8

const (
	null kind = iota
	boolean
	positive
	negative
	real
	text
	array
	object
)

func (k kind) String() string {
	return [...]string{"null", "boolean", "unsigned", "integer", "real", "string", "array", "object"}[k]
}

// A Type is what a value has to be.
type Type uint8

// The types. A number that is written with a fraction or an exponent is an integer all the same, if it is a whole one.
const (
	Any Type = iota
	String
	Boolean
	Array
	Object
	Number
	Integer
	Unsigned
)

// Is tells whether a value is of a type.
func (v *Value) Is(t Type) bool {
	switch t {
	case String:
		return v.kind == text
	case Boolean:
		return v.kind == boolean
	case Array:
		return v.kind == array
	case Object:
		return v.kind == object
	case Number:
		return v.kind == positive || v.kind == negative || v.kind == real
	case Integer:
		return v.kind == negative || v.kind == positive && v.positive <= math.MaxInt64 || v.kind == real && v.real == math.Trunc(v.real) && math.Abs(v.real) < 1<<63
	case Unsigned:
		return v.kind == positive || v.kind == real && v.real == math.Trunc(v.real) && v.real >= 0 && v.real < 1<<64
	}
	return true
}

// Text is what a string says, "" of other values.
func (v *Value) Text() string { return v.text }

// Bool tells whether a value is true.
func (v *Value) Bool() bool { return v.yes }

// Negative tells whether a value is a number below 0.
func (v *Value) Negative() bool { return v.kind == negative || v.kind == real && v.real < 0 }

// Uint is the number that an Unsigned is.
func (v *Value) Uint() uint64 {
	if v.kind == real {
		return uint64(v.real)
	}
	return v.positive
}

// Int is the number that an Integer is.
func (v *Value) Int() int64 {
	switch v.kind {
	case real:
		return int64(v.real)
	case negative:
		return v.negative
	}
	return int64(v.positive)
}

// Elements are the values in an array.
func (v *Value) Elements() []Value {
	if v.kind != array {
		return nil
	}
	return v.elements
}

// Members calls do for each member of an object, in their order, until it fails.
func (v *Value) Members(do func(name string, v *Value) error) error {
	if v.kind != object {
		return nil
	}
	for i := range v.elements {
		if err := do(v.names[i], &v.elements[i]); err != nil {
			return err
		}
	}
	return nil
}

// Member is the first member of an object that has the name, nil if there is none.
func (v *Value) Member(name string) *Value {
	if v.kind != object {
		return nil
	}
	if i := slices.Index(v.names, name); i >= 0 {
		return &v.elements[i]
	}
	return nil
}

// Strings are the strings of an array; it fails if there is something else in it.
func (v *Value) Strings() ([]string, error) {
	l := make([]string, 0, len(v.elements))
	for i := range v.elements {
		e := &v.elements[i]
		if e.kind != text {
			return nil, e.Fail(unix.EINVAL, "a string is expected, not %s", e.kind)
		}
		l = append(l, e.text)
	}
	return l, nil
}

// An Error is what is wrong with a value.
type Error struct {
	Line, Column int
	Text         string
	Err          unix.Errno
}

func (e *Error) Error() string {
	return strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column) + ": " + e.Text
}
func (e *Error) Unwrap() error { return e.Err }

// Fail is an error about the value.
func (v *Value) Fail(err unix.Errno, format string, args ...any) error {
	return &Error{v.Line, v.Column, fmt.Sprintf(format, args...), err}
}

// A Field is a member that an object may have.
type Field[T any] struct {
	Name      string
	Type      Type
	Mandatory bool
	Lenient   bool // it is passed over where it is of another type or refused
	Set       func(to T, v *Value) error
}

// Dispatch has the fields take an object's members, in the order in which they stand there.
func Dispatch[T any](v *Value, fields []Field[T], to T) error {
	if v.kind != object {
		return v.Fail(unix.EINVAL, "an object is expected, not %s", v.kind)
	}
	seen := make([]bool, len(fields))
	err := v.Members(func(name string, m *Value) error {
		i := slices.IndexFunc(fields, func(f Field[T]) bool { return f.Name == name })
		if i < 0 {
			return m.Fail(unix.EINVAL, "unexpected member '%s'", name)
		}
		f := &fields[i]
		switch {
		case !m.Is(f.Type) && f.Lenient:
			return nil
		case !m.Is(f.Type):
			return m.Fail(unix.EINVAL, "member '%s' is of the wrong type, %s", name, m.kind)
		case seen[i]:
			return m.Fail(unix.ENOTUNIQ, "member '%s' is there twice", name)
		}
		seen[i] = true
		if f.Set == nil {
			return nil
		}
		if err := f.Set(to, m); err != nil && !f.Lenient {
			return err
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range fields {
		if fields[i].Mandatory && !seen[i] {
			return v.Fail(unix.ENXIO, "member '%s' is missing", fields[i].Name)
		}
	}
	return nil
}
