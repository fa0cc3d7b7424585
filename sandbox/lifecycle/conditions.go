package lifecycle

import (
	"ctl/internal/term"
	"ctl/sandbox/service"
)

// conditions evaluates Condition…= and Assert…= and ends the start of a service that they refuse.
func (a *activity) conditions() bool {
	if a.r.evaluate(&a.s.Unit, a.announce, a.s.User) {
		return true
	}
	ok := !assertFailed(a.r, &a.s.Unit, a.s.User)
	a.started(ok)
	if a.state == autoRestart {
		a.calm()
	}
	a.enter(dead)
	return false
}

// evaluate tells whether a unit may start, and says why not.
func (r *run) evaluate(u *service.Unit, say func(term.Level, string), user string) bool {
	if bad := r.unmet(u.Conditions, false, user); bad != nil {
		if bad.Trigger {
			say(term.Info, unitTitle(u)+" skipped, no trigger condition checks were met.")
		} else {
			say(term.Info, unitTitle(u)+" skipped, unmet condition check "+line(bad))
		}
		return false
	}
	if assertFailed(r, u, user) {
		say(term.Warning, u.Name+": Starting requested but asserts failed.")
		say(term.Err, "Assertion failed for "+unitTitle(u)+".")
		return false
	}
	return true
}

func assertFailed(r *run, u *service.Unit, user string) bool {
	return r.unmet(u.Conditions, false, user) == nil && r.unmet(u.Conditions, true, user) != nil
}

// unmet is the line that is not met: one that has to be, or the last of those of which one has to be.
func (r *run) unmet(l []service.Condition, asserts bool, user string) *service.Condition {
	var trigger *service.Condition
	met := false
	for i := range l {
		c := &l[i]
		if c.Assert != asserts {
			continue
		}
		holds := r.holds(c, user) != c.Negate
		switch {
		case c.Trigger:
			trigger, met = c, met || holds
		case !holds:
			return c
		}
	}
	if met {
		return nil
	}
	return trigger
}

func line(c *service.Condition) string {
	text := c.Name + "="
	if c.Trigger {
		text += "|"
	}
	if c.Negate {
		text += "!"
	}
	return text + c.Value
}
