package control

import (
	"os"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/term"
)

// system shows the state of the whole system, or of the user's manager.
func (w *statusWriter) system() error {
	var p unitProperties
	var processes []manager.Process
	calls := []manager.Call{manager.GetAll(manager.ManagerPath, manager.ManagerInterface), manager.GetProcesses("-.slice")}
	err := w.m.Each(calls, func(i int, reply []any, err error) error {
		switch {
		case i == 1:
			processes = manager.Processes(reply)
		case err != nil:
			return Failure{"read server status", err}
		default:
			p = propertiesOf(reply)
		}
		return nil
	})
	if err != nil {
		return err
	}
	host := w.c.Opt.Remote
	if host == "" {
		host, _ = os.Hostname()
	}
	if w.c.moreJSON() {
		w.objects = append(w.objects, systemObject(host, p, processes))
		return nil
	}
	state := p.text("SystemState")
	color := systemColor(state)
	w.WriteString(w.paint.color(color, w.paint.glyph("●")) + " " + host + "\n")
	line := func(label, text string) {
		w.WriteString(strings.Repeat(" ", 9-len(label)) + label + ": " + text + "\n")
	}
	count := func(name string) string { return decimal(value[uint32](p, name)) }
	line("State", w.paint.color(color, state))
	line("Units", count("NNames")+" loaded (incl. loaded aliases)")
	line("Jobs", count("NJobs")+" queued")
	failed := count("NFailedUnits") + " units"
	line("Failed", failed)
	since := p.number("UserspaceTimestamp")
	line("Since", clock.Stamp(since, w.c.Opt.Timestamp)+"; "+clock.Relative(since, clock.Now()))
	line("systemd", p.text("Version"))
	if t := p.text("Tainted"); t != "" {
		line("Tainted", w.paint.color(term.Yellow, t))
	}
	group := p.text("ControlGroup")
	shown := group
	if shown == "" {
		shown = "/"
	}
	line("CGroup", shown)
	w.c.processTree(w.paint, &w.Builder, group, processes, strings.Repeat(" ", 11))
	w.shown = true
	return nil
}

func systemColor(state string) string {
	switch state {
	case "running":
		return term.Green
	case "degraded":
		return term.Red
	}
	return term.Yellow
}
