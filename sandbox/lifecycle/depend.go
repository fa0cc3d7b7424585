package lifecycle

import (
	"fmt"
	"slices"

	"ctl/internal/term"
	"ctl/sandbox/service"
)

// A member is a unit of the Set with what is to be done about it.
type member struct {
	u *service.Unit
	a *activity   // of a service
	s *socketUnit // of a socket
	job
	ok bool // its last start succeeded
}

// A job is the start of a unit, systemd(1).
type job int

const (
	none job = iota
	waiting
	working
)

// is tells whether the member is called so.
func (m *member) is(name string) bool { return name == m.u.Name || slices.Contains(m.u.Names, name) }

func (r *run) member(name string) *member {
	for _, m := range r.members {
		if m.is(name) {
			return m
		}
	}
	return nil
}

// requires are the units without which this one does not start.
func (m *member) requires() []string {
	return slices.Concat(m.u.Requires, m.u.BindsTo, m.u.Requisite)
}

// join makes members of the units and decides which are to be started.
func (r *run) join(set *Set) error {
	for _, s := range set.Services {
		r.add(s)
	}
	for _, s := range set.Sockets {
		r.members = append(r.members, &member{u: &s.Unit, s: &socketUnit{r: r, s: s}, ok: true})
	}
	r.shared = len(set.Services) > 1 || slices.ContainsFunc(set.Sockets, func(s *service.Socket) bool { return s.Accept })
	for _, name := range set.Main {
		m := r.member(name)
		if m == nil {
			return fmt.Errorf("Unit %s not found.", name)
		}
		r.main = append(r.main, m)
		r.want(m)
	}
	for _, m := range r.members {
		for _, name := range m.u.Conflicts {
			if o := r.member(name); o != nil && o != m && m.job == waiting && o.job == waiting {
				return fmt.Errorf("%w 'stop' and 'start' for %s. Probably contradicting requirement dependencies configured.", errConflict, o.u.Name)
			}
		}
	}
	return r.breakCycles()
}

func (r *run) add(s *service.Service) *member {
	a := &activity{r: r, s: s}
	m := &member{u: &s.Unit, a: a, ok: true}
	r.activities = append(r.activities, a)
	r.members = append(r.members, m)
	return m
}

// want has a unit started with those that it pulls in.
func (r *run) want(m *member) {
	if m.job != none || m.up() {
		return
	}
	m.job, m.ok = waiting, false
	pulled := slices.Concat(m.u.Requires, m.u.BindsTo, m.u.Wants)
	if m.a != nil {
		pulled = append(pulled, r.socketsOf(m.a)...)
	}
	for _, name := range pulled {
		if o := r.member(name); o != nil {
			r.want(o)
		}
	}
}

// socketsOf are the names of the sockets that a service is given, Sockets=.
func (r *run) socketsOf(a *activity) []string {
	l := slices.Clone(a.s.Sockets)
	for _, m := range r.members {
		if m.s != nil && !m.s.s.Accept && m.s.service() == a.s.Name && !slices.Contains(l, m.u.Name) {
			l = append(l, m.u.Name)
		}
	}
	return l
}

// up tells whether a unit is active.
func (m *member) up() bool {
	if m.a != nil {
		return m.a.state.active()
	}
	return m.s.open
}

// over tells whether nothing is left of a unit.
func (m *member) over() bool {
	if m.a != nil {
		return m.a.state.over()
	}
	return !m.s.open && !m.s.busy()
}

// after tells whether a unit is to be started after another, and stopped before it.
func (r *run) after(m, o *member) bool {
	for _, name := range m.u.After {
		if o.is(name) {
			return true
		}
	}
	for _, name := range o.u.Before {
		if m.is(name) {
			return true
		}
	}
	return m.a != nil && o.s != nil && slices.Contains(r.socketsOf(m.a), o.u.Name)
}

// dispatch starts what can be started now, or stops what can be stopped.
func (r *run) dispatch() {
	if r.ending {
		r.dispatchStop(false)
		return
	}
	for again := true; again; {
		again = false
		for _, m := range r.members {
			if m.job == waiting && r.unblocked(m) {
				again = true
				r.startMember(m)
			}
		}
	}
}

// unblocked tells whether all that is to come before a unit's start is done. A unit whose requirement failed has its job done by that.
func (r *run) unblocked(m *member) bool {
	for _, name := range m.requires() {
		o := r.member(name)
		if o == nil || o == m || o.job != none {
			continue
		}
		if !o.ok || !o.up() && slices.Contains(m.u.Requisite, name) {
			m.job, m.ok = none, false
			r.announce(term.Warning, m.u.Name, "Dependency failed for "+unitTitle(m.u)+".")
			r.say(term.Notice, m.u.Name, "Job "+m.u.Name+"/start failed with result 'dependency'.")
			r.loop.later(r.dispatch)
			return false
		}
	}
	for _, o := range r.members {
		if o != m && o.job != none && r.after(m, o) {
			return false
		}
	}
	return true
}

func (r *run) startMember(m *member) {
	m.job = working
	done := func(ok bool) {
		m.job, m.ok = none, ok
		r.dispatch()
		for _, a := range r.activities {
			if a.idle != nil && !r.starting(a) {
				a.startMain()
			}
		}
	}
	if m.s != nil {
		m.s.begin(done)
		return
	}
	m.a.reached = done
	m.a.restarts = 0
	m.a.begin()
}

