package control

import (
	"errors"
	"path"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// cat prints the files that make up units.
func cat(c *Call) error {
	if c.Opt.Transport != "" {
		return cli.Usage("Cannot remotely cat units.")
	}
	names, err := c.catNames()
	if err != nil {
		return err
	}
	t, ix, err := c.open()
	if err != nil {
		return Failure{"cat units", err}
	}
	defer t.Close()
	w := catWriter{paper: paper{c: c}, ix: ix, paint: c.painter()}
	err = c.sources(ix, names, w.unit)
	w.print()
	switch {
	case err != nil:
		return err
	case w.missing:
		return Exit(1)
	}
	return nil
}

// catNames are the names of the units to show. Only a manager knows patterns and dependencies.
func (c *Call) catNames() ([]string, error) {
	if c.Mode() != ByManager {
		return c.mangle("to cat", c.Args, ".service")
	}
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	c.Opt.All = true // units that are idle have files too
	names, _, err := c.expandNames(m, c.Args, "")
	if err == nil && c.Opt.WithDeps {
		names = c.withDependencies(m, names)
	}
	return names, err
}

// A source is where a unit comes from, and what there is to say of it.
type source struct {
	*enable.Source
	broken  bool // the manager could not load it
	changed bool // the manager has an older state of its files
}

// sources finds the files of units and hands them to f: as the manager has loaded them, or as the directories have
// them. A template is loaded by nobody.
func (c *Call) sources(ix *enable.Index, names []string, f func(name string, s source) error) error {
	var m *manager.Conn
	if c.Mode() == ByManager {
		var err error
		if m, err = c.manager(); err != nil {
			return err
		}
	}
	for _, name := range names {
		var s source
		var err error
		if m != nil && unit.KindOf(name) != unit.Template {
			s, err = c.loadedSource(m, ix, name)
		} else {
			s.Source, err = ix.Source(name)
			if err != nil {
				err = Failure{"find fragment for '" + name + "'", err}
			}
		}
		if err == nil {
			err = f(name, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loadedSource is what the manager says of a unit's files, in the form in which the directories say it.
func (c *Call) loadedSource(m *manager.Conn, ix *enable.Index, name string) (source, error) {
	s := source{Source: &enable.Source{Name: name}}
	l, err := m.Loaded(name)
	if err != nil {
		return s, Failure{"get LoadState", err}
	}
	switch l.State {
	case "masked":
		s.Masked = true
	case "error":
		s.broken = true
	case "not-found":
	default:
		if l.Fragment != "" {
			s.Name = path.Base(l.Fragment)
		}
		s.Fragment, s.DropIns, s.changed = l.Fragment, ix.Masks(l.DropIns), len(m.Outdated(name)) > 0
	}
	return s, nil
}

// A catWriter writes the files of units, each under its path.
type catWriter struct {
	paper
	ix             *enable.Index
	paint          painter
	shown, missing bool
}

// How the lines of cat are coloured.
const (
	pathColor    = "\x1b[0;1;34m"
	noteColor    = "\x1b[0;1;35m"
	sectionColor = "\x1b[0;1;36m"
	commentColor = "\x1b[0;1;90m\x1b[0;1;38:5:245m"
)

func (w *catWriter) unit(name string, s source) error {
	switch {
	case s.Masked:
		w.WriteString(w.paint.color(noteColor, "# Unit "+s.Name+" is masked") + ".\n")
		return nil
	case s.broken:
		w.WriteString(w.paint.color(noteColor, "# Unit "+name+" could not be loaded.") + "\n")
		return nil
	case s.Fragment == "" && len(s.DropIns) == 0:
		if w.c.Opt.Force == 0 {
			w.log(term.Err, "No files found for "+name+".")
			w.missing = true
		}
		return nil
	}
	if w.shown {
		w.WriteByte('\n')
	}
	w.shown = true
	if s.changed {
		w.outdated(name)
	}
	if s.Fragment != "" {
		if err := w.file(s.Fragment); err != nil {
			return err
		}
	}
	for i, d := range s.DropIns {
		if i > 0 || s.Fragment != "" {
			w.WriteByte('\n')
		}
		if d.Mask {
			w.WriteString(w.paint.color(noteColor, "# "+w.c.shown(d.Path)+" is a mask.") + "\n")
			continue
		}
		if err := w.file(d.Path); err != nil {
			return err
		}
	}
	return nil
}

// outdated says that these are other files than the manager has read.
func (w *catWriter) outdated(name string) {
	red, plain := "", ""
	if w.paint.colors.On() {
		red, plain = term.Red, term.Plain
	}
	w.flush()
	_, _ = w.c.Stderr.WriteString(red + "# Warning: " + name + " changed on disk, the version systemd has loaded is outdated.\n" +
		red + "# This output shows the current version of the unit's original fragment and drop-in files.\n" +
		red + "# If fragments or drop-ins were added or removed, they are not properly reflected in this output.\n" +
		red + "# " + w.c.reloadHint() + plain + "\n")
}

// file writes one file under its path, and under the one that this leads to if it is a link.
func (w *catWriter) file(p string) error {
	data, err := w.ix.ReadFile(p)
	if errors.Is(err, syscall.ENOENT) {
		if w.c.Mode() != ByManager {
			return nil
		}
		return Failure{"chase '" + w.c.shown(p) + "'", err}
	}
	if err != nil {
		return Failure{"cat " + w.c.shown(p), err}
	}
	shown := w.c.shown(p)
	heading := w.paint.file(shown, shown)
	if to := w.c.shown(w.ix.Resolved(p)); w.c.Mode() == ByManager && to != shown {
		heading = shown + " -> " + w.paint.file(to, to)
	}
	w.WriteString(w.paint.color(pathColor, "# "+heading) + "\n")
	if !w.paint.colors.On() {
		w.Write(data)
		if len(data) > 0 && data[len(data)-1] != '\n' {
			w.WriteByte('\n')
		}
		return nil
	}
	continued := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		w.WriteString(w.paint.setting(line, continued) + "\n")
		comment := strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") || strings.HasPrefix(strings.TrimLeft(line, " \t"), ";")
		continued = !comment && strings.HasSuffix(line, "\\") || comment && continued
	}
	return nil
}

// setting colours a line of a unit file; a continued one belongs to the line before.
func (p painter) setting(line string, continued bool) string {
	if t := strings.TrimLeft(line, " \t"); t != "" && (t[0] == '#' || t[0] == ';') {
		return p.color(commentColor, line)
	} else if !continued && t != "" && t[0] == '[' {
		return p.color(sectionColor, line)
	}
	text, ends := strings.CutSuffix(line, "\\")
	if key, value, found := strings.Cut(text, "="); found && !continued {
		text = p.color(term.Green, key+"=") + value
	}
	if ends {
		text += p.color(term.Red, "\\")
	}
	return text
}
