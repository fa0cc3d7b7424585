package control

import (
	"cmp"
	"os"

	"ctl/control/journal"
	"ctl/control/manager"
	"ctl/internal/term"
)

// status shows the state of the system, or of units and of those that processes belong to.
func status(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	w := statusWriter{paper: paper{c: c}, m: m, paint: c.painter()}
	switch {
	case len(c.Args) > 0:
		err = w.operands()
	case c.chosen():
		err = w.listed(nil)
	default:
		if err = w.system(); err == nil && c.Opt.All {
			err = w.listed(nil)
		}
	}
	if c.moreJSON() && err == nil {
		w.WriteString(c.Opt.JSON.Format(w.objects))
	}
	if w.ellipsized && !c.Opt.Quiet {
		w.WriteString("Hint: Some lines were ellipsized, use -l to show in full.\n")
	}
	w.print()
	if err == nil && w.exit != 0 {
		err = Exit(w.exit)
	}
	return err
}

// A statusWriter writes the pages of units, one after the other.
type statusWriter struct {
	paper
	m     *manager.Conn
	paint painter
	shown bool // whether there is a page before the next one
	exit  Exit

	objects    []term.Value // instead of pages
	ellipsized bool         // a line of a journal was
	journal    *journal.Journal
	namespace  string // of that
}

// fails remembers the status of the first unit that is not active.
func (w *statusWriter) fails(status Exit) {
	if w.exit == 0 {
		w.exit = status
	}
}

// operands shows the units that the operands name, those of processes first, then those that patterns fit.
func (w *statusWriter) operands() error {
	var failed error
	pids, names := w.c.numbers()
	for _, pid := range pids {
		unit, err := w.c.unitOf(w.m, pid)
		if err != nil {
			w.flush()
			w.c.status(err)
			failed = Exit(1)
			continue
		}
		if err := w.pages([]*shownUnit{{name: unit, path: manager.UnitPath(unit)}}); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return failed
	}
	units, globs, err := w.c.mangleNames(names, "")
	if err == nil && w.c.Opt.WithDeps {
		globs = nil
		units, _, err = w.c.expandNames(w.m, names, "")
		units = w.c.withDependencies(w.m, units)
	}
	if err != nil {
		return err
	}
	l := make([]*shownUnit, 0, len(units))
	for _, u := range units {
		l = append(l, &shownUnit{name: u, path: manager.UnitPath(u)})
	}
	if err := w.pages(l); err != nil || len(globs) == 0 {
		return cmp.Or(err, failed)
	}
	return cmp.Or(w.listed(globs), failed)
}

// unitOf is the unit that a process belongs to.
func (c *Call) unitOf(m *manager.Conn, pid uint32) (string, error) {
	if pid == 0 {
		pid = uint32(os.Getpid())
	}
	name, err := m.UnitOf(pid)
	switch {
	case c.unitless(decimal(pid), err):
		return "", Exit(1)
	case err != nil:
		return "", Failure{"get unit for PID " + decimal(pid), err}
	}
	return name, nil
}

// chosen tells whether --type= or --state= choose units.
func (c *Call) chosen() bool { return len(c.Opt.Types) > 0 || len(c.Opt.States) > 0 }

// listed shows the loaded units that fit patterns and the options.
func (w *statusWriter) listed(globs []string) error {
	units, err := w.c.listed(w.m, globs)
	if err != nil {
		return err
	}
	l := make([]*shownUnit, 0, len(units))
	for _, u := range units {
		l = append(l, &shownUnit{name: u.ID, path: u.Path, idle: u.ActiveState == "inactive"})
	}
	return w.pages(l)
}

// A shownUnit is a unit to be shown: what is known of it, more and more as the manager answers.
type shownUnit struct {
	name       string
	path       manager.ObjectPath
	idle       bool // known to have no processes
	processes  []manager.Process
	properties unitProperties
}

// questions are the calls that ask for what a page shows.
func (u *shownUnit) questions() []manager.Call {
	l := []manager.Call{manager.GetAll(u.path, "")}
	if !u.idle {
		l = append(l, manager.GetProcesses(u.name))
	}
	return l
}

// pages asks for what is to be known about units and shows each on its page.
func (w *statusWriter) pages(units []*shownUnit) error {
	defer w.closeJournal()
	var calls []manager.Call
	var owner []*shownUnit
	for _, u := range units {
		for _, q := range u.questions() {
			calls, owner = append(calls, q), append(owner, u)
		}
	}
	return w.m.Each(calls, func(i int, reply []any, err error) error {
		u := owner[i]
		switch {
		case calls[i].Method == "GetUnitProcesses":
			u.processes = manager.Processes(reply) // there are none of a unit that is not loaded
		case err != nil:
			return Failure{"get properties", err}
		default:
			u.properties = propertiesOf(reply)
		}
		if i+1 == len(calls) || owner[i+1] != u {
			w.unit(u)
			w.m.Reuse(u.properties)
		}
		return nil
	})
}

// unit shows one unit.
func (w *statusWriter) unit(u *shownUnit) {
	p := u.properties
	if p.missing() {
		w.log(term.Err, "Unit "+p.text("Id")+" could not be found.")
		w.fails(4)
		return
	}
	if w.c.moreJSON() {
		w.objects = append(w.objects, statusObject(p, u.processes))
		w.judge(p)
		return
	}
	if w.shown {
		w.WriteByte('\n')
	}
	w.shown = true
	page := unitPage{c: w.c, m: w.m, paint: w.paint, b: &w.Builder, p: p, processes: u.processes}
	page.write()
	w.writeJournal(p)
	if p.flag("NeedDaemonReload") {
		w.log(term.Warning, w.c.changedOnDisk(p.text("Id")))
	}
	w.judge(p)
}

// judge remembers whether the unit is active.
func (w *statusWriter) judge(p unitProperties) {
	if !manager.IsActive(p.text("ActiveState")) {
		w.fails(3)
	}
}
