package unit

import (
	"bytes"
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
	i := strings.IndexAny(l, blanks)
	if i < 0 {
		return Rule{}, false
	}
	keyword, rest := l[:i], strings.TrimLeft(l[i:], blanks)
	switch keyword {
	case "disable":
		return Rule{Action: Disable, Pattern: rest}, true
	case "ignore":
		return Rule{Action: Ignore, Pattern: rest}, true
	case "enable":
		pattern, rest, err := word(rest, RetainEscape)
		if err != nil {
			return Rule{}, false
		}
		r := Rule{Action: Enable, Pattern: pattern, Instances: strings.Fields(rest)}
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
				var l []string
				for _, in := range r.Instances {
					if n, err := WithInstance(name, in); err == nil {
						l = append(l, n)
					}
				}
				return r.Action, l
			case Instance:
				for _, in := range r.Instances {
					if in == InstanceOf(name) {
						return r.Action, nil
					}
				}
			}
		}
		if Fnmatch(r.Pattern, name) {
			return r.Action, nil
		}
	}
	return Enable, nil
}
