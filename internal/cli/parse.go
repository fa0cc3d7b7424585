package cli

import (
	"strings"

	"github.com/spf13/pflag"
)

// A Usage is a command line that cannot be understood; its text is the whole message.
type Usage string

func (u Usage) Error() string { return string(u) }

// Parse reads a command line as getopt_long(3) does: options may stand anywhere
// before "--", long ones may be abbreviated as long as it is clear which is meant. They are set in
// the order given. What is no option is returned.
//
// The values are held by pflag; what its own parser knows nothing of, abbreviations, the
// order and the wording of the reference, is done here before it sees them.
func (t *Table[C]) Parse(c *C, args []string) (operands []string, err error) {
	p := parser[C]{table: t, call: c, flags: pflag.NewFlagSet(t.Program, pflag.ContinueOnError)}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return append(operands, args...), nil
		case strings.HasPrefix(arg, "--"):
			args, err = p.long(arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			args, err = p.short(arg[1:], args)
		case t.Stops:
			return append(operands, append([]string{arg}, args...)...), nil
		default:
			operands = append(operands, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return operands, nil
}

type parser[C any] struct {
	table *Table[C]
	call  *C
	flags *pflag.FlagSet
}

// value is an option's row as pflag sees it.
type value[C any] struct {
	row  *Option[C]
	call *C
	text string
	err  error // from Set, without pflag's words round it
}

func (v *value[C]) String() string { return v.text }
func (v *value[C]) Type() string   { return v.row.Arg }
func (v *value[C]) Set(s string) error {
	v.text = s
	v.err = v.row.Set(v.call, s)
	return v.err
}

// set gives the option its value. Options nobody uses are not built.
func (p *parser[C]) set(o *Option[C], s string) error {
	name := o.Name()
	f := p.flags.Lookup(name)
	if f == nil {
		f = &pflag.Flag{Name: name, Value: &value[C]{row: o, call: p.call}}
		p.flags.AddFlag(f)
	}
	if err := p.flags.Set(name, s); err != nil {
		return f.Value.(*value[C]).err
	}
	return nil
}

func (p *parser[C]) complain(text string) error { return Usage(p.table.Program + ": " + text) }

// long sets a long option, given without its dashes.
func (p *parser[C]) long(arg string, rest []string) ([]string, error) {
	name, given, hasValue := strings.Cut(arg, "=")
	o, err := p.find(name, arg)
	if err != nil {
		return rest, err
	}
	switch {
	case o.Arg == "" && hasValue:
		return rest, p.complain("option '--" + name + "' doesn't allow an argument")
	case o.Arg == "" || hasValue:
	case o.Optional:
		given = o.Bare
	case len(rest) == 0:
		return rest, p.complain("option '--" + name + "' requires an argument")
	default:
		given, rest = rest[0], rest[1:]
	}
	return rest, p.set(o, given)
}

// find returns the option called name, or the one that name abbreviates.
func (p *parser[C]) find(name, arg string) (*Option[C], error) {
	var found []*Option[C]
	for i := range p.table.Options {
		o := &p.table.Options[i]
		switch {
		case o.Long == "" || name == "":
		case o.Long == name:
			return o, nil
		case strings.HasPrefix(o.Long, name):
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return nil, p.complain("unrecognized option '--" + name + "'")
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, o := range found {
		names[i] = "--" + o.Long
	}
	return nil, p.complain("option '--" + name + "' is ambiguous; possibilities: " + strings.Join(names, ", "))
}

// short sets the options of a word of single letters.
func (p *parser[C]) short(letters string, rest []string) ([]string, error) {
	for letters != "" {
		letter := letters[:1]
		letters = letters[1:]
		var o *Option[C]
		for i := range p.table.Options {
			if p.table.Options[i].Short == letter {
				o = &p.table.Options[i]
				break
			}
		}
		given := ""
		switch {
		case o == nil:
			return rest, p.complain("unrecognized option '-" + letter + "'")
		case o.Arg == "":
		case letters != "" || o.Optional:
			given, letters = letters, ""
		case len(rest) == 0:
			return rest, p.complain("option '-" + letter + "' requires an argument")
		default:
			given, rest = rest[0], rest[1:]
		}
		if err := p.set(o, given); err != nil {
			return rest, err
		}
	}
	return rest, nil
}
