// Package cli holds the row types of a front door (Verb, Option), the table they
// stand in, and what is made from the rows: parsing, help, introspection. It knows no verb and no
// option of its own; control and sandbox bring their rows.
package cli

// Any is a Max that does not bound.
const Any = -1

// A Verb is one row of the table from which dispatch, help, --introspect-cli and the
// behaviour without a manager are made. C is the front door's call.
type Verb[C any] struct {
	Name     string
	Args     string // operands, as help shows them: "UNIT…"
	Min, Max int    // how many operands; Max may be Any
	Group    string // the heading in help
	Online   bool   // needs a manager: refused with --root=, ignored in a chroot
	Default  bool   // runs when the command line has no verb
	Own      bool   // is ctl's own, unknown to systemctl
	Help     string // one line; "" hides the row (old spellings)
	Run      func(*C) error
}

// An Option is one row of the table of options.
type Option[C any] struct {
	Long     string // without its dashes; "" for none
	Short    string // one letter; "" for none
	Arg      string // the value's name in help; "" for an option without value
	Optional bool   // the value may be missing
	Own      bool   // is ctl's own, unknown to systemctl
	Help     string // one line; "" hides the row
	// Set applies the option. Options are set in the order of the command line.
	Set func(call *C, value string) error
}

// Name is what the option is called among the flags: its long name, else its letter.
func (o *Option[C]) Name() string {
	if o.Long != "" {
		return o.Long
	}
	return o.Short
}

// A Table is all rows of a program. It is handed to the call: a table that
// help refers to would be an initialization cycle.
type Table[C any] struct {
	Program string // as messages name it: argv[0]
	Verbs   []Verb[C]
	Options []Option[C]
}

// Find is the verb called name, "" being the default one; nil if there is none.
func (t *Table[C]) Find(name string) *Verb[C] {
	for i := range t.Verbs {
		v := &t.Verbs[i]
		if v.Name == name || name == "" && v.Default {
			return v
		}
	}
	return nil
}
