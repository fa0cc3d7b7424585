// Package cli holds the row types, Verb and Option, and what is made from the
// rows: parsing, help, suggestions and introspection. A verb's function gets the
// call it is to answer, whose type C the front door chooses; nothing here knows a verb.
package cli

import "strings"

// A Verb is one row of a front door's table.
type Verb[C any] struct {
	Name       string
	Args       string // as help shows them: "UNIT…"
	Min, Max   int    // operands; Max < 0: any number
	Group      string // heading in the help
	Online     bool   // needs a manager: refused for a tree, ignored in a chroot
	Privileged bool   // changes what only root may change: others are asked for a password
	OnFiles    bool   // an Online verb that works on files too when it is ctl's to decide
	Default    bool   // what is meant when no verb is named
	Help       string // "" hides the row: an old spelling
	Run        func(*C) error
}

// Any is Verb.Max of verbs that take any number of operands.
const Any = -1

// An Option is one row of a front door's options.
type Option[C any] struct {
	Long     string // without dashes, "" if there is none
	Short    string // one letter, "" if there is none
	Arg      string // what help calls its argument; "" takes none
	Optional bool   // the argument may be missing; it is part of the same word then
	Bare     string // what stands for a missing one
	Group    string // heading in the help, "Options" if empty
	Help     string // "" hides the row
	Set      func(c *C, value string) error
}

// Name is the option as a user may write it.
func (o *Option[C]) Name() string {
	if o.Long != "" {
		return "--" + o.Long
	}
	return "-" + o.Short
}

// A Table is a front door: its rows and how it is called.
type Table[C any] struct {
	Program string // as it was called, for messages
	Verbs   []Verb[C]
	Options []Option[C]
	Stops   bool // the first operand ends the options: what follows is another program's
}

// Find returns the verb called name, nil if there is none; "" asks for the default.
func (t *Table[C]) Find(name string) *Verb[C] {
	for i := range t.Verbs {
		v := &t.Verbs[i]
		if v.Name == name || name == "" && v.Default {
			return v
		}
	}
	return nil
}

// Suggest returns the verb that somebody who typed name may have meant, "" if
// none is near: of those that begin so, or else of all, the first with the
// smallest distance, which is at most 5.
func (t *Table[C]) Suggest(name string) string {
	nearest := func(prefix bool) string {
		best, distance := "", 6
		for i := range t.Verbs {
			v := t.Verbs[i].Name
			if prefix && !strings.HasPrefix(v, name) {
				continue
			}
			d := editDistance(name, v)
			if prefix {
				d = len(v) - len(name) - 1<<16 // however long it is
			}
			if d < distance {
				best, distance = v, d
			}
		}
		return best
	}
	if name != "" {
		if v := nearest(true); v != "" {
			return v
		}
	}
	return nearest(false)
}

// editDistance is how many bytes must be put in, left out, exchanged for others or, two
// neighbours, for each other (optimal string alignment).
func editDistance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
