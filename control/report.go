package control

import (
	"fmt"
	"syscall"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// report says what came of a plan, in the order it came, and returns how it ends.
func (c *Call) report(p *enable.Plan, r enable.Result, doing string) error {
	said := false
	for _, ch := range r.Changes {
		if ch.Type == enable.Failed {
			said = true
		}
		c.say(p.Verb, ch)
	}
	switch {
	case r.Err == nil:
		return nil
	case said:
		return Exit(1)
	}
	return cli.Usage(Failure{doing, r.Err}.Error() + ".")
}

// say words one change. Successes are for those who did not ask for quiet.
func (c *Call) say(verb string, ch enable.Change) {
	if ch.Type == enable.Failed {
		c.Log(term.Err, failure(verb, ch))
		return
	}
	if c.Opt.Quiet {
		return
	}
	switch ch.Type {
	case enable.Symlink:
		c.Log(term.Info, fmt.Sprintf("Created symlink '%s' → '%s'.", ch.Path, ch.Source))
	case enable.Unlink:
		c.Log(term.Info, fmt.Sprintf("Removed '%s'.", ch.Path))
	case enable.Masked:
		c.Log(term.Info, "Unit "+ch.Path+" is masked, ignoring.")
	case enable.MaskedGenerator:
		c.Log(term.Info, "Unit "+ch.Path+" is masked via a generator and cannot be unmasked, skipping.")
	case enable.Dangling:
		c.Log(term.Info, "Unit "+ch.Path+" is an alias to a non-existent unit, ignoring.")
	case enable.DestinationMissing:
		c.Log(term.Warning, "Unit "+ch.Source+" is added as a dependency to a non-existent unit "+ch.Path+".")
	case enable.AuxiliaryFailed:
		c.Log(term.Warning, "Failed to enable auxiliary unit "+ch.Path+", ignoring.")
	}
}

// failure words a change that could not be made, by its errno.
func failure(verb string, ch enable.Change) string {
	what := ""
	switch ch.Err {
	case syscall.EEXIST:
		what = "File '" + ch.Path + "' already exists"
		if ch.Source != "" {
			what += " and is a symlink to " + ch.Source
		}
	case syscall.ERFKILL:
		what = "Unit " + ch.Path + " is masked"
	case syscall.EADDRNOTAVAIL:
		what = "Unit " + ch.Path + " is transient or generated"
	case syscall.ETXTBSY:
		what = "File '" + ch.Path + "' is under the systemd unit hierarchy already"
	case syscall.EBADSLT:
		what = "Invalid specifier in unit " + ch.Path
	case syscall.EIDRM:
		what = "Refusing to operate on template unit " + ch.Source + " when destination unit " + ch.Path + " is a non-template unit"
	case syscall.EUCLEAN:
		what = "Invalid unit name " + ch.Path
	case syscall.ELOOP:
		what = "Refusing to operate on linked unit file " + ch.Path
	case syscall.EXDEV:
		what = "Invalid unit reference " + ch.Path
		if ch.Source != "" {
			what = "Cannot alias " + ch.Source + " as " + ch.Path
		}
	case syscall.ENOENT:
		what = "Unit " + ch.Path + " does not exist"
	case syscall.ENOLINK:
		what = "Unit " + ch.Path + " is an unresolvable alias"
	case syscall.EUNATCH:
		what = "Cannot resolve specifiers in unit " + ch.Path
	default:
		return "Failed to " + verb + " unit " + ch.Path + ": " + strerror(ch.Err)
	}
	return "Failed to " + verb + " unit: " + what
}

// foresee prints a plan instead of carrying it out: what would be done on
// standard output, what would go wrong on standard error. It ends as the real run would.
func (c *Call) foresee(p *enable.Plan, doing string) error {
	if c.Opt.JSON != term.NoJSON {
		r := p.Foresee()
		c.Print(c.Opt.JSON.Format(planValue(p, r)))
		if r.Err != nil {
			return Exit(1)
		}
		return nil
	}
	for _, s := range p.Steps {
		switch s.Action {
		case enable.Link:
			c.Print("create '" + c.shown(s.Path) + "' → '" + s.Target + "'\n")
		case enable.Replace:
			c.Print("replace '" + c.shown(s.Path) + "' → '" + s.Target + "'\n")
		case enable.Remove:
			c.Print("remove '" + c.shown(s.Path) + "'\n")
		case enable.Discard:
			for _, ch := range s.Changes {
				c.Print("remove '" + ch.Path + "'\n")
			}
		}
	}
	r := p.Foresee()
	kept := r.Changes[:0:0]
	for _, ch := range r.Changes {
		if ch.Type != enable.Symlink && ch.Type != enable.Unlink {
			kept = append(kept, ch)
		}
	}
	r.Changes = kept
	return c.report(p, r, doing)
}

// changeNames are the types of changes in JSON, as the manager names them on D-Bus.
var changeNames = [...]string{"failed", "symlink", "unlink", "masked", "masked by generator", "dangling",
	"destination not present", "auxiliary unit failed"}

func planValue(p *enable.Plan, r enable.Result) term.Value {
	changes := make([]term.Value, 0, len(r.Changes))
	for _, ch := range r.Changes {
		o := term.Object{{Name: "type", Value: changeNames[ch.Type]}, {Name: "path", Value: ch.Path}}
		if ch.Source != "" {
			o = append(o, term.Member{Name: "source", Value: ch.Source})
		}
		if ch.Type == enable.Failed {
			o = append(o, term.Member{Name: "error", Value: failure(p.Verb, ch)})
		}
		changes = append(changes, o)
	}
	notes := make([]term.Value, 0, len(p.Notes))
	for _, n := range p.Notes {
		notes = append(notes, n.Text)
	}
	return term.Object{
		{Name: "verb", Value: p.Verb},
		{Name: "changes", Value: changes},
		{Name: "notes", Value: notes},
		{Name: "ok", Value: r.Err == nil},
	}
}
