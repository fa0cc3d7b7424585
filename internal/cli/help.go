package cli

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"ctl/internal/term"
)

// The help has names on the left and what they do on the right, in as many
// columns as the reference's.
const (
	verbsColumn = 31  // where the right side begins if there are verbs
	helpWide    = 100 // From here on each name is in one line.
	textWidth   = 80  // the most that other text takes
	// In less, a verb whose name and operands take so many bytes goes on in a second line.
	helpBreak = 24
)

// Version is the first line of --version.
const Version = "systemd 262 (262-ctl)\n"

// A Page is what the help says besides what is in the table.
type Page struct {
	Synopsis   string
	Abstract   string
	Postscript string // a warning below the options, or ""
	Manual     string // the manual page: "systemctl(1)"
}

// A row of the help belongs to a group.
type helpRow struct {
	group string
	left  []string // one line or two
	right string
}

// Help is the whole text of --help, with the list of verbs by group and of the options.
func (t *Table[C]) Help(p Page, l term.Look) string {
	var b strings.Builder
	b.WriteString(l.Colors.Paint(term.Grey, ">") + " " + p.Synopsis + "\n\n")
	paragraph := func(text string, paint func(string) string) {
		for _, line := range wrap(strings.Fields(text), min(l.Width, textWidth)) {
			b.WriteString(paint(line) + "\n")
		}
	}
	paragraph(p.Abstract, l.Colors.Emphasis)
	rows := t.helpRows(l.Width < helpWide)
	column := t.helpColumn(rows, l.Width)
	for len(rows) > 0 {
		group := rows
		if i := slices.IndexFunc(rows, func(r helpRow) bool { return r.group != rows[0].group }); i > 0 {
			group = rows[:i]
		}
		b.WriteString("\n" + l.Colors.Heading(group[0].group+":") + "\n")
		writeGroup(&b, group, column, l)
		rows = rows[len(group):]
	}
	if p.Postscript != "" {
		b.WriteString("\n")
		paragraph(p.Postscript, func(line string) string { return l.Colors.Paint(term.Red, line) })
	}
	manual := p.Manual + " man page"
	if l.Links {
		manual = term.Link("man:"+p.Manual, manual)
	}
	b.WriteString("\nSee the " + manual + " for details.\n")
	return b.String()
}

// ShowHelp shows the help on standard output, in a pager if there is one and it is wanted.
func (t *Table[C]) ShowHelp(p Page, e term.Env, paged bool, say func(term.Level, string)) {
	var pager []string
	if paged {
		pager = e.Pager(os.Stdout)
	}
	e.Page(pager, t.Help(p, e.Look(os.Stdout, os.Stderr, pager != nil)), os.Stdout, os.Stderr, say)
}

func (t *Table[C]) helpRows(broken bool) []helpRow {
	var rows []helpRow
	for i := range t.Verbs {
		if v := &t.Verbs[i]; v.Help != "" {
			rows = append(rows, helpRow{v.Group, v.usage(broken), v.Help})
		}
	}
	for i := range t.Options {
		if o := &t.Options[i]; o.Help != "" {
			rows = append(rows, helpRow{cmp.Or(o.Group, "Options"), []string{o.usage()}, o.Help})
		}
	}
	return rows
}

// usage is the verb with its operands, in one line or, if long ones are broken, two.
func (v *Verb[C]) usage(broken bool) []string {
	s := v.Name
	if v.Args != "" {
		s += " " + v.Args
	}
	if v.Default {
		s = "[" + s + "]"
	}
	lines := []string{"  " + s}
	if broken && len(s) >= helpBreak {
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

// helpColumn is where the right side begins: behind the longest name, or where the reference has it.
func (t *Table[C]) helpColumn(rows []helpRow, width int) int {
	if len(t.Verbs) > 0 && width < helpWide {
		return verbsColumn
	}
	column := 0
	for _, r := range rows {
		column = max(column, utf8.RuneCountInString(r.left[0])+1)
	}
	return column
}

// writeGroup writes the rows of a group. Where lines may be longer than the look is wide, the right side has room for the group's longest word.
func writeGroup(b *strings.Builder, rows []helpRow, column int, l term.Look) {
	words := make([][]string, len(rows))
	width := max(l.Width-column, 1)
	for i, r := range rows {
		words[i] = strings.Fields(r.right)
		for j, w := range words[i] {
			if l.Strict {
				words[i][j] = term.Ellipsize(w, width, l.ASCII)
			}
		}
	}
	if !l.Strict {
		for _, w := range slices.Concat(words...) {
			width = max(width, utf8.RuneCountInString(w))
		}
	}
	for i, r := range rows {
		right := wrap(words[i], width)
		for j := range max(len(r.left), len(right)) {
			left, text := "", ""
			if j < len(r.left) {
				left = r.left[j]
			}
			if j < len(right) {
				text = right[j]
			}
			b.WriteString(left)
			for range column - utf8.RuneCountInString(left) {
				b.WriteByte(' ')
			}
			b.WriteString(text)
			b.WriteByte('\n')
		}
	}
}

// wrap puts words into lines of at most width characters.
func wrap(words []string, width int) []string {
	var lines []string
	line := ""
	for _, word := range words {
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
