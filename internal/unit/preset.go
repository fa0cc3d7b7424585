package unit

import (
	"bytes"
	"slices"
	"strings"
)

// Action is what a preset says of a unit.
type Action int

const (
	Enable Action = iota + 1
	Disable
	Ignore
)

// A Rule is one line of a preset file, systemd.preset(5).
type Rule struct {
	Action    Action
	Pattern   string
	Instances []string // of the template Pattern, to be enabled
}

// Rules are looked through in order; the first that fits counts.
type Rules []Rule

// ParsePreset reads a preset file. warn is called for each line that is none.
func ParsePreset(data []byte, warn func(line int, text string)) Rules {
	var rules Rules
	for number := 1; len(data) > 0; number++ {
		var l []byte
		l, data = cutLine(data)
		l = bytes.Trim(l, blanks)
		if len(l) == 0 || l[0] == '#' || l[0] == ';' {
			continue
		}
		if r, ok := parseRule(string(l)); ok {
			rules = append(rules, r)
		} else {
			warn(number, "Couldn't parse line '"+string(l)+"'. Ignoring.")
		}
	}
	return rules
}

func parseRule(l string) (Rule, bool) {
	keyword, rest := l, ""
	if i := strings.IndexAny(l, blanks); i >= 0 {
		keyword, rest = l[:i], strings.TrimLeft(l[i:], blanks)
	}
	switch keyword {
	case "disable":
		return Rule{Action: Disable, Pattern: rest}, true
	case "ignore":
		return Rule{Action: Ignore, Pattern: rest}, true
	case "enable":
		if rest == "" {
			return Rule{}, false // the reference crashes
		}
		pattern, rest, err := word(rest, RetainEscape)
		if err != nil {
			return Rule{}, false
		}
		instances, err := Words(rest, RetainEscape)
		if err != nil {
			return Rule{}, false
		}
		r := Rule{Action: Enable, Pattern: pattern, Instances: instances}
		// Instances go with a template alone.
		return r, len(r.Instances) == 0 || KindOf(pattern) == Template
	}
	return Rule{}, false
}

// Match returns what the rules say of the unit called name: Enable when none
// speaks of it. Of a template with listed instances, the instances to enable come with it.
func (rules Rules) Match(name string) (Action, []string) {
	for i := range rules {
		r := &rules[i]
		if len(r.Instances) > 0 && TemplateOf(name) == r.Pattern {
			switch KindOf(name) {
			case Template:
				if l, ok := r.names(name); ok {
					return r.Action, l
				}
			case Instance:
				if slices.Contains(r.Instances, InstanceOf(name)) {
					return r.Action, nil
				}
			}
		}
		if Fnmatch(r.Pattern, name) {
			return r.Action, nil
		}
	}
	return Enable, nil
}

// names returns the instances of the template. A single one that is invalid spoils the list.
func (r *Rule) names(template string) ([]string, bool) {
	l := make([]string, len(r.Instances))
	for i, in := range r.Instances {
		n, err := WithInstance(template, in)
		if err != nil {
			return nil, false
		}
		l[i] = n
	}
	return l, true
}

// MatchPattern is Match by the patterns alone, as list-unit-files shows it: instances
// that are listed with a template do not count.
func (rules Rules) MatchPattern(name string) Action {
	for i := range rules {
		if Fnmatch(rules[i].Pattern, name) {
			return rules[i].Action
		}
	}
	return Enable
}
