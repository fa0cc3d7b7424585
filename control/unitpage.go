package control

import (
	"encoding/hex"
	"path"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A unitPage writes what status shows of one unit, above its journal.
type unitPage struct {
	c         *Call
	m         *manager.Conn
	paint     painter
	b         *strings.Builder
	p         unitProperties
	processes []manager.Process
}

func (w *unitPage) write() {
	w.heading()
	w.loaded()
	w.active()
	w.triggers()
	w.conditions()
	w.places()
	w.results()
	w.resources()
	w.controlGroup()
}

// labelWidth is how many columns the names of the lines take, which end in a colon and a blank.
const labelWidth = 11

// line writes a line under a name; without one it goes on below the line before.
func (w *unitPage) line(label, text string) {
	w.b.WriteString(strings.Repeat(" ", max(0, labelWidth-len(label))) + label)
	if label == "" {
		w.b.WriteString("  ")
	} else {
		w.b.WriteString(": ")
	}
	w.b.WriteString(text + "\n")
}

// lines writes several lines under one name.
func (w *unitPage) lines(label string, lines []string) {
	for i, l := range lines {
		if i > 0 {
			label = ""
		}
		w.line(label, l)
	}
}

// dot is the sign of a unit's state, in its colour.
func (p painter) dot(active string) string {
	return p.color(activeColor(active), p.glyph(stateGlyph(active)))
}

func stateGlyph(active string) string {
	switch active {
	case "inactive", "maintenance":
		return "○"
	case "failed":
		return "×"
	case "reloading", "refreshing":
		return "↻"
	}
	return "●"
}

func activeColor(active string) string {
	switch {
	case manager.IsActive(active):
		return term.Green
	case active == "failed":
		return term.Red
	}
	return ""
}

func (w *unitPage) heading() {
	id, description := w.p.text("Id"), w.p.text("Description")
	text := w.paint.dot(w.p.text("ActiveState")) + " " + id
	if description != "" && description != id {
		text += " - " + description
	}
	w.b.WriteString(text + "\n")
	if f := w.p.text("Following"); f != "" {
		w.line("Follows", "unit currently follows state of "+f)
	}
}

func (w *unitPage) loaded() {
	state := w.p.text("LoadState")
	color := ""
	switch state {
	case "error", "not-found", "bad-setting":
		color = term.Red
	}
	text := w.paint.color(color, state)
	file := w.p.text("SourcePath")
	if file == "" {
		file = w.p.text("FragmentPath")
	}
	enabled := w.p.text("UnitFileState")
	switch reason := loadError(w.p); {
	case reason != "":
		text += " (Reason: " + reason + ")"
	case file != "" && enabled != "":
		text += " (" + w.paint.file(file, file) + "; " + w.paint.color(fileStateColor(enabled), enabled)
		text += w.preset(enabled)
		text += ")"
	case file != "":
		text += " (" + w.paint.file(file, file) + ")"
	}
	w.line("Loaded", text)
	if w.p.flag("Transient") {
		w.line("Transient", "yes")
	}
	w.dropIns()
}

func loadError(p unitProperties) string {
	e := value[[]any](p, "LoadError")
	var name, text string
	manager.Scan(e, &name, &text)
	return text
}

// preset writes what the presets say about the unit. The colour of what is not said is there all the same.
func (w *unitPage) preset(enabled string) string {
	preset := w.p.text("UnitFilePreset")
	color := fileStateColor(preset)
	if !hasPreset(enabled) || preset == "" {
		return w.paint.color(color, "")
	}
	return "; preset: " + w.paint.color(color, preset)
}

func fileStateColor(state string) string {
	switch state {
	case "enabled", "enabled-runtime", "alias":
		return term.Green
	case "disabled":
		return term.Yellow
	}
	return ""
}

// hasPreset tells whether the presets have a say about a unit file.
func hasPreset(state string) bool {
	switch state {
	case "alias", "static", "generated", "transient":
		return false
	}
	return true
}

// dropIns writes the drop-ins, those of one directory on one line below it.
func (w *unitPage) dropIns() {
	label, dir := "Drop-In", ""
	for i, file := range w.p.list("DropInPaths") {
		if d := path.Dir(file); d != dir || i == 0 {
			if i > 0 {
				w.b.WriteByte('\n')
			}
			dir = d
			w.line(label, dir)
			w.b.WriteString(strings.Repeat(" ", labelWidth+2))
			last := true
			for _, later := range w.p.list("DropInPaths")[i+1:] {
				last = last && path.Dir(later) == dir
			}
			w.b.WriteString(w.paint.branch(last))
			label = ""
		} else {
			w.b.WriteString(", ")
		}
		w.b.WriteString(w.paint.file(file, path.Base(file)))
	}
	if len(w.p.list("DropInPaths")) > 0 {
		w.b.WriteByte('\n')
	}
}

// active writes the state and since when the unit has been in it.
func (w *unitPage) active() {
	state, sub := w.p.text("ActiveState"), w.p.text("SubState")
	text := state
	if sub != "" && sub != state {
		text += " (" + sub + ")"
	}
	text = w.paint.color(activeColor(state), text)
	if f := w.p.text("FreezerState"); f != "" && f != "running" {
		text += " " + w.paint.color(term.Yellow, "("+f+")")
	}
	if r := w.p.text("Result"); r != "" && r != "success" {
		text += " (Result: " + r + ")"
	}
	if since := w.since(); since != 0 && since != clock.Infinity {
		text += " since " + w.stamp(since)
	}
	w.line("Active", text)
	w.until()
	w.duration()
	w.job()
	if id := value[[]byte](w.p, "InvocationID"); len(id) == 16 {
		w.line("Invocation", hex.EncodeToString(id))
	}
}

// since is when the unit came into its state, microseconds since 1970, or 0.
func (w *unitPage) since() uint64 {
	switch state := w.p.text("ActiveState"); {
	case manager.IsActive(state):
		return w.p.number("ActiveEnterTimestamp")
	case state == "inactive", state == "failed":
		return w.p.number("InactiveEnterTimestamp")
	case state == "activating":
		return w.p.number("InactiveExitTimestamp")
	}
	return w.p.number("ActiveExitTimestamp")
}

// stamp writes a point in time and how far away it is.
func (w *unitPage) stamp(t uint64) string {
	return clock.Stamp(t, w.c.Opt.Timestamp) + "; " + clock.Relative(t, clock.Now())
}

func (w *unitPage) until() {
	limit, ok := w.p.get("RuntimeMaxUSec").(uint64)
	if since := w.p.number("ActiveEnterTimestamp"); ok && limit < clock.Infinity && since > 0 && w.p.text("ActiveState") == "active" {
		w.line("Until", w.stamp(since+limit+w.p.number("RuntimeRandomizedExtraUSec")))
	}
}

func (w *unitPage) duration() {
	from, to := w.p.number("ActiveEnterTimestamp"), w.p.number("ActiveExitTimestamp")
	state := w.p.text("ActiveState")
	if (state == "inactive" || state == "failed") && from > 0 && to >= from && unit.Type(w.p.text("Id")) != "target" {
		w.line("Duration", clock.Span(to-from, clock.Msec))
	}
}

func (w *unitPage) job() {
	var id uint32
	var object manager.ObjectPath
	if manager.Scan(value[[]any](w.p, "Job"), &id, &object) && id > 0 {
		w.line("Job", decimal(id))
	}
}

// triggers writes which units start this one, when the next time is, and which it starts.
func (w *unitPage) triggers() {
	w.lines("TriggeredBy", w.withDots(w.p.list("TriggeredBy"), w.paint.dot))
	id := w.p.text("Id")
	if unit.Type(id) == "timer" {
		if next := nextElapse(w.p); next != 0 && next != clock.Infinity {
			w.line("Trigger", w.stamp(next))
		} else {
			w.line("Trigger", "n/a")
		}
	}
	w.lines("Triggers", w.withDots(w.p.list("Triggers"), func(active string) string {
		return w.paint.color(activeColor(active), w.paint.glyph("●"))
	}))
}

// nextElapse is when a timer elapses next, microseconds since 1970, 0 or Infinity if it does not.
func nextElapse(p unitProperties) uint64 {
	at := p.limit("NextElapseUSecRealtime")
	if at == 0 {
		at = clock.Infinity
	}
	if m := p.limit("NextElapseUSecMonotonic"); m != 0 && m != clock.Infinity {
		at = min(at, clock.Now()+m-manager.Monotonic())
	}
	return at
}

// withDots writes units with the signs that sign makes of their states; asking for those must not load them.
func (w *unitPage) withDots(units []string, sign func(active string) string) []string {
	if len(units) == 0 {
		return nil
	}
	loaded, _ := w.m.ListUnits(nil, units) // without an answer no state is known
	l := make([]string, len(units))
	for i, name := range units {
		state := ""
		for _, u := range loaded {
			if u.ID == name {
				state = u.ActiveState
			}
		}
		l[i] = sign(state) + " " + name
	}
	return l
}
