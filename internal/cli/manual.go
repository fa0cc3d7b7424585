package cli

import (
	"cmp"
	"strings"
)

// Manual is a manual page, in the language of man(7), of what the help says. The name is that of the page, with dashes: "ctl-run"; see names other pages.
func (t *Table[C]) Manual(name string, p Page, see ...string) string {
	var b strings.Builder
	b.WriteString(".TH \"" + strings.ToUpper(roff(name)) + "\" 1\n.SH NAME\n" + roff(name) + " \\- " + roff(strings.TrimSuffix(p.Abstract, ".")) +
		"\n.SH SYNOPSIS\n" + roff(p.Synopsis) + "\n.SH DESCRIPTION\n" + roff(p.Abstract) + "\n")
	group := ""
	row := func(heading, left, right string) {
		if heading != group {
			group = heading
			b.WriteString(".SH " + strings.ToUpper(roff(heading)) + "\n")
		}
		b.WriteString(".TP\n.B " + roff(left) + "\n" + roff(right) + "\n")
	}
	for i := range t.Verbs {
		if v := &t.Verbs[i]; v.Help != "" {
			row(v.Group, strings.Join(v.usage(false), ""), v.Help)
		}
	}
	for i := range t.Options {
		if o := &t.Options[i]; o.Help != "" {
			row(cmp.Or(o.Group, "Options"), o.usage(), o.Help)
		}
	}
	b.WriteString(".SH SEE ALSO\n" + roff(strings.Join(append(see, p.Manual), ", ")) + "\n")
	return b.String()
}

// roff is a text as groff(7) has it, in one line.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n", " ").Replace(strings.TrimSpace(s))
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// Words are what a shell can complete: the verbs, and the options, those that need an argument with "=".
func (t *Table[C]) Words() (verbs, options []string) {
	for i := range t.Verbs {
		if v := &t.Verbs[i]; v.Help != "" {
			verbs = append(verbs, v.Name)
		}
	}
	for i := range t.Options {
		o := &t.Options[i]
		if o.Help == "" {
			continue
		}
		if o.Short != "" {
			options = append(options, "-"+o.Short)
		}
		switch {
		case o.Long == "":
		case o.Arg != "" && !o.Optional:
			options = append(options, "--"+o.Long+"=")
		default:
			options = append(options, "--"+o.Long)
		}
	}
	return verbs, options
}
