package control

import (
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// managerLog shows or sets how much the manager logs, or where.
func managerLog(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	return c.logControl(m, manager.Service, strings.TrimPrefix(c.Verb, "log-"), c.Args)
}

// serviceLog shows or sets the same of a service that answers to it on the bus.
func serviceLog(c *Call) error {
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	name, notices, err := unit.Mangle(c.Args[0], c.Verb, ".service", false)
	for _, n := range notices {
		c.Log(term.Notice, n)
	}
	if err != nil {
		return Failure{"mangle unit name", err}
	}
	bus, err := manager.Read[string](m.Call(manager.Get(manager.UnitPath(name), manager.TypeInterface("x.service"), "BusName")))
	if err != nil {
		return Failure{"obtain BusName= property of " + name, err}
	}
	const page = "org.freedesktop.LogControl1(5)"
	if bus == "" {
		c.Log(term.Err, "Unit "+name+" doesn't declare BusName=.")
		c.Log(term.Notice, "Hint: the service must declare BusName= and implement the appropriate D-Bus interface.\n"+
			"      See the "+c.painter().link("man:"+page, page+" man page")+" for details.")
		return Exit(1)
	}
	return c.logControl(m, bus, strings.TrimPrefix(c.Verb, "service-log-"), c.Args[1:])
}

// logControl shows or sets the level or the target of who has a name on the bus.
func (c *Call) logControl(m *manager.Conn, bus, what string, operands []string) error {
	property := "LogLevel"
	if what == "target" {
		property = "LogTarget"
	}
	if len(operands) == 0 {
		call := manager.Get(manager.LogControlPath, manager.LogControlInterface, property)
		call.Destination = bus
		value, err := manager.Read[string](m.Call(call))
		if err != nil {
			return Failure{"get log " + what + " of " + bus, err}
		}
		c.Print(value + "\n")
		return nil
	}
	value := operands[0]
	if property == "LogLevel" {
		level, ok := logLevel(value)
		if !ok {
			return cli.Usage("\"" + value + "\" is not a valid log level.")
		}
		value = level
	}
	call := manager.Set(manager.LogControlPath, manager.LogControlInterface, property, value)
	call.Destination = bus
	if _, err := m.Call(call); err != nil {
		return Failure{"set log " + what + " of " + bus + " to " + operands[0], err}
	}
	return nil
}

// logLevel is the name of a level given by name or number.
func logLevel(s string) (string, bool) {
	for i, name := range unit.LogLevels {
		if s == name || s == strconv.Itoa(i) {
			return name, true
		}
	}
	return "", false
}
