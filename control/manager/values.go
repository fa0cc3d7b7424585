package manager

import "github.com/godbus/dbus/v5"

// Variant makes a value one that carries its type with it. The D-Bus type is the one
// godbus gives the Go type: string s, bool b, int32 i, uint64 t, []string as, ...
func Variant(v any) any { return dbus.MakeVariant(v) }

// TypedVariant is Variant for values whose Go type does not tell the D-Bus type.
func TypedVariant(v any, signature string) (any, error) {
	s, err := dbus.ParseSignature(signature)
	if err != nil {
		return nil, err
	}
	return dbus.MakeVariantWithSignature(v, s), nil
}

// property takes a variant apart.
func property(name string, v any) Property {
	p := Property{Name: name}
	if v, ok := v.(dbus.Variant); ok {
		p.Type, p.Value = v.Signature().String(), v.Value()
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

// Number is the value of an unsigned number of any width, or 0.
func (p Property) Number() uint64 {
	switch v := p.Value.(type) {
	case uint64:
		return v
	case uint32:
		return uint64(v)
	case uint16:
		return uint64(v)
	case byte:
		return uint64(v)
	}
	return 0
}

// Bool is the value of a boolean, or false.
func (p Property) Bool() bool { b, _ := p.Value.(bool); return b }

// Strings is the value of an array of strings, or nil.
func (p Property) Strings() []string { l, _ := p.Value.([]string); return l }

// Tuples is the value of an array of structures, or nil.
func (p Property) Tuples() [][]any { l, _ := p.Value.([][]any); return l }
