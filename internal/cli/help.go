package cli

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// The help has names on the left and what they do on the right, in as many
// columns as the reference's: 80 in all.
const (
	verbsColumn = 31 // where there are verbs
	helpWidth   = 80
	// A verb whose name and operands take so many bytes goes on in a second line.
	helpBreak = 24
)

// Help is the list of verbs by group and of the options.
func (t *Table[C]) Help() string {
	var b strings.Builder
	group := ""
	for i := range t.Verbs {
		v := &t.Verbs[i]
		if v.Help == "" {
			continue
		}
		if v.Group != group {
			group = v.Group
			b.WriteString("\n" + group + ":\n")
		}
		helpRow(&b, v.usage(), v.Help, verbsColumn)
	}
	column := t.helpColumn()
	group = ""
	for i := range t.Options {
		o := &t.Options[i]
		if o.Help == "" {
			continue
		}
		if g := cmp.Or(o.Group, "Options"); g != group {
			group = g
			b.WriteString("\n" + group + ":\n")
		}
		helpRow(&b, []string{o.usage()}, o.Help, column)
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
	case o.Optional:
		s += "[=" + o.Arg + "]"
	default:
		s += "=" + o.Arg
	}
	return s
}

// helpColumn is where the right side begins: of options alone behind the longest.
func (t *Table[C]) helpColumn() int {
	if len(t.Verbs) > 0 {
		return verbsColumn
	}
	column := 0
	for i := range t.Options {
		if o := &t.Options[i]; o.Help != "" {
			column = max(column, utf8.RuneCountInString(o.usage())+1)
		}
	}
	return column
}

func helpRow(b *strings.Builder, left []string, help string, column int) {
	right := Wrap(help, helpWidth-column)
	for i := range max(len(left), len(right)) {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		b.WriteString(l)
		for range max(column-utf8.RuneCountInString(l), 0) {
			b.WriteByte(' ')
		}
		b.WriteString(r)
		b.WriteByte('\n')
	}
}

// Wrap breaks text into lines of at most width characters.
func Wrap(text string, width int) []string {
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
