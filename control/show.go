package control

import (
	"bytes"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
)

// show prints properties of the manager, of jobs and of units.
func show(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	text.Grow(2 * enough)
	flush := func() {
		_, _ = c.Stdout.Write(text.Bytes())
		text.Reset()
	}
	shown, later := []term.Value{}, false
	w := propertyWriter{opt: &c.Opt, b: &text}
	write := func(objects []object) error {
		calls := make([]manager.Call, len(objects))
		for i, o := range objects {
			calls[i] = manager.GetAll(o.path, o.iface)
		}
		return m.Each(calls, func(_ int, reply []any, err error) error {
			var l []manager.Property
			if err == nil {
				l, err = manager.Properties(reply)
			}
			if err != nil {
				return Failure{"get properties", err}
			}
			if c.moreJSON() {
				shown = append(shown, w.object(l))
				return nil
			}
			if later {
				text.WriteByte('\n')
			}
			later = true
			for _, p := range l {
				w.property(p)
			}
			m.Reuse(l)
			if text.Len() > enough && c.pager() == nil {
				flush()
			}
			return nil
		})
	}
	// The jobs come first, whatever is wrong with the names of units.
	ids, operands := c.numbers()
	var jobs []object
	for _, id := range ids {
		jobs = append(jobs, object{path: manager.JobPath(id)})
	}
	if err = write(jobs); err == nil && (len(operands) > 0 || len(ids) == 0) {
		var objects []object
		if objects, err = c.objects(m, operands); err == nil {
			err = write(objects)
		}
	}
	switch {
	case c.moreJSON() && err == nil:
		c.Print(c.Opt.JSON.Format(shown))
	case text.Len() > 0 && c.pager() == nil:
		flush()
	case text.Len() > 0:
		c.page(text.String())
	}
	return err
}

// enough is how much text is printed before there is all of it, so that the memory is used again.
const enough = 32 << 10

// An object is one whose properties are shown; with iface "" those of all its interfaces.
type object struct {
	path  manager.ObjectPath
	iface string
}

// objects are the units that the operands name. Without operands it is the manager, or the units that --type= and --state= choose.
func (c *Call) objects(m *manager.Conn, operands []string) ([]object, error) {
	switch {
	case len(c.Args) == 0 && !c.chosen():
		return []object{{manager.ManagerPath, manager.ManagerInterface}}, nil
	case len(c.Args) == 0:
		operands = []string{"*"}
	}
	var l []object
	names, globs, err := c.mangleNames(operands, "")
	if err == nil && c.Opt.WithDeps {
		globs = nil
		names, _, err = c.expandNames(m, operands, "")
		names = c.withDependencies(m, names)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		l = append(l, object{path: manager.UnitPath(n)})
	}
	if len(globs) == 0 {
		return l, nil
	}
	units, err := c.listed(m, globs)
	if err != nil {
		return nil, err
	}
	if len(c.Args) == 0 {
		sortUnits(units)
	}
	for _, u := range units {
		l = append(l, object{path: u.Path})
	}
	return l, nil
}

// A propertyWriter writes properties as the options want them.
type propertyWriter struct {
	opt *Settings
	b   *bytes.Buffer
}

// property writes one property if it is among those wanted: a line, one for each entry of a list that has
// a line for each, or none if it is empty and nobody asked.
func (w propertyWriter) property(p manager.Property) {
	wanted, only := w.wanted(p.Name)
	if !wanted {
		return
	}
	var room [1]string
	lines, kind := textOf(p, w.opt.Timestamp, &room)
	switch kind {
	case unprintable:
		if w.opt.All || w.opt.EvenEmpty {
			w.b.WriteString(p.Name + "=[unprintable]\n")
		}
		return
	case several:
		for _, l := range lines {
			w.line(p.Name, l, only)
		}
		return
	case unset:
		// What is not set is no empty value, and yet left out like one.
		if !w.opt.All && !w.opt.EvenEmpty {
			return
		}
	}
	w.line(p.Name, lines[0], only)
}

// wanted tells whether --property= names a property, and the value that it has to have.
func (w propertyWriter) wanted(name string) (wanted bool, only string) {
	if w.opt.Properties == nil {
		return true, ""
	}
	for _, p := range w.opt.Properties {
		key, value, filter := strings.Cut(p, "=")
		if key == name {
			if filter {
				return true, "=" + value
			}
			return true, ""
		}
	}
	return false, ""
}

func (w propertyWriter) line(name, value, only string) {
	if only != "" && only != "="+value {
		return
	}
	if value == "" && !w.opt.All && !w.opt.EvenEmpty {
		return
	}
	if !w.opt.OnlyValue {
		w.b.WriteString(name)
		w.b.WriteByte('=')
	}
	w.b.WriteString(value)
	w.b.WriteByte('\n')
}

func setProperty(c *Call, v string) error {
	c.Opt.EvenEmpty = true
	if v == "" && c.Opt.Properties == nil {
		c.Opt.Properties = []string{} // none at all
	}
	for p := range strings.SplitSeq(v, ",") {
		if p != "" {
			c.Opt.Properties = append(c.Opt.Properties, p)
		}
	}
	return nil
}

func setOnlyValue(c *Call, _ string) error { c.Opt.OnlyValue = true; return nil }

func setValueOf(c *Call, v string) error {
	c.Opt.OnlyValue = true
	return setProperty(c, v)
}
