package control

import (
	"slices"

	"ctl/control/manager"
	"ctl/internal/term"
)

// listJobs lists the jobs that wait or run, with --after and --before those that wait for each other.
func listJobs(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	jobs, err := m.Jobs("ListJobs")
	if err != nil {
		return Failure{"list jobs", err}
	}
	all := len(jobs)
	if len(c.Args) > 0 {
		jobs = slices.DeleteFunc(jobs, func(j manager.Job) bool { return !c.fits(j.Unit) })
	}
	legend := c.legend()
	if len(jobs) == 0 {
		if legend {
			c.page(noJobs(c, all))
		}
		return nil
	}
	t := c.newTable()
	if legend {
		t.Head = []string{"JOB", "UNIT", "TYPE", "STATE"}
	}
	for _, j := range jobs {
		color := ""
		if j.State == "running" {
			color = term.Bold
		}
		t.Rows = append(t.Rows, []term.Cell{{Text: decimal(j.ID)}, {Text: j.Unit, Color: color}, {Text: j.Type}, {Text: j.State, Color: color}})
		others, err := c.otherJobs(m, j.ID)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, others...)
	}
	out := t.String()
	if legend {
		out += "\n" + t.Colors.Paint(term.Bold, decimal64(uint64(len(jobs)))+" jobs listed") + ".\n"
	}
	c.page(out)
	return nil
}

// noJobs says that there are no jobs, or none to be listed.
func noJobs(c *Call, all int) string {
	what := "No jobs running."
	if all > 0 {
		what = "No jobs listed."
	}
	return c.colors().Paint(term.Green, what) + "\n"
}

// otherJobs are the rows of the jobs that wait for a job, and of those that it waits for, as far as the options ask.
func (c *Call) otherJobs(m *manager.Conn, id uint32) ([][]term.Cell, error) {
	var rows [][]term.Cell
	for _, o := range [...]struct {
		wanted       bool
		method, text string
	}{{c.Opt.After, "GetJobAfter", "\tblocking job "}, {c.Opt.Before, "GetJobBefore", "\twaiting for job "}} {
		if !o.wanted {
			continue
		}
		jobs, err := m.Jobs(o.method, id)
		if err != nil {
			return nil, Failure{"get jobs", err}
		}
		for _, j := range jobs {
			none := term.Cell{Text: "-", Color: term.Grey}
			rows = append(rows, []term.Cell{{Text: c.painter().branch(true)}, {Text: o.text + decimal(j.ID) + " (" + j.Unit + "/" + j.Type + ")"}, none, none})
		}
	}
	return rows, nil
}
