package control

import (
	"cmp"
	"os"
	"strings"

	"ctl/control/journal"
)

// journalLines is how many lines of a unit's journal are shown.
func (c *Call) journalLines() uint64 {
	switch {
	case c.Opt.Transport != "", c.moreJSON():
		return 0
	case c.Opt.Lines != nil:
		return *c.Opt.Lines
	}
	return 10
}

// A unitJournal is what status shows of the journal of a unit.
type unitJournal struct {
	text       string
	entries    uint64 // how many it is made of
	ellipsized bool   // some lines are shorter than they were
	first      uint64 // when the first entry of this boot was written, in microseconds since it, 0 if there is none
}

// writeJournal writes the last lines that a unit has logged since it was started, an empty one before them, and whether there may have been more.
func (w *statusWriter) writeJournal(p unitProperties) {
	lines := w.c.journalLines()
	if lines == 0 {
		return
	}
	j, err := w.readJournal(p, lines)
	if err != nil {
		j = w.c.callJournalctl(p, lines)
	}
	w.ellipsized = w.ellipsized || j.ellipsized
	if started := p.number("InactiveExitTimestampMonotonic"); j.entries < lines && started < j.first && started > 0 && !w.c.Opt.Quiet {
		j.text += "Notice: journal has been rotated since unit was started, output may be incomplete.\n"
	}
	if j.entries > 0 || j.text != "" {
		w.WriteString("\n" + j.text)
	}
}

// readJournal reads the journal's files. What it cannot read or cannot write as the reference does is an error.
func (w *statusWriter) readJournal(p unitProperties, lines uint64) (unitJournal, error) {
	if o := w.c.Opt.Output; o != "" && o != "short" || !w.c.env.EnglishTime() {
		return unitJournal{}, journal.ErrForeign
	}
	if err := w.openJournal(p.text("LogNamespace")); err != nil {
		return unitJournal{}, err
	}
	fields := unitFields(p.text("Id"))
	if w.c.scopeName() == "user" {
		fields = userUnitFields(p.text("Id"), os.Getuid())
	} else if found, err := w.journal.Has("COREDUMP_UNIT=" + p.text("Id")); found {
		// Which of these are authentic depends on another user's number.
		return unitJournal{}, cmp.Or(err, journal.ErrForeign)
	}
	entries, err := w.journal.Last(lines, fields)
	if err != nil {
		return unitJournal{}, err
	}
	l := journalLine{paint: w.paint, columns: w.c.width(), all: w.c.Opt.All}
	j := unitJournal{}
	for i := range entries {
		if entries[i].Monotonic < p.number("InactiveExitTimestampMonotonic") {
			continue
		}
		j.entries++
		fields, err := w.journal.Fields(&entries[i])
		if err == nil {
			err = l.write(&entries[i], fields)
		}
		if err != nil {
			return j, err
		}
	}
	j.text, j.ellipsized = l.String(), l.ellipsized
	j.first, err = w.journal.First()
	return j, err
}

// openJournal opens the journal, which stays open for the next unit if it has the same.
func (w *statusWriter) openJournal(namespace string) error {
	if w.journal != nil && w.namespace == namespace {
		return nil
	}
	w.closeJournal()
	j, err := journal.Open(namespace, lineFields[:])
	w.journal, w.namespace = j, namespace
	return err
}

func (w *statusWriter) closeJournal() {
	if w.journal != nil {
		w.journal.Close()
		w.journal = nil
	}
}

// unitFields are the fields of which the entries of a unit, and those about it, have one set or the other.
func unitFields(unit string) [][]string {
	l := [][]string{
		{"_SYSTEMD_UNIT=" + unit},
		{"UNIT=" + unit, "_SYSTEMD_CGROUP=/init.scope"},
		{"OBJECT_SYSTEMD_UNIT=" + unit, "_UID=0"},
	}
	if strings.HasSuffix(unit, ".slice") {
		l = append(l, []string{"_SYSTEMD_SLICE=" + unit})
	}
	return l
}

// userUnitFields is unitFields for a user's manager.
func userUnitFields(unit string, user int) [][]string {
	uid := "_UID=" + decimal(uint32(user))
	l := [][]string{
		{"_SYSTEMD_USER_UNIT=" + unit, uid},
		{"USER_UNIT=" + unit, uid},
		{"OBJECT_SYSTEMD_USER_UNIT=" + unit, uid},
		{"OBJECT_SYSTEMD_USER_UNIT=" + unit, "_UID=0"},
		{"COREDUMP_USER_UNIT=" + unit, uid},
		{"COREDUMP_USER_UNIT=" + unit, "_UID=0"},
	}
	if strings.HasSuffix(unit, ".slice") {
		l = append(l, []string{"_SYSTEMD_USER_SLICE=" + unit, uid})
	}
	return l
}
