package term

import (
	"strings"

	"ctl/internal/unit"
)

// The escape sequences of the reference. Yellow and grey have two forms, the second for terminals that have more than 16
// colours; Colors.Sequence picks.
const (
	Red    = "\x1b[0;1;31m"
	Green  = "\x1b[0;1;32m"
	Yellow = "\x1b[0;1;33m\x1b[0;1;38:5:185m"
	Bold   = "\x1b[0;1;39m"
	Grey   = "\x1b[0;90m\x1b[0;38:5:245m"
	Plain  = "\x1b[0m"

	// Of JSON.
	blue  = "\x1b[0;1;34m"
	green = "\x1b[0;32m"

	// Italic is added to a colour.
	Italic = "\x1b[3m"

	underline     = "\x1b[4m"               // of headers
	underlineRow  = "\x1b[0;4m"             // of rows
	underlineGrey = "\x1b[4m\x1b[58:5:245m" // of rows, for terminals that have 256 colours
)

// Colors is which escape sequences a terminal is given; the zero value is none.
type Colors struct {
	depth      depth
	underlines bool
}

// A depth is how many colours a terminal has.
type depth int

const (
	none   depth = iota
	few          // 16
	many         // 256, or nobody knows: it is given both forms and takes what it understands
	direct       // 24 bits for each
)

// On tells whether there are any.
func (c Colors) On() bool { return c.depth != none }

// Sequence is what switches a colour on, in the form for this terminal.
func (c Colors) Sequence(color string) string {
	second := strings.LastIndexByte(color, '\x1b')
	switch {
	case c.depth == none:
		return ""
	case second > 0 && c.depth == few:
		return color[:second]
	case second > 0 && c.depth == direct:
		return color[second:]
	}
	return color
}

// Paint writes text in a colour, or as it is.
func (c Colors) Paint(color, text string) string {
	if color == "" || !c.On() {
		return text
	}
	return c.Sequence(color) + text + Plain
}

// Heading writes text as a heading, underlined.
func (c Colors) Heading(text string) string {
	switch {
	case !c.On():
		return text
	case !c.underlines:
		return text + Plain
	}
	return underlineRow + text + Plain
}

// Emphasis writes text in bold italics.
func (c Colors) Emphasis(text string) string {
	if !c.underlines {
		return c.Paint(Bold, text)
	}
	return Bold + Italic + text + Plain
}

// Dumb tells whether TERM says that the terminal can do nothing, or nobody has said.
func (e Env) Dumb() bool {
	t, set := e.LookUp("TERM")
	return !set || t == "dumb"
}

// Colors tells how output is coloured. An explicit SYSTEMD_COLORS comes first, then
// NO_COLOR, then TERM, then whether both streams are terminals. The console of Linux knows neither underlines nor italics.
func (e Env) Colors(terminals bool) Colors {
	d := e.depth(terminals)
	return Colors{depth: d, underlines: d != none && e.Getenv("TERM") != "linux"}
}

func (e Env) depth(terminals bool) depth {
	want := many
	if t := e.Getenv("COLORTERM"); t == "truecolor" || t == "24bit" {
		want = direct
	}
	said := e.Getenv("SYSTEMD_COLORS")
	number, auto := strings.CutPrefix(said, "auto-")
	switch number {
	case "16":
		want = few
	case "256":
		want = many
	case "24bit":
		want = direct
	default:
		if b, ok := unit.Boolean(said); ok && b {
			return want
		} else if ok {
			return none
		}
		auto = true
	}
	if !auto {
		return want
	}
	if _, set := e.LookUp("NO_COLOR"); set || e.Dumb() || !terminals {
		return none
	}
	return want
}
