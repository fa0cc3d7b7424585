// Package run is the front door `ctl run`: it reads the command line, has the units loaded, says what of them cannot be had, and has
// package sandbox/lifecycle run them.
package run

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/lifecycle"
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
	names []string // of the units, or paths

	home   *cgroup.Home
	looked bool // for it
	users  bool // we are in a user namespace of our own

	signals *lifecycle.Signals // nil as long as another process may be the one that gets them
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
	runtime.LockOSThread() // the first one, as long as nothing has been waited for: its children come in order, which the guardian of package lifecycle needs
	c := &Call{Name: argv[0], env: term.Env{Getenv: os.Getenv, LookUp: os.LookupEnv}}
	c.log = term.Log{Err: os.Stderr, Out: os.Stdout, Env: c.env, Name: c.Name}
	c.log.Open()
	err := c.run(argv[1:])
	if e, ok := errors.AsType[exit](err); ok {
		return int(e)
	}
	if err != nil {
		c.say(term.Err, sys.Message(err))
		return exitFailure
	}
	return 0
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
	if !c.Opt.show && os.Geteuid() == 0 {
		c.signals = lifecycle.CatchSignals()
	}
	if err := c.open(); err != nil {
		return err
	}
	defer c.tree.Close()
	units, err := c.load()
	if err != nil {
		return err
	}
	if c.Opt.shell {
		if err := c.shell(units); err != nil {
			return err
		}
	}
	if c.Opt.show {
		return c.show(units)
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
	c.index, err = enable.Open(enable.Config{Tree: c.tree, Scope: s, LookUp: c.lookUp})
	return err
}

// lookUp is the environment. The directories of unit files that are named by their paths are searched first, if they are in the
// tree, so that what lies beside the files is found.
func (c *Call) lookUp(name string) (string, bool) {
	v, ok := os.LookupEnv(name)
	if name != "SYSTEMD_UNIT_PATH" || c.Opt.root != "" {
		return v, ok
	}
	dirs := ""
	for _, operand := range c.Units {
		if p, err := filepath.Abs(operand); strings.Contains(operand, "/") && err == nil {
			dirs += path.Dir(p) + ":"
		}
	}
	return dirs + v, ok || dirs != ""
}

// A set are the units that are run.
type set struct {
	services []*service.Service
	sockets  []*service.Socket
	main     []string
}

// load loads what the operands name.
func (c *Call) load() (*set, error) {
	for _, operand := range c.Units {
		name, err := c.unitName(operand)
		if err != nil {
			return nil, err
		}
		c.names = append(c.names, name)
	}
	s := &set{}
	return s, c.addAll(s)
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
			return "", cli.Usage("Failed to mangle unit name: " + sys.Message(err))
		}
		operand = name
	}
	switch t := unit.Type(name); {
	case unit.KindOf(name) == unit.Template:
		return "", c.notStarted(name, "Unit name "+name+" is missing the instance name.", exitFailure)
	case t != "service" && t != "socket":
		return "", cli.Usage(operand + ": only services and sockets can be run.")
	case c.Opt.root == "":
		return name, nil // its directory is searched
	}
	if !strings.Contains(operand, "/") {
		return name, nil
	}
	return filepath.Abs(operand)
}

func (c *Call) notStarted(name, why string, status int) error {
	c.say(term.Err, "Failed to start "+name+": "+why)
	return exit(status)
}

// loading is how units are loaded.
func (c *Call) loading() service.Options {
	return service.Options{User: c.Opt.scope == user, LookUp: os.LookupEnv}
}

// add loads a unit; nil if there is none and there need not be one.
func (c *Call) add(s *set, name string) (*service.Unit, error) {
	var u *service.Unit
	var exec *service.Exec
	k, v, err := (*service.Socket)(nil), (*service.Service)(nil), error(nil)
	if unit.Type(path.Base(name)) == "socket" {
		if k, err = service.LoadSocket(c.index, name, c.loading()); err == nil {
			u, exec = &k.Unit, &k.Exec
		}
	} else {
		if v, err = service.Load(c.index, name, c.loading()); err == nil {
			u, exec = &v.Unit, &v.Exec
		}
	}
	if e, ok := errors.AsType[*service.Error](err); ok {
		if !slices.Contains(c.names, name) && (e.State == "not-found" || e.State == "masked") && !s.required(name) {
			return nil, nil
		}
		c.notices(e.Notices)
		status := exitFailure
		if e.State == "not-found" {
			status = exitNotLoaded
		}
		return nil, c.notStarted(e.Name, e.Error(), status)
	}
	if err != nil {
		return nil, err
	}
	if k != nil {
		s.sockets = append(s.sockets, k)
	} else {
		s.services = append(s.services, v)
	}
	return u, c.judge(u, exec)
}

// required tells whether one of the units cannot be without this one.
func (s *set) required(name string) bool {
	needs := func(u *service.Unit) bool {
		return slices.Contains(slices.Concat(u.Requires, u.BindsTo, u.Requisite), name)
	}
	return slices.ContainsFunc(s.services, func(v *service.Service) bool { return needs(&v.Unit) }) ||
		slices.ContainsFunc(s.sockets, func(k *service.Socket) bool { return needs(&k.Unit) || k.Service == name })
}
