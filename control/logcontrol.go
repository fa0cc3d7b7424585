package control

import (
	"strconv"

	"ctl/control/manager"
	"ctl/internal/cli"
)

// logLevels are the names of syslog(3)'s levels, from 0 on.
var logLevels = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// managerLog shows or sets how much the manager logs, or where.
func managerLog(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	property, what := "LogLevel", "level"
	if c.Verb == "log-target" {
		property, what = "LogTarget", "target"
	}
	if len(c.Args) == 0 {
		p, err := m.Property(manager.LogControlPath, manager.LogControlInterface, property)
		if err != nil {
			return Failure{"get log " + what + " of org.freedesktop.systemd1", err}
		}
		c.Print(p.Text() + "\n")
		return nil
	}
	value := c.Args[0]
	if property == "LogLevel" {
		level, ok := logLevel(value)
		if !ok {
			return cli.Usage("\"" + value + "\" is not a valid log level.")
		}
		value = level
	}
	if _, err := m.Call(manager.Set(manager.LogControlPath, manager.LogControlInterface, property, value)); err != nil {
		return Failure{"set log " + what + " of org.freedesktop.systemd1 to " + c.Args[0], err}
	}
	return nil
}

// logLevel is the name of a level given by name or number.
func logLevel(s string) (string, bool) {
	for i, name := range logLevels {
		if s == name || s == strconv.Itoa(i) {
			return name, true
		}
	}
	return "", false
}
