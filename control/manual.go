package control

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// helpUnits shows the manual pages of units, and what other documentation they name.
func helpUnits(c *Call) error {
	if len(c.Args) == 0 {
		return cli.Usage("'help' command expects one or more unit names.\n" +
			"(Alternatively, help for systemctl itself may be shown with --help)")
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	names, err := c.unitsOrPIDs(m)
	if err != nil {
		return err
	}
	w := manualWriter{c: c, tty: term.IsTerminal(c.Stdout)}
	defer w.flush()
	calls := make([]manager.Call, len(names))
	for i, n := range names {
		calls[i] = manager.GetAll(manager.UnitPath(n), "")
	}
	return m.Each(calls, func(i int, reply []any, err error) error {
		if err != nil {
			return Failure{"get properties", err}
		}
		p := propertiesOf(reply)
		if p.missing() {
			return cli.Usage("Unit " + p.text("Id") + " could not be found.")
		}
		if i > 0 {
			w.say("\n")
		}
		w.unit(p)
		return nil
	})
}

// unitsOrPIDs are the units that the operands name, those of processes first.
func (c *Call) unitsOrPIDs(m *manager.Conn) ([]string, error) {
	var units []string
	pids, names := c.numbers()
	for _, pid := range pids {
		unit, err := c.unitOf(m, pid)
		if err != nil {
			return nil, err
		}
		units = append(units, unit)
	}
	if len(names) == 0 {
		return units, nil
	}
	named, _, err := c.expandNames(m, names, "")
	return append(units, named...), err
}

// A manualWriter shows documentation. Off a terminal what is not a page comes as late as from a C program's buffer.
type manualWriter struct {
	c   *Call
	tty bool
	b   strings.Builder
}

func (w *manualWriter) say(text string) {
	w.b.WriteString(text)
	if w.tty {
		w.flush()
	}
}

func (w *manualWriter) flush() {
	w.c.Print(w.b.String())
	w.b.Reset()
}

func (w *manualWriter) unit(p unitProperties) {
	docs := p.list("Documentation")
	if len(docs) == 0 {
		w.c.Log(term.Info, "Documentation for "+p.text("Id")+" not known.")
	}
	for i, d := range docs {
		page, isPage := strings.CutPrefix(d, "man:")
		if !isPage {
			w.say("Additional documentation: " + d + "\n")
			continue
		}
		w.page(page)
		if i+1 < len(docs) {
			w.say("\n")
			w.flush()
		}
	}
}

// page runs man(1) for a page such as "sleep(1)".
func (w *manualWriter) page(page string) {
	args := []string{page}
	if name, section, ok := strings.Cut(strings.TrimSuffix(page, ")"), "("); ok {
		args = []string{section, name}
	}
	cmd := exec.Command("man", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, w.c.Stdout, w.c.Stderr
	err := cmd.Run()
	status := cmd.ProcessState.ExitCode()
	if cmd.ProcessState == nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = syscall.ENOENT
		}
		w.c.Log(term.Err, Failure{"execute man", err}.Error())
		status = 1
	}
	if status != 0 {
		w.c.Log(term.Err, "'(man)' failed with exit status "+strconv.Itoa(status)+".")
	}
}
