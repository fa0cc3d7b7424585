package lifecycle

import (
	"ctl/internal/term"
	"ctl/sandbox/service"
)

// conditions evaluates Condition…= and Assert…= and ends the start of a service that they refuse.
func (a *activity) conditions() bool {
	if a.r.evaluate(&a.s.Unit, a.say, a.s.User) {
		return true
	}
	ok := !assertFailed(a.r, &a.s.Unit, a.s.User)
	if f := a.reached; f != nil {
		a.reached = nil
		a.r.loop.later(func() { f(ok) })
	}
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
			say(term.Info, unitTitle(u)+" was skipped because no trigger condition checks were met.")
		} else {
			say(term.Info, unitTitle(u)+" was skipped because of an unmet condition check ("+line(bad)+").")
		}
		return false
	}
	if bad := r.unmet(u.Conditions, true, user); bad != nil {
		say(term.Err, "Starting "+unitTitle(u)+" was not possible: assertion ("+line(bad)+") failed.")
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
	for i := range l {
		c := &l[i]
		if c.Assert != asserts {
			continue
		}
		holds := r.holds(c, user) != c.Negate
		switch {
		case !c.Trigger && !holds:
			return c
		case c.Trigger && holds:
			trigger = &service.Condition{} // met
			for j := range l[i:] {
				if d := &l[i+j]; d.Assert == asserts && !d.Trigger && r.holds(d, user) == d.Negate {
					return d
				}
			}
			return nil
		case c.Trigger:
			trigger = c
		}
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
