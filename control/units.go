package control

import (
	"slices"
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// listUnits lists the units that are loaded.
func listUnits(c *Call) error {
	patterns := c.Args
	var units []manager.Unit
	err := c.onManagers(func(machine string, m *manager.Conn) error {
		if machine == "" && c.Opt.WithDeps && len(patterns) > 0 {
			patterns = c.withDependencies(m, patterns)
		}
		l, err := c.listed(m, patterns)
		for i := range l {
			l[i].Machine = machine
		}
		if units == nil {
			units = l // there may be thousands
		} else {
			units = append(units, l...)
		}
		return err
	})
	if err != nil {
		return err
	}
	sortUnits(units)
	c.printUnits(units)
	return nil
}

// lists tells whether a unit belongs into the list.
func (c *Call) lists(u manager.Unit) bool {
	switch {
	case len(c.Opt.Types) > 0 && !slices.Contains(c.Opt.Types, unit.Type(u.ID)):
		return false
	case c.Opt.All || len(c.Opt.States) > 0:
		return true
	case u.JobID > 0:
		return true
	}
	return u.ActiveState != "inactive" && u.Following == ""
}

func (c *Call) printUnits(units []manager.Unit) {
	jobs := slices.ContainsFunc(units, func(u manager.Unit) bool { return u.JobID != 0 })
	if c.Opt.JSON != term.NoJSON {
		c.Print(c.Opt.JSON.Colored(unitObjects(units, jobs), c.colors()))
		return
	}
	legend := c.legend()
	t := c.newTable()
	head := []string{"UNIT", "LOAD", "ACTIVE", "SUB"}
	if jobs {
		head = append(head, "JOB")
	}
	head = append(head, "DESCRIPTION")
	if !c.Opt.Plain {
		head = append([]string{" "}, head...)
	}
	if legend {
		t.Head = head
	}
	t.Rows, t.Last = make([][]term.Cell, 0, len(units)), make([]bool, 0, len(units))
	cells := make([]term.Cell, 0, len(units)*(len(head)+1))
	for i, u := range units {
		colors := unitColors(u)
		row := cells[len(cells):]
		if !c.Opt.Plain {
			row = append(row, term.Cell{Text: mark(u, c.env.UTF8()), Color: colors.mark})
		}
		row = append(row, term.Cell{Text: onMachine(u.Machine, u.ID), Color: colors.active}, term.Cell{Text: u.LoadState, Color: colors.load},
			term.Cell{Text: u.ActiveState, Color: colors.active}, term.Cell{Text: u.Sub, Color: colors.sub})
		if jobs {
			row = append(row, term.Cell{Text: u.JobType})
		}
		row = append(row, term.Cell{Text: u.Description})
		cells = cells[:len(cells)+len(row)]
		t.Rows = append(t.Rows, row[:len(row):len(row)])
		t.Last = append(t.Last, i+1 < len(units) && unit.Type(units[i+1].ID) != unit.Type(u.ID))
	}
	if legend {
		t.Foot = c.unitLegend(len(units), jobs, t.Colors)
	}
	c.page(t.String())
}

// mark is the dot before units that need attention.
func mark(u manager.Unit, utf8 bool) string {
	switch {
	case slices.Contains([]string{"error", "not-found", "bad-setting", "masked"}, u.LoadState), u.ActiveState == "failed", changing(u):
		if utf8 {
			return "●"
		}
		return "*"
	}
	return " "
}

// changing tells whether a unit is on its way to another state.
func changing(u manager.Unit) bool {
	switch u.ActiveState {
	case "activating", "deactivating", "reloading", "refreshing", "maintenance":
		return true
	}
	return false
}

func unitObjects(units []manager.Unit, jobs bool) []term.Value {
	rows := make([]term.Value, 0, len(units))
	for _, u := range units {
		o := term.Object{{Name: "unit", Value: onMachine(u.Machine, u.ID)}, {Name: "load", Value: u.LoadState},
			{Name: "active", Value: u.ActiveState}, {Name: "sub", Value: u.Sub}}
		if jobs {
			o = append(o, term.Member{Name: "job", Value: u.JobType})
		}
		rows = append(rows, append(o, term.Member{Name: "description", Value: u.Description}))
	}
	return rows
}

// A unitColor is how the parts of a unit's line are coloured.
type unitColor struct{ mark, load, active, sub string }

func unitColors(u manager.Unit) unitColor {
	var c unitColor
	switch {
	case u.ActiveState == "failed":
		c = unitColor{term.Red, "", term.Red, term.Red}
	case u.ActiveState == "inactive":
		c = unitColor{"", "", term.Grey, term.Grey}
	case changing(u):
		c = unitColor{term.Bold, "", term.Bold, term.Bold}
	case u.Sub == "exited", u.Sub == "dead":
		c.sub = term.Grey
	}
	switch u.LoadState {
	case "not-found":
		c.mark, c.load = term.Yellow, term.Yellow
	case "error", "bad-setting", "masked":
		c.load = term.Red
		if u.ActiveState == "inactive" {
			c.mark = term.Yellow
		}
	}
	return c
}

// unitLegend explains the columns, counts the units and says where the others are.
func (c *Call) unitLegend(n int, jobs bool, colors term.Colors) string {
	var b strings.Builder
	line := func(color, text string) {
		b.WriteString(colors.Paint(color, text) + "\n")
	}
	b.WriteString("\n")
	to := c.painter().glyph("→")
	if n > 0 {
		line(term.Grey, "Legend: LOAD   "+to+" Reflects whether the unit definition was properly loaded.")
		line(term.Grey, "        ACTIVE "+to+" The high-level unit activation state, i.e. generalization of SUB.")
		line(term.Grey, "        SUB    "+to+" The low-level unit activation state, values depend on unit type.")
		if jobs {
			line(term.Grey, "        JOB    "+to+" Pending job for the unit.")
		}
		b.WriteString("\n")
	}
	count := strconv.Itoa(n) + " loaded units listed."
	color := term.Bold
	if n == 0 {
		color = term.Red
	}
	const others = "To show all installed unit files use 'systemctl list-unit-files'."
	switch {
	case c.Opt.All || slices.Contains(c.Opt.States, "inactive"):
		line(color, count)
		line(term.Grey, others)
	case len(c.Opt.States) == 0:
		b.WriteString(colors.Paint(color, count) + " ")
		line(term.Grey, "Pass --all to see loaded but inactive units, too.")
		line(term.Grey, others)
	default:
		line("", count)
	}
	return b.String()
}
