package control

import (
	"os"
	"strings"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// showEnvironment prints the manager's environment, as a shell would read it.
func showEnvironment(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	list, err := manager.Read[[]string](m.Call(manager.Get(manager.ManagerPath, manager.ManagerInterface, "Environment")))
	if err != nil {
		return Failure{"get environment", err}
	}
	var object term.Object
	var text strings.Builder
	for _, entry := range list {
		name, value, _ := strings.Cut(entry, "=")
		object = append(object, term.Member{Name: name, Value: value})
		text.WriteString(name + "=" + posixQuoted(value) + "\n")
	}
	if c.Opt.JSON != term.NoJSON {
		c.Print(c.Opt.JSON.Format(object))
		return nil
	}
	c.page(text.String())
	return nil
}

// posixQuoted is a value as a POSIX shell reads it, $'...' where it has to be quoted.
func posixQuoted(s string) string {
	if !needsQuotes(s) {
		return s
	}
	return "$'" + shellEscaped(s, `'`, `\'`) + "'"
}

// needsQuotes tells whether a shell would not read s as one word that means itself.
func needsQuotes(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 127 || strings.ContainsRune("\"\\`$*?['()<>|&;!", r)
	})
}

// shellEscaped puts escapes for backslashes and control characters, and for those in pairs: each with its escape.
func shellEscaped(s string, pairs ...string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || strings.ContainsRune("\\\"'`$", r) }) {
		return s
	}
	return strings.NewReplacer(append(pairs, `\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`,
		"\a", `\a`, "\b", `\b`, "\f", `\f`, "\v", `\v`)...).Replace(s)
}

// setEnvironment sets or removes variables of the manager's environment.
func setEnvironment(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	method := "SetEnvironment"
	if c.Verb == "unset-environment" {
		method = "UnsetEnvironment"
	}
	if _, err := m.Manager(method, c.Args); err != nil {
		return Failure{"set environment", err}
	}
	return nil
}

// importEnvironment gives the manager variables of ours.
func importEnvironment(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	var list []string
	if len(c.Args) == 0 {
		c.Log(term.Warning, "Calling import-environment without a list of variable names is deprecated.")
		for _, entry := range os.Environ() {
			if name, _, ok := strings.Cut(entry, "="); ok && isVariable(name) {
				list = append(list, entry)
			}
		}
	}
	for _, name := range c.Args {
		if !isVariable(name) {
			return cli.Usage("Not a valid environment variable name: " + name)
		}
		value, set := c.env.LookUp(name)
		if !set {
			c.Log(term.Notice, "Environment variable $"+name+" not set, ignoring.")
			continue
		}
		list = append(list, name+"="+value)
	}
	if len(list) == 0 {
		return nil
	}
	if _, err := m.Manager("SetEnvironment", list); err != nil {
		return Failure{"import environment", err}
	}
	return nil
}

// isVariable tells whether name may be a variable's, environ(7).
func isVariable(name string) bool {
	return name != "" && (name[0] < '0' || name[0] > '9') &&
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
