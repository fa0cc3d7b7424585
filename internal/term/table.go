package term

import (
	"strings"
	"unicode/utf8"
)

// A Cell is one field of a table.
type Cell struct {
	Text  string
	Color string // an escape sequence, or ""
	Right bool   // aligned
}

// A Table is rows of cells in columns as wide as their widest cell.
type Table struct {
	Head []string
	Rows [][]Cell
	Foot string // written below the table
	// Last marks rows below which a group ends; they are underlined where there is colour.
	Last []bool
	// Joined has the colour of a cell in the gap after it too, and in the line below it.
	Joined bool
	Colors Colors
	Width  int // of the terminal; 0: lines are as long as they are
	ASCII  bool
}

// String lays the table out: columns left-aligned, unless cells say otherwise, and separated by one space, no
// blanks at the ends of lines. A header, aligned as the first row, is shown when there is one.
func (t *Table) String() string {
	widths := t.widths()
	var b strings.Builder
	n := 0
	for _, w := range widths {
		n += w + 1
	}
	b.Grow((len(t.Rows)+1)*n + len(t.Foot))
	if t.Head != nil {
		cells := make([]Cell, len(t.Head))
		for i, h := range t.Head {
			cells[i] = Cell{Text: h, Right: len(t.Rows) > 0 && i < len(t.Rows[0]) && t.Rows[0][i].Right}
		}
		t.line(&b, cells, widths, underline)
	}
	for i, r := range t.Rows {
		under := ""
		if t.Last != nil && t.Last[i] {
			under = underlineRow
			if !t.Joined {
				under = underlineGrey
			}
		}
		t.line(&b, r, widths, under)
	}
	b.WriteString(t.Foot)
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
	if t.Width > 0 {
		shrink(widths, t.Width-(len(widths)-1))
	}
	return widths
}

// shrink makes columns narrower until they take total columns of the terminal: each gets the same share, but those
// that need less no more than that.
func shrink(widths []int, total int) {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	if sum <= total {
		return
	}
	done := make([]bool, len(widths))
	left := len(widths) // columns whose width is not decided
	spare := max(total-left, 0)
	decide := func(i, w int) {
		spare -= w - 1
		widths[i] = w
		done[i] = true
		left--
	}
	for again := true; again; {
		again = false
		for i, w := range widths {
			if !done[i] && 1+spare/left >= w {
				decide(i, w)
				again = true
			}
		}
	}
	for i := range widths {
		if !done[i] {
			decide(i, 1+spare/left)
		}
	}
}

func (t *Table) line(b *strings.Builder, cells []Cell, widths []int, under string) {
	for i, c := range cells {
		text := Ellipsize(c.Text, widths[i], t.ASCII)
		last := i == len(cells)-1
		pad := 0
		if w := Width(text); w < widths[i] {
			// The reference pads what a tab is in as if that took one column.
			pad = widths[i] - w + (tab-1)*strings.Count(text, "\t")
		}
		if c.Right {
			text, pad = strings.Repeat(" ", pad)+text, 0
		}
		open, gap := t.sequences(c.Color, under)
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
			b.WriteString(gap)
			b.WriteByte(' ')
			if gap != "" {
				b.WriteString(Plain)
			}
		}
	}
	b.WriteByte('\n')
}

// sequences are what begins a cell and the gap after it.
func (t *Table) sequences(color, under string) (cell, gap string) {
	switch {
	case !t.Colors.On():
		return "", ""
	}
	color = t.Colors.Sequence(color)
	if !t.Colors.underlines {
		under = ""
	}
	switch {
	case under == "" && t.Joined:
		return color, color
	case under == "":
		return color, ""
	case !t.Joined:
		return color + under, under
	case color != "":
		under = underlined(color)
	}
	return under, under
}

// underlined is the sequence of a colour with an underline added.
func underlined(c string) string {
	if strings.Contains(c, "[0;1;") {
		return strings.ReplaceAll(c, "[0;1;", "[0;1;4;")
	}
	return strings.ReplaceAll(c, "[0;", "[0;4;")
}

// tab is how many columns a tab is said to take.
const tab = 8

// Width is the number of columns that s takes on a terminal.
func Width(s string) int {
	n := len(s)
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return wide(s)
		}
		if s[i] == '\t' {
			n += tab - 1
		}
	}
	return n
}

func wide(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r == '\t':
			n += tab
		case isWide(r):
			n += 2
		default:
			n++
		}
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
		dots = "..."[:min(3, max(width, 0))]
	}
	keep := width - Width(dots)
	n := 0
	for i, r := range s {
		w := Width(string(r))
		if r == '\t' {
			w = 1 // as it is padded
		}
		if n+w > keep {
			return s[:i] + dots
		}
		n += w
	}
	return s
}
