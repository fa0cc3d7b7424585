package cli

import (
	"strings"
	"unicode/utf8"
)

// The help has names on the left and what they do on the right, in as many
// columns as the reference's: 80 in all.
const (
	helpColumn = 31
	helpWidth  = 80
	// A verb whose name and operands take so many bytes goes on in a second line.
	helpBreak = 24
)

// Help is the list of verbs by group and of the options. Rows that are ctl's own are shown when own is set.
func (t *Table[C]) Help(own bool) string {
	var b strings.Builder
	group := ""
	for i := range t.Verbs {
		v := &t.Verbs[i]
		if v.Help == "" || v.Own && !own {
			continue
		}
		if v.Group != group {
			group = v.Group
			b.WriteString("\n" + group + ":\n")
		}
		helpRow(&b, v.usage(), v.Help)
	}
	b.WriteString("\nOptions:\n")
	for i := range t.Options {
		o := &t.Options[i]
		if o.Help == "" || o.Own && !own {
			continue
		}
		helpRow(&b, []string{o.usage()}, o.Help)
	}
	return b.String()
}

// usage is the verb with its operands, in one line or two.
func (v *Verb[C]) usage() []string {
	s := v.Name
	if v.Args != "" {
		s += " " + v.Args
	}
	if v.Default {
		s = "[" + s + "]"
	}
	lines := []string{"  " + s}
	if len(s) >= helpBreak {
		if i := strings.LastIndexByte(s, ' '); i >= 0 {
			lines = []string{"  " + s[:i], "    " + s[i+1:]}
		}
	}
	return lines
}

func (o *Option[C]) usage() string {
	s := "     --" + o.Long
	switch {
	case o.Long == "":
		s = "  -" + o.Short
	case o.Short != "":
		s = "  -" + o.Short + " --" + o.Long
	}
	switch {
	case o.Arg == "":
	case o.Long == "":
		s += " " + o.Arg
	default:
		s += "=" + o.Arg
	}
	return s
}

func helpRow(b *strings.Builder, left []string, help string) {
	right := wrap(help, helpWidth-helpColumn)
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		b.WriteString(l)
		for range max(helpColumn-utf8.RuneCountInString(l), 0) {
			b.WriteByte(' ')
		}
		b.WriteString(r)
		b.WriteByte('\n')
	}
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
