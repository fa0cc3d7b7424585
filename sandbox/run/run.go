// Package run is the front door `ctl run`: it reads the command line, has the units loaded, says what of them cannot be had, and has
// package sandbox/lifecycle run them.
package run

import (
	"errors"
	"os"
	"path"
	"strings"
	"syscall"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// A Call is one call of `ctl run`.
type Call struct {
	Name  string
	Units []string
	Opt   settings
	table *cli.Table[Call]
	log   term.Log
	env   term.Env
	tree  *tree.Tree
	index *enable.Index
}

// settings are what options say.
type settings struct {
	quiet, noPager bool
	root           string // "" is /
	scope          scope
	dependencies   bool
	strict         bool
	degraded       bool
	shell, show    bool
	format         term.JSONMode
}

type scope int

const (
	auto scope = iota
	system
	user
)

// exit ends ctl with that status. What there was to say has been said.
type exit int

func (e exit) Error() string { return "exit status" }

// The statuses that systemctl start ends with when it starts nothing.
const (
	exitFailure   = 1
	exitNotLoaded = 5
)

// Main is `ctl run` called with argv; it returns the exit status.
func Main(argv []string) int {
	c := &Call{Name: argv[0], env: term.Env{Getenv: os.Getenv, LookUp: os.LookupEnv}}
	c.log = term.Log{Err: os.Stderr, Out: os.Stdout, Env: c.env, Name: c.Name}
	c.log.Open()
	err := c.run(argv[1:])
	if e, ok := errors.AsType[exit](err); ok {
		return int(e)
	}
	if err != nil {
		c.say(term.Err, message(err))
		return exitFailure
	}
	return 0
}

// message is what an error says, with errnos in the C library's words.
func message(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		if head, ok := strings.CutSuffix(text, e.Error()); ok {
			return head + sys.Strerror(e)
		}
	}
	return text
}

func (c *Call) print(text string)                 { _, _ = os.Stdout.WriteString(text) }
func (c *Call) say(level term.Level, text string) { c.log.Print(level, text) }

func (c *Call) run(args []string) (err error) {
	c.table = &cli.Table[Call]{Program: c.Name, Options: Options[:]}
	if c.Units, err = c.table.Parse(c, args); err != nil {
		return err
	}
	if len(c.Units) == 0 {
		return cli.Usage("Too few arguments.")
	}
	if c.Opt.scope == auto {
		c.Opt.scope = system
		if os.Geteuid() != 0 {
			c.Opt.scope = user
		}
	}
	if err := c.open(); err != nil {
		return err
	}
	defer c.tree.Close()
	units, err := c.load()
	if err != nil {
		return err
	}
	return c.start(units)
}

// open opens the tree and the index of its units.
func (c *Call) open() (err error) {
	root, s := "/", enable.System
	if c.Opt.root != "" {
		root = c.Opt.root
	}
	if c.Opt.scope == user {
		if c.Opt.root != "" {
			return cli.Usage("--user and --root= may not be combined.")
		}
		s = enable.User
	}
	if c.tree, err = tree.Open(root); err != nil {
		return err
	}
	c.index, err = enable.Open(enable.Config{Tree: c.tree, Scope: s, LookUp: os.LookupEnv})
	return err
}

// A set are the units that are run.
type set struct {
	services []*service.Service
	sockets  []*service.Socket
	main     []string
}

// load loads what the operands name.
func (c *Call) load() (*set, error) {
	s := &set{}
	for _, operand := range c.Units {
		name, err := c.unitName(operand)
		if err != nil {
			return nil, err
		}
		if err := c.add(s, name); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// unitName is the name that an operand means, or the path of a unit file.
func (c *Call) unitName(operand string) (string, error) {
	name := path.Base(operand)
	if !strings.Contains(operand, "/") {
		var notices []string
		var err error
		name, notices, err = unit.Mangle(operand, "", ".service", false)
		for _, n := range notices {
			c.say(term.Notice, n)
		}
		if err != nil {
			return "", cli.Usage("Failed to mangle unit name: " + message(err))
		}
		operand = name
	}
	switch t := unit.Type(name); {
	case unit.KindOf(name) == unit.Template:
		return "", c.notStarted(name, "Unit name "+name+" is missing the instance name.", exitFailure)
	case t != "service" && t != "socket":
		return "", cli.Usage(operand + ": only services and sockets can be run.")
	}
	return operand, nil
}

func (c *Call) notStarted(name, why string, status int) error {
	c.say(term.Err, "Failed to start "+name+": "+why)
	return exit(status)
}

// loading is how units are loaded.
func (c *Call) loading() service.Options {
	return service.Options{User: c.Opt.scope == user, LookUp: os.LookupEnv}
}

// add loads a unit.
func (c *Call) add(s *set, name string) error {
	o := c.loading()
	var u *service.Unit
	var err error
	if unit.Type(path.Base(name)) == "socket" {
		var k *service.Socket
		if k, err = service.LoadSocket(c.index, name, o); err == nil {
			s.sockets, u = append(s.sockets, k), &k.Unit
		}
	} else {
		var v *service.Service
		if v, err = service.Load(c.index, name, o); err == nil {
			s.services, u = append(s.services, v), &v.Unit
		}
	}
	if e, ok := errors.AsType[*service.Error](err); ok {
		c.notices(e.Name, e.Notices)
		status := exitFailure
		if e.State == "not-found" {
			status = exitNotLoaded
		}
		return c.notStarted(e.Name, e.Error(), status)
	}
	if err != nil {
		return err
	}
	s.main = append(s.main, u.Name)
	c.notices(u.Name, u.Notices)
	return c.judge(u)
}

// notices says what there is to say of a unit's files, a line each.
func (c *Call) notices(name string, l []service.Notice) {
	for _, n := range l {
		level := term.Warning
		if n.Weight >= service.Unsafe {
			level = term.Err
		}
		text := n.String()
		if n.File == "" {
			text = name + ": " + text
		}
		if !c.Opt.quiet || level == term.Err {
			c.say(level, text)
		}
	}
}

// judge refuses what may not be started as it is.
func (c *Call) judge(u *service.Unit) error {
	for _, n := range u.Notices {
		switch {
		case n.Weight == service.Unsafe && !c.Opt.degraded:
			return c.notStarted(u.Name, n.Setting+"= cannot be enforced here. Use --allow-degraded to start without it.", exitFailure)
		case c.Opt.strict:
			return c.notStarted(u.Name, "Not everything that it asks for can be had, and --strict is given.", exitFailure)
		}
	}
	return nil
}
