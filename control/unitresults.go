package control

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/term"
)

// conditions writes the conditions and assertions that kept the unit from starting.
func (w *unitPage) conditions() {
	if at := w.p.number("ConditionTimestamp"); at > 0 && !w.p.flag("ConditionResult") {
		w.line("Condition", "start "+w.paint.color(term.Yellow, "condition unmet")+" at "+w.stamp(at))
		unmet := w.unmet("Conditions")
		for i, text := range unmet {
			w.line("", w.paint.branch(i+1 == len(unmet))+" "+text)
		}
	}
	if at := w.p.number("AssertTimestamp"); at > 0 && !w.p.flag("AssertResult") {
		w.line("Assert", "start "+w.paint.color(term.Red, "assertion failed")+" at "+w.stamp(at))
		text := "none of the trigger assertions were met"
		for _, u := range slices.Backward(w.unmet("Asserts")) {
			if !strings.Contains(u, "=|") {
				text = u
			}
		}
		w.line("", text)
	}
}

// unmet says which conditions did not hold, in the order of the unit file; the manager has the last one first.
func (w *unitPage) unmet(property string) []string {
	var l []string
	for _, row := range slices.Backward(w.p.rows(property)) {
		var name, parameter string
		var trigger, negate bool
		var state int32
		if !manager.Scan(row, &name, &trigger, &negate, &parameter, &state) || state >= 0 {
			continue
		}
		sign := ""
		if trigger {
			sign = "|"
		}
		if negate {
			sign += "!"
		}
		l = append(l, name+"="+sign+parameter+" was not met")
	}
	return l
}

// places writes what a device, mount, automount or socket unit is about, and the documentation.
func (w *unitPage) places() {
	for _, l := range [...]struct{ label, property string }{{"Device", "SysFSPath"}, {"Where", "Where"}, {"What", "What"}} {
		if v := w.p.text(l.property); v != "" {
			w.line(l.label, v)
		}
	}
	var docs, listen []string
	for _, d := range w.p.list("Documentation") {
		docs = append(docs, w.paint.link(d, d))
	}
	w.lines("Docs", docs)
	for _, row := range w.p.rows("Listen") {
		if text, ok := typedText(row); ok {
			listen = append(listen, text)
		}
	}
	w.lines("Listen", listen)
	if w.p.flag("Accept") {
		text := decimal(value[uint32](w.p, "NAccepted")) + "; Connected: " + decimal(value[uint32](w.p, "NConnections")) + ";"
		if n := value[uint32](w.p, "NRefused"); n > 0 {
			text += "   Refused: " + decimal(n)
		}
		w.line("Accepted", text)
	}
}

// results writes how the unit's commands ended, and its main and control process.
func (w *unitPage) results() {
	for _, name := range [...]string{"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"} {
		rows, ok := w.p.get(name + "Ex").([][]any)
		if !ok {
			rows = w.p.rows(name)
		}
		for _, row := range rows {
			w.process(name, row)
		}
	}
	w.mainProcess()
	if s := w.p.text("StatusText"); s != "" {
		w.line("Status", `"`+w.paint.color(sectionColor, s)+`"`)
	}
	var e []string
	if n := value[int32](w.p, "StatusErrno"); n > 0 {
		e = append(e, "code: "+strconv.Itoa(int(n))+" ("+strerror(syscall.Errno(n))+")")
	}
	if s := w.p.text("StatusBusError"); s != "" {
		e = append(e, "D-Bus: "+s)
	}
	if s := w.p.text("StatusVarlinkError"); s != "" {
		e = append(e, "Varlink: "+s)
	}
	if len(e) > 0 {
		w.line("Error", strings.Join(e, "; "))
	}
}

// process writes a command that has ended.
func (w *unitPage) process(name string, row []any) {
	x, ok := execOf(row)
	if !ok || x.code == 0 {
		return
	}
	color := term.Red
	switch {
	case x.clean():
		color = ""
	case x.ignore:
		color = term.Yellow
	}
	w.line("Process", decimal(x.pid)+" "+name+"="+strings.Join(x.argv, " ")+" "+
		w.paint.color(color, "("+endedText(x.code, x.status)+")"))
}

// mainProcess writes the main and the control process, as far as they run or are known to have ended.
func (w *unitPage) mainProcess() {
	pid, running := value[uint32](w.p, "ExecMainPID"), value[uint32](w.p, "MainPID") > 0
	if running {
		pid = value[uint32](w.p, "MainPID")
	}
	control := value[uint32](w.p, "ControlPID")
	text := ""
	if pid > 0 {
		text = decimal(pid)
		if running {
			text += w.command(pid)
		} else if code := value[int32](w.p, "ExecMainCode"); code != 0 {
			text += " (" + endedText(code, value[int32](w.p, "ExecMainStatus")) + ")"
		}
	}
	switch {
	case pid > 0 && control > 0:
		w.line("Main PID", text+"; Control PID: "+decimal(control)+w.command(control))
	case pid > 0:
		w.line("Main PID", text)
	case control > 0:
		w.line("Cntrl PID", decimal(control)+w.command(control))
	}
}

// command is the name of a process of this machine, in parentheses.
func (w *unitPage) command(pid uint32) string {
	if w.c.Opt.Transport != "" {
		return ""
	}
	name, err := commandOf(pid)
	if err != nil {
		return ""
	}
	return " (" + name + ")"
}

// commandOf is the name of a process, proc_pid_comm(5).
func commandOf(pid uint32) (string, error) {
	b, err := os.ReadFile("/proc/" + decimal(pid) + "/comm")
	return strings.TrimSuffix(string(b), "\n"), err
}
