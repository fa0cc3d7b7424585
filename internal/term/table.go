package term

import (
	"strings"
	"unicode/utf8"
)

// A Cell is one field of a table.
type Cell struct {
	Text  string
	Color string // an escape sequence, or ""
}

// A Table is rows of cells in columns as wide as their widest cell.
type Table struct {
	Head []string
	Rows [][]Cell
	// Last marks rows below which a group ends; they are underlined in colour.
	Last   []bool
	Colors bool
	Width  int // of the terminal; 0: lines are as long as they are
	ASCII  bool
}

// String lays the table out: columns left-aligned and separated by one space, no
// blanks at the ends of lines. A header is shown when there is one.
func (t *Table) String() string {
	widths := t.widths()
	var b strings.Builder
	n := 0
	for _, w := range widths {
		n += w + 1
	}
	b.Grow((len(t.Rows) + 1) * n)
	if t.Head != nil {
		cells := make([]Cell, len(t.Head))
		for i, h := range t.Head {
			cells[i] = Cell{Text: h}
		}
		t.line(&b, cells, widths, underline)
	}
	for i, r := range t.Rows {
		under := ""
		if t.Last != nil && t.Last[i] {
			under = underlineRow
		}
		t.line(&b, r, widths, under)
	}
	return b.String()
}

func (t *Table) widths() []int {
	var widths []int
	grow := func(i int, s string) {
		for len(widths) <= i {
			widths = append(widths, 0)
		}
		widths[i] = max(widths[i], Width(s))
	}
	for i, h := range t.Head {
		grow(i, h)
	}
	for _, r := range t.Rows {
		for i, c := range r {
			grow(i, c.Text)
		}
	}
	total := len(widths) - 1
	for _, w := range widths {
		total += w
	}
	// What does not fit is taken from the first column, the only one of any length.
	if t.Width > 0 && total > t.Width && len(widths) > 0 {
		widths[0] = max(widths[0]-(total-t.Width), 1)
	}
	return widths
}

func (t *Table) line(b *strings.Builder, cells []Cell, widths []int, under string) {
	for i, c := range cells {
		text := Ellipsize(c.Text, widths[i], t.ASCII)
		last := i == len(cells)-1
		pad := widths[i] - Width(text)
		open := ""
		if t.Colors {
			if c.Color != "" {
				open = c.Color
			}
			if under != "" {
				if open == "" {
					open = under
				} else {
					open = underlined(open)
				}
			}
		}
		if last && open == "" {
			b.WriteString(text)
			break
		}
		b.WriteString(open)
		b.WriteString(text)
		for range pad {
			b.WriteByte(' ')
		}
		if open != "" {
			b.WriteString(Plain)
		}
		if !last {
			b.WriteString(open)
			b.WriteByte(' ')
			if open != "" {
				b.WriteString(Plain)
			}
		}
	}
	b.WriteByte('\n')
}

// underlined is the sequence of a colour with an underline added.
func underlined(c string) string {
	if strings.Contains(c, "[0;1;") {
		return strings.ReplaceAll(c, "[0;1;", "[0;1;4;")
	}
	return strings.ReplaceAll(c, "[0;", "[0;4;")
}

// Width is the number of columns that s takes on a terminal.
func Width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return wide(s)
		}
	}
	return len(s)
}

func wide(s string) int {
	n := 0
	for _, r := range s {
		if isWide(r) {
			n++
		}
		n++
	}
	return n
}

// isWide tells whether r takes two columns: East Asian wide and fullwidth ranges of Unicode.
func isWide(r rune) bool {
	return r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0x303e || r >= 0x3041 && r <= 0xa4cf ||
		r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f ||
		r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6 || r >= 0x20000 && r <= 0x3fffd)
}

// Ellipsize shortens s to width columns, with an ellipsis for what is left out at the end.
func Ellipsize(s string, width int, ascii bool) string {
	if Width(s) <= width {
		return s
	}
	dots := "…"
	if ascii {
		dots = "..."
	}
	keep := width - Width(dots)
	n := 0
	for i, r := range s {
		w := Width(string(r))
		if n+w > keep {
			return s[:i] + dots
		}
		n += w
	}
	return s
}
