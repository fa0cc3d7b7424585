package control

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"ctl/enable"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// listUnitFiles prints the unit files, their states and what the presets say of them.
// The status is 1 when there are none.
func listUnitFiles(c *Call) error {
	t, ix, err := c.open()
	if err != nil {
		return Failure{"get unit file list", err}
	}
	defer t.Close()
	find := c.findUnitFiles
	if c.Mode() == ByManager {
		find = c.askForUnitFiles
	}
	files, err := find(ix)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f enable.UnitFile) bool {
		return len(c.Opt.States) > 0 && !slices.Contains(c.Opt.States, string(f.State)) ||
			len(c.Opt.Types) > 0 && !slices.Contains(c.Opt.Types, unit.Type(f.Name))
	})
	slices.SortFunc(files, func(a, b enable.UnitFile) int { return byTypeAndName(a.Name, b.Name) })
	c.notes(ix.QueryPresets(files))
	c.printUnitFiles(files)
	if len(files) == 0 {
		return Exit(1)
	}
	return nil
}

// findUnitFiles lists the unit files in the directories.
func (c *Call) findUnitFiles(ix *enable.Index) ([]enable.UnitFile, error) {
	files, notes, err := ix.UnitFiles(func(name string) bool {
		return len(c.Args) == 0 || c.fits(name)
	})
	c.notes(notes)
	if err != nil {
		return nil, Failure{"get unit file list", err}
	}
	return files, nil
}

// fits tells whether one of the operands, which are patterns, fits a name.
func (c *Call) fits(name string) bool {
	return slices.ContainsFunc(c.Args, func(p string) bool { return unit.Fnmatch(p, name) })
}

// askForUnitFiles has the manager list the unit files.
func (c *Call) askForUnitFiles(*enable.Index) ([]enable.UnitFile, error) {
	m, err := c.manager()
	if err != nil {
		return nil, err
	}
	patterns := c.Args
	if c.Opt.WithDeps {
		patterns = c.withDependencies(m, patterns)
	}
	l, err := m.Files(c.Opt.States, patterns)
	if err != nil {
		return nil, Failure{"list unit files", err}
	}
	files := make([]enable.UnitFile, len(l))
	for i, f := range l {
		files[i] = enable.UnitFile{Name: path.Base(f.Path), Path: f.Path, State: enable.State(f.State)}
	}
	return files, nil
}

// byTypeAndName compares by the suffix and then by the name, letters of either case alike.
func byTypeAndName(a, b string) int {
	if d := strings.Compare(unit.Type(a), unit.Type(b)); d != 0 {
		return d
	}
	return compareFold(a, b)
}

// compareFold is strcasecmp(3).
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func (c *Call) printUnitFiles(files []enable.UnitFile) {
	var out string
	show := c.page
	if c.Opt.JSON != term.NoJSON {
		out, show = c.Opt.JSON.Colored(unitFileObjects(files), c.colors()), c.Print
	} else {
		out = c.unitFileTable(files).String()
	}
	if c.legend() {
		out += "\n" + strconv.Itoa(len(files)) + " unit files listed.\n"
	}
	show(out)
}

func unitFileObjects(files []enable.UnitFile) []term.Value {
	rows := make([]term.Value, 0, len(files))
	for _, f := range files {
		var preset term.Value
		if f.Preset != "" {
			preset = f.Preset
		}
		rows = append(rows, term.Object{
			{Name: "unit_file", Value: f.Name},
			{Name: "state", Value: string(f.State)},
			{Name: "preset", Value: preset},
		})
	}
	return rows
}

// newTable is an empty table that fits where standard output goes to.
func (c *Call) newTable() *term.Table {
	return &term.Table{Colors: c.colors(), ASCII: !c.env.UTF8(), Width: c.width()}
}

func (c *Call) unitFileTable(files []enable.UnitFile) *term.Table {
	t := c.newTable()
	t.Joined = true
	if c.legend() {
		t.Head = []string{"UNIT FILE", "STATE", "PRESET"}
	}
	for i, f := range files {
		preset := term.Cell{Text: f.Preset, Color: presetColor(f.Preset)}
		if f.Preset == "" {
			preset = term.Cell{Text: "-", Color: term.Grey}
		}
		t.Rows = append(t.Rows, []term.Cell{
			{Text: f.Name}, {Text: string(f.State), Color: stateColor(f.State)}, preset,
		})
		t.Last = append(t.Last, i+1 < len(files) && unit.Type(files[i+1].Name) != unit.Type(f.Name))
	}
	return t
}

func stateColor(s enable.State) string {
	switch s {
	case "enabled", "alias":
		return term.Green
	case "masked", "masked-runtime", "disabled", "bad":
		return term.Red
	}
	return ""
}

func presetColor(p string) string {
	switch p {
	case "enabled":
		return term.Green
	case "disabled":
		return term.Red
	case "ignored":
		return term.Yellow
	}
	return ""
}