// starting tells whether other units than a service are being started, or are to be and do not wait for it.
func (r *run) starting(a *activity) bool {
	own := slices.IndexFunc(r.members, func(m *member) bool { return m.a == a })
	return slices.ContainsFunc(r.members, func(m *member) bool {
		return m.a != a && (m.job == working || m.job == waiting && (own < 0 || !r.after(m, r.members[own])))
	})
}

// changed is called when a service has come into another state.
func (r *run) changed(a *activity) {
	if !a.state.over() {
		return
	}
	for _, m := range r.members {
		if m.s != nil {
			m.s.serviceEnded(a)
		}
		if m.a == nil || m.a == a || !m.a.state.active() {
			continue
		}
		if slices.ContainsFunc(m.u.BindsTo, func(n string) bool { return n == a.s.Name }) {
			o := m.a
			r.loop.later(func() { o.end(false) })
		}
	}
	follow, what := a.s.OnSuccess, "OnSuccess="
	if a.state == failed {
		follow, what = a.s.OnFailure, "OnFailure="
	}
	if !r.ending && (a.state == failed || a.hasEnded) {
		for _, name := range follow {
			if m := r.member(name); m != nil && m.a != nil {
				a.say(term.Info, "Triggering "+what+" dependencies.")
				m.a.monitor = a.monitored()
				r.want(m)
			}
		}
	}
	r.loop.later(r.dispatch)
}

// monitored is what a unit that is started for how this one has ended is told of it, systemd.exec(5) $MONITOR_*.
func (a *activity) monitored() []string {
	l := []string{"MONITOR_SERVICE_RESULT=" + string(a.result)}
	if a.hasEnded {
		l = append(l, "MONITOR_EXIT_CODE="+codeOf(a.ended), "MONITOR_EXIT_STATUS="+statusOf(a.ended))
	}
	return append(l, "MONITOR_INVOCATION_ID="+a.invocation, "MONITOR_UNIT="+a.s.Name)
}

// end stops all units.
func (r *run) end(harder bool) {
	r.ending = true
	for _, m := range r.members {
		if m.job == waiting {
			m.job = none
		}
	}
	r.dispatchStop(harder)
}

// dispatchStop stops the units after which no other one is still to be stopped.
func (r *run) dispatchStop(harder bool) {
	for _, m := range r.members {
		if m.over() {
			continue
		}
		blocked := slices.ContainsFunc(r.members, func(o *member) bool { return o != m && !o.over() && r.after(o, m) })
		if blocked {
			continue
		}
		switch {
		case m.s != nil:
			m.s.end()
		case harder || !m.a.forbidden:
			m.a.end(harder)
		}
	}
}

// finished tells whether all has come to its end. When the units of Main have, the others are stopped.
func (r *run) finished() bool {
	if len(r.loop.next) > 0 {
		return false
	}
	for _, m := range r.main {
		if m.job != none || !m.over() {
			return false
		}
	}
	for _, m := range r.members { // what was started for how one of Main has ended is let finish
		if !r.ending && m.a != nil && m.a.monitor != nil && (m.job != none || !m.over()) {
			return false
		}
	}
	if !r.ending {
		r.end(false)
	}
	for _, m := range r.members {
		if m.job != none || !m.over() {
			return false
		}
	}
	return true
}

// breakCycles takes units out whose order has no beginning.
func (r *run) breakCycles() error {
	for {
		cycle := r.cycle()
		if cycle == nil {
			return nil
		}
		first := cycle[0]
		text := "Found ordering cycle: " + cycle[1].u.Name + "/start"
		for _, m := range cycle[2:] {
			text += " after " + m.u.Name + "/start"
		}
		r.say(term.Warning, first.u.Name, text+" after "+first.u.Name+"/start - after "+cycle[1].u.Name)
		victim := -1
		for i, m := range cycle {
			if !r.needed(m) {
				victim = i
				break
			}
		}
		if victim < 0 {
			return fmt.Errorf("Transaction order is cyclic. See system logs for details.")
		}
		m := cycle[victim]
		r.say(term.Err, first.u.Name, "Job "+m.u.Name+"/start deleted to break ordering cycle starting with "+first.u.Name+"/start")
		m.job, m.ok = none, true
	}
}

// needed tells whether a unit of Main cannot do without a unit.
func (r *run) needed(m *member) bool {
	var seen []*member
	var visit func(o *member) bool
	visit = func(o *member) bool {
		if o == m {
			return true
		}
		if slices.Contains(seen, o) {
			return false
		}
		seen = append(seen, o)
		for _, name := range o.requires() {
			if p := r.member(name); p != nil && visit(p) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(r.main, visit)
}

// cycle are units of which each is to start after the next one, and the last after the first; nil if there are none.
func (r *run) cycle() []*member {
	var path []*member
	done := make(map[*member]bool)
	var visit func(m *member) []*member
	visit = func(m *member) []*member {
		if i := slices.Index(path, m); i >= 0 {
			return slices.Clone(path[i:])
		}
		if done[m] {
			return nil
		}
		path = append(path, m)
		for _, o := range r.members {
			if o != m && o.job == waiting && r.after(m, o) {
				if c := visit(o); c != nil {
					return c
				}
			}
		}
		path = path[:len(path)-1]
		done[m] = true
		return nil
	}
	for _, m := range r.members {
		if m.job == waiting {
			if c := visit(m); c != nil {
				return c
			}
		}
	}
	return nil
}
