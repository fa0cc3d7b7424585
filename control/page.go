package control

import (
	"strings"

	"ctl/internal/term"
)

// pager is the program that long output goes through, nil if it goes straight out.
func (c *Call) pager() []string {
	if c.Opt.NoPager {
		return nil
	}
	return c.env.Pager(c.Stdout)
}

// A paper is what a verb prints, which the pager shows as a whole at the end. Where there is no pager, what is said on
// standard error meanwhile comes where it belongs.
type paper struct {
	c *Call
	strings.Builder
}

// log says something on standard error.
func (p *paper) log(level term.Level, text string) {
	p.flush()
	p.c.Log(level, text)
}

func (p *paper) flush() {
	if p.c.pager() == nil {
		p.c.Print(p.String())
		p.Reset()
	}
}

// print shows what is left.
func (p *paper) print() {
	if p.Len() > 0 {
		p.c.page(p.String())
	}
}

// page prints text, through a pager on a terminal.
func (c *Call) page(text string) { c.env.Page(c.pager(), text, c.Stdout, c.Stderr, c.Log) }
