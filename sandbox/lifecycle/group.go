package lifecycle

import (
	"os"

	"ctl/internal/term"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/launch"
)

// cgroups is where groups for services can be made, nil where they cannot.
func (r *run) cgroups() *cgroup.Home {
	if !r.looked {
		r.home, r.looked = cgroup.Find(), true
		r.home.Note(func(text string) {
			if r.c.Runtime != "" {
				_ = os.WriteFile(r.c.Runtime+"/"+Home, []byte(text), 0o600)
			}
		})
	}
	return r.home
}

// openGroup gives the service a cgroup of its own, where its settings ask for one, or where there may be several services, whose processes it
// tells apart. What of the settings cannot be had here was said, and judged, when the unit was loaded.
func (a *activity) openGroup() error {
	limits := a.s.Limits()
	private := a.s.ProtectControlGroups == "private" || a.s.ProtectControlGroups == "strict" // the topmost that it sees
	if a.group != nil || !a.r.shared && !private && len(limits) == 0 && a.s.Delegate == nil {
		return nil
	}
	home := a.r.cgroups()
	if a.group = home.New(a.s.Name, a.r.leaves); a.group == nil {
		return nil
	}
	var here cgroup.Limits
	for _, l := range limits {
		if c := cgroup.Controller(l[0]); c != "" && home.Has(c) {
			here = append(here, l)
		}
	}
	if err := home.Give(append(here.Controllers(), a.delegated()...)); err != nil {
		a.say(term.Warning, "The controllers of its cgroup cannot be had: "+reason(err))
	}
	for _, err := range a.group.Limit(here) {
		a.say(term.Warning, err.Error())
	}
	devices, some := limits.Devices()
	if len(limits) == 0 || !cgroup.Decides() {
		return nil
	}
	err := a.group.RestrictNetwork(limits)
	if err == nil && some {
		err = a.group.RestrictDevices(devices)
	}
	if err != nil {
		return launch.NoCgroup(err)
	}
	return nil
}

// delegated are the controllers of Delegate= that can be had.
func (a *activity) delegated() (l []string) {
	for _, c := range a.s.Delegate {
		if a.r.cgroups().Has(c) {
			l = append(l, c)
		}
	}
	return l
}

// members are the processes in the group that live.
func (a *activity) members() (pids []int) {
	for _, pid := range a.group.PIDs() {
		if r, ok := lookAt(pid); ok && !r.zombie {
			pids = append(pids, pid)
		}
	}
	return pids
}

// outOfMemory tells whether the kernel has killed a process of the service for lack of memory since it was asked last.
func (a *activity) outOfMemory() bool {
	if a.group == nil {
		return false
	}
	before := a.oomKills
	a.oomKills = a.group.OOMKills()
	return a.oomKills > before
}

// Groups is the name of the file in Config.Runtime that lists the cgroups that were made, Home of the one that has what cgroup.Restore takes.
const (
	Groups = "cgroups"
	Home   = "cgroup"
)

// leaves lists a cgroup that is about to be made.
func (r *run) leaves(path string) {
	if r.c.Runtime == "" {
		return
	}
	if f, err := os.OpenFile(r.c.Runtime+"/"+Groups, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err == nil {
		_, _ = f.WriteString(path + "\n")
		f.Close()
	}
}
