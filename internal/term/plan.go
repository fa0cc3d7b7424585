package term

import (
	"fmt"
	"strconv"
	"strings"
)

// Plan lays a plan out for people: a line for each member, with lists below their names. label has names for members that are not
// to be called as they are, or "".
func Plan(plan Object, label func(name string) string) string {
	var b strings.Builder
	for _, m := range plan {
		label := label(m.Name)
		if label == "" {
			label = planLabel(m.Name)
		}
		switch v := m.Value.(type) {
		case []Value:
			b.WriteString(label + "\n")
			planList(&b, m.Name, v)
		case bool:
			word := "no"
			if v {
				word = "yes"
			}
			fmt.Fprintf(&b, "%-28s %s\n", label, word)
		default:
			fmt.Fprintf(&b, "%-28s %v\n", label, v)
		}
	}
	return b.String()
}

func planLabel(name string) string {
	name = strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(name[:1]) + name[1:] + ":"
}

// inLines are lists of short words.
func inLines(name string) bool {
	switch name {
	case "capabilities", "limits", "namespaces", "system_calls":
		return true
	}
	return false
}

func planList(b *strings.Builder, name string, l []Value) {
	switch l[0].(type) {
	case Object:
		for _, v := range l {
			planStep(b, v.(Object))
		}
		return
	}
	if inLines(name) {
		line := " "
		for _, v := range l {
			if len(line)+len(v.(string)) > 99 {
				b.WriteString(line + "\n")
				line = " "
			}
			line += " " + v.(string)
		}
		b.WriteString(line + "\n")
		return
	}
	for _, v := range l {
		s := v.(string)
		if quoted := strconv.Quote(s); len(quoted) != len(s)+2 || s == "" || name == "argv" {
			s = quoted
		}
		b.WriteString("  " + s + "\n")
	}
}

// planStep is a line for a step: what is done and where, then the rest.
func planStep(b *strings.Builder, step Object) {
	var rest []string
	do, target, why := "", "", ""
	for _, m := range step {
		switch m.Name {
		case "do":
			do = m.Value.(string)
		case "target":
			target = m.Value.(string)
		case "why":
			why = "  # " + m.Value.(string)
		case "source":
			rest = append(rest, "from "+m.Value.(string))
		case "lower":
			rest = append(rest, "over "+m.Value.(string))
		case "optional":
			rest = append(rest, "(if possible)")
		case "mode", "device":
			rest = append(rest, m.Name+" "+m.Value.(string))
		default:
			rest = append(rest, m.Value.(string))
		}
	}
	line := fmt.Sprintf("  %-14s %-28s %s", do, target, strings.Join(rest, " "))
	b.WriteString(strings.TrimRight(line, " ") + why + "\n")
}
