package cli

import "ctl/internal/term"

// Introspection is the table in the form that --introspect-cli prints; numbers of
// arguments count the verb itself.
func (t *Table[C]) Introspection(name, project, version, abstract, postscript string) term.Object {
	options := make([]term.Value, 0, len(t.Options))
	for i := range t.Options {
		options = append(options, t.Options[i].introspection())
	}
	verbs := make([]term.Value, 0, len(t.Verbs))
	for i := range t.Verbs {
		verbs = append(verbs, t.Verbs[i].introspection())
	}
	o := term.Object{
		{Name: "names", Value: []term.Value{name}},
		{Name: "project", Value: project},
		{Name: "version", Value: version},
		{Name: "abstract", Value: []term.Value{abstract}},
	}
	if postscript != "" {
		o = append(o, term.Member{Name: "postscript", Value: []term.Value{postscript}})
	}
	o = append(o, term.Member{Name: "options", Value: options})
	if len(verbs) > 0 {
		o = append(o, term.Member{Name: "verbs", Value: verbs})
	}
	return o
}

func (o *Option[C]) introspection() term.Object {
	var names []term.Value
	if o.Short != "" {
		names = append(names, "-"+o.Short)
	}
	if o.Long != "" {
		names = append(names, "--"+o.Long)
	}
	kind := "no_argument"
	switch {
	case o.Optional:
		kind = "optional_argument"
	case o.Arg != "":
		kind = "required_argument"
	}
	obj := term.Object{{Name: "names", Value: names}, {Name: "argument", Value: kind}}
	if o.Arg != "" {
		obj = append(obj, term.Member{Name: "metavar", Value: o.Arg})
	}
	if o.Help != "" {
		obj = append(obj, term.Member{Name: "help", Value: o.Help})
	}
	return obj
}

func (v *Verb[C]) introspection() term.Object {
	obj := term.Object{{Name: "names", Value: []term.Value{v.Name}}}
	if v.Help != "" {
		obj = append(obj, term.Member{Name: "abstract", Value: []term.Value{v.Help}})
	}
	if v.Min > 0 {
		obj = append(obj, term.Member{Name: "minArguments", Value: v.Min + 1})
	}
	if v.Max >= 0 {
		obj = append(obj, term.Member{Name: "maxArguments", Value: v.Max + 1})
	}
	if v.Default {
		obj = append(obj, term.Member{Name: "isDefault", Value: true})
	}
	if v.Online {
		obj = append(obj, term.Member{Name: "isOnlineOnly", Value: true})
	}
	return obj
}
