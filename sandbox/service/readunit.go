package service

import (
	"slices"
	"strings"

	"ctl/internal/unit"
)

// Readers of what all kinds of units have.

// units reads a list of units. No line takes away what one before it says.
func (l *line) units(p *[]string) {
	words, _ := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	for _, w := range words {
		s, errS := l.specified(w)
		if errS != nil {
			l.warn("Failed to resolve unit specifiers in '" + w + "', ignoring: " + strerror(errS))
			continue
		}
		if !unit.Valid(s, unit.Plain|unit.Instance) {
			continue // in silence, as the manager does
		}
		if p != nil && !slices.Contains(*p, s) {
			*p = append(*p, s)
		}
	}
}

func (l *line) obsolete(now string) {
	l.warn("Unit dependency type " + l.key + "= is obsolete, replacing by " + now + "=, please update your unit file")
}

func (l *line) mountsFor(p *[]string) {
	words, err := unit.Words(l.value, unit.Unquote)
	if err != nil {
		defer l.invalidSyntax()
	}
	for _, w := range words {
		s, ok := l.expand(w)
		if !ok {
			continue
		}
		if s, ok = l.absolute(s, false); ok {
			*p = append(*p, s)
		}
	}
}

// conditionNames are the conditions; each may be an assertion as well, but for the firmware's.
var conditionNames = [...]string{"PathExists", "PathExistsGlob", "PathIsDirectory", "PathIsSymbolicLink", "PathIsMountPoint", "PathIsReadWrite",
	"PathIsEncrypted", "PathIsSocket", "DirectoryNotEmpty", "FileNotEmpty", "FileIsExecutable", "NeedsUpdate", "FirstBoot", "Architecture",
	"Firmware", "Virtualization", "Host", "Fraction", "KernelCommandLine", "KernelVersion", "Version", "Credential", "Security", "Capability",
	"ACPower", "Memory", "CPUFeature", "CPUs", "Environment", "User", "Group", "ControlGroupController", "OSRelease", "MachineTag",
	"MemoryPressure", "CPUPressure", "IOPressure", "KernelModuleLoaded"}

// condition reads ConditionX= and AssertX=; false if the line is none.
func (l *line) condition() bool {
	name, assert := strings.CutPrefix(l.key, "Assert")
	if !assert {
		var ok bool
		if name, ok = strings.CutPrefix(l.key, "Condition"); !ok {
			return false
		}
	}
	if !slices.Contains(conditionNames[:], name) || assert && name == "Firmware" {
		return false
	}
	if l.value == "" {
		l.unit.Conditions = slices.DeleteFunc(l.unit.Conditions, func(c Condition) bool { return c.Assert == assert })
		return true
	}
	c := Condition{Name: l.key, Assert: assert}
	v := l.value
	v, c.Trigger = strings.CutPrefix(v, "|")
	v = strings.TrimLeft(v, " \t")
	v, c.Negate = strings.CutPrefix(v, "!")
	v = strings.TrimLeft(v, " \t")
	expand := l.expand
	if conditionOnPath(name) {
		expand = l.expandBare
	}
	s, ok := expand(v)
	if !ok {
		return true
	}
	if conditionOnPath(name) {
		if s, ok = l.absolute(s, false); !ok {
			return true
		}
	}
	c.Value = s
	l.unit.Conditions = append(l.unit.Conditions, c)
	return true
}

func conditionOnPath(name string) bool {
	return strings.HasPrefix(name, "Path") || name == "DirectoryNotEmpty" || strings.HasPrefix(name, "File") || name == "NeedsUpdate"
}
