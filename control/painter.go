package control

import (
	"os"

	"ctl/internal/term"
)

// A painter writes text as the terminal takes it: coloured, linked, in ASCII.
type painter struct {
	colors term.Colors
	utf8   bool
	host   string // of the machine, which a file's address names; "" without links
}

func (c *Call) painter() painter {
	p := painter{colors: c.colors(), utf8: c.env.UTF8()}
	if c.env.URLs(p.colors.On()) {
		p.host, _ = os.Hostname()
	}
	return p
}

// colors tells how standard output is coloured.
func (c *Call) colors() term.Colors {
	return c.env.Colors(term.IsTerminal(c.Stdout) && term.IsTerminal(c.Stderr))
}

// color writes text in a colour, or as it is.
func (p painter) color(color, text string) string {
	return p.colors.Paint(color, text)
}

// glyph writes a sign as the locale allows.
func (p painter) glyph(s string) string {
	if p.utf8 {
		return s
	}
	return term.ASCII(s)
}

// link makes text a link to an address.
func (p painter) link(address, text string) string {
	if p.host == "" {
		return text
	}
	return term.Link(address, text)
}

// file makes text a link to a file.
func (p painter) file(path, text string) string {
	if p.host == "" {
		return text
	}
	return term.FileLink(p.host, path, text)
}

// branch leads to an entry of a tree.
func (p painter) branch(last bool) string {
	if last {
		return p.glyph("└─")
	}
	return p.glyph("├─")
}

// stem goes past the entries below one, to the next beside it.
func (p painter) stem(last bool) string {
	if last {
		return "  "
	}
	return p.glyph("│ ")
}

// width is how many columns lines may take, 0 for any number.
func (c *Call) width() int {
	if !term.IsTerminal(c.Stdout) || c.Opt.Full || c.pager() != nil {
		return 0
	}
	return term.Columns(c.Getenv, c.Stdout)
}
