package control

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/term"
)

// machineNames are the names of the containers that registered with systemd-machined(8), and of the virtual machines.
func machineNames() ([]string, error) {
	entries, err := os.ReadDir("/run/systemd/machines")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var l []string
	for _, e := range entries {
		if n := e.Name(); !strings.HasPrefix(n, "unit:") && !strings.HasPrefix(n, ".") {
			l = append(l, n)
		}
	}
	return l, err
}

// eachMachine connects to the manager of each machine, if it can.
func (c *Call) eachMachine(f func(name string, m *manager.Conn, err error) error) error {
	names, err := machineNames()
	if err != nil {
		return Failure{"get machine names", err}
	}
	for _, n := range names {
		m, err := manager.Dial(manager.Target{Transport: "machine", Remote: n, Getenv: c.Getenv})
		if err == nil {
			// Only an answer tells whether somebody is there.
			_, err = m.Property(manager.ManagerPath, manager.ManagerInterface, "Version")
		}
		if err := f(n, m, err); err != nil {
			return err
		}
	}
	return nil
}

// onManagers asks the manager and, with --recursive, those of the machines.
func (c *Call) onManagers(f func(machine string, m *manager.Conn) error) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	if err := f("", m); err != nil || !c.Opt.Recursive {
		return err
	}
	return c.eachMachine(func(name string, m *manager.Conn, err error) error {
		if err != nil {
			c.Log(term.Err, "Failed to connect to container "+name+", ignoring: "+strerror(err))
			return nil
		}
		return f(name, m)
	})
}

// onMachine is the name of a unit, that of its machine before it.
func onMachine(machine, name string) string {
	if machine == "" {
		return name
	}
	return machine + ":" + name
}

// listMachines lists the host and the containers with the states of their managers.
func listMachines(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	l := &listing{what: "machines", head: []string{" ", "NAME", "STATE", "FAILED", "JOBS"}, plain: true}
	host, _ := os.Hostname()
	if c.fitsMachine(host) {
		l.rows = append(l.rows, c.machineRow(host+" (host)", m))
	}
	err = c.eachMachine(func(name string, m *manager.Conn, err error) error {
		if !c.fitsMachine(name) || isErrno(err, syscall.EMEDIUMTYPE) {
			return nil
		}
		if err != nil {
			m = nil
		}
		l.rows = append(l.rows, c.machineRow(name, m))
		return nil
	})
	if err != nil {
		return err
	}
	l.print(c)
	return nil
}

func (c *Call) fitsMachine(name string) bool {
	return len(c.Args) == 0 || c.fits(name)
}

// machineRow is the row of a machine, of which nothing is known without a connection.
func (c *Call) machineRow(name string, m *manager.Conn) []field {
	state, failed, jobs := "n/a", uint32(0), uint32(0)
	if m != nil {
		if reply, err := m.Call(manager.GetAll(manager.ManagerPath, manager.ManagerInterface)); err == nil {
			p := propertiesOf(reply)
			state, failed, jobs = p.text("SystemState"), value[uint32](p, "NFailedUnits"), value[uint32](p, "NJobs")
		}
	}
	glyph, color, failedColor := " ", "", ""
	if state != "running" {
		glyph, color = c.painter().glyph("●"), systemColor(state)
	}
	if failed > 0 {
		failedColor = term.Red
	}
	row := []field{{Cell: term.Cell{Text: glyph, Color: color}},
		{Cell: term.Cell{Text: name}, value: name}, {Cell: term.Cell{Text: state, Color: color}, value: state},
		{Cell: term.Cell{Text: decimal(failed), Color: failedColor}, value: int(failed)}, {Cell: term.Cell{Text: decimal(jobs)}, value: int(jobs)}}
	return row
}
