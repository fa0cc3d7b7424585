package control

import (
	"ctl/control/manager"
	"ctl/internal/clock"
)

// unitProperties are the properties of a unit, in the order in which they came. A map of them would take longer to make than all that is looked up.
type unitProperties []manager.Property

// propertiesOf reads the reply to GetAll.
func propertiesOf(reply []any) unitProperties {
	l, _ := manager.Properties(reply) // what is none has none
	return l
}

func (p unitProperties) get(name string) any {
	for i := range p {
		if p[i].Name == name {
			return p[i].Value
		}
	}
	return nil
}

// value is a property, or the zero value if it is missing or of another type.
func value[T any](p unitProperties, name string) T {
	v, _ := p.get(name).(T)
	return v
}

func (p unitProperties) text(name string) string { return value[string](p, name) }

func (p unitProperties) flag(name string) bool { return value[bool](p, name) }

func (p unitProperties) list(name string) []string { return value[[]string](p, name) }

func (p unitProperties) rows(name string) [][]any { return value[[][]any](p, name) }

// missing tells whether there is no such unit.
func (p unitProperties) missing() bool {
	return p.text("LoadState") == "not-found" && p.text("ActiveState") == "inactive"
}

// number is a property that counts something, whatever its width.
func (p unitProperties) number(name string) uint64 {
	switch v := p.get(name).(type) {
	case uint64:
		return v
	case uint32:
		return uint64(v)
	case int32:
		return uint64(v)
	}
	return 0
}

// limit is a property for which the greatest number stands for none, as does a missing one.
func (p unitProperties) limit(name string) uint64 {
	if v, ok := p.get(name).(uint64); ok {
		return v
	}
	return clock.Infinity
}
