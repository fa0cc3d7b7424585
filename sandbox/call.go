// Package sandbox is the front door for containers: systemd-nspawn(1) under its own name, `ctl spawn` under ours. It
// reads the command line and .nspawn files, decides what the container is to be, has package sandbox/container start it, and sees it through.
package sandbox

import (
	"errors"
	"os"
	"path"
	"slices"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/sandbox/copytree"
)

// A Call is one call of systemd-nspawn.
type Call struct {
	Name  string // as which program we were called
	Args  []string
	Opt   Settings
	table *cli.Table[Call]
	log   term.Log
	env   term.Env

	deaf        bool       // nobody hears what we notify
	temporary   []string   // directories to be removed at the end
	uppers      []string   // directories made for the changes of overlays, which stay
	warned      bool       // of system calls that there are not
	sockets     []*os.File // that we were given for the container
	schemeSaid  bool       // how names of devices are shortened
	interactive bool       // the container's console is the caller's terminal
}

// An Exit ends ctl with that status. What there was to say has been said.
type Exit int

func (e Exit) Error() string { return "exit status" }

// Main is systemd-nspawn called with argv, or `ctl spawn`; it returns the exit status.
func Main(argv []string) int {
	c := &Call{Name: path.Base(argv[0]), env: term.Env{Getenv: os.Getenv, LookUp: os.LookupEnv}}
	c.log = term.Log{Err: os.Stderr, Out: os.Stdout, Env: c.env, Name: c.Name}
	c.log.Open()
	c.Opt = defaults()
	err := c.run(argv[1:])
	for _, dir := range c.temporary {
		_ = copytree.Remove(dir)
	}
	if exit, ok := errors.AsType[Exit](err); ok {
		return int(exit)
	}
	if err != nil {
		c.log.Print(term.Err, sys.Message(err))
		return 1
	}
	return 0
}

func (c *Call) run(args []string) error {
	c.table = &cli.Table[Call]{Program: c.Name, Options: Options[:], Stops: true}
	for {
		operands, err := c.table.Parse(c, args)
		if err != nil {
			return err
		}
		// An old spelling: a user's name as a word of its own.
		if n := len(args) - len(operands); n > 0 && len(operands) > 0 && args[n-1] == "--user" {
			c.say(term.Warning, "--user NAME is deprecated, use --uid=NAME instead.")
			c.Opt.userScope = false
			_ = setUID(c, operands[0])
			args = operands[1:]
			continue
		}
		c.Args = operands
		break
	}
	if len(c.Args) > 0 {
		c.Opt.given |= givenStart
	}
	return c.spawn()
}

// systemdNspawn tells whether we stand in for it, and are to do no more than it does.
func (c *Call) systemdNspawn() bool { return c.Name == "systemd-nspawn" }

func (c *Call) print(text string)                 { _, _ = os.Stdout.WriteString(text) }
func (c *Call) say(level term.Level, text string) { c.log.Print(level, text) }

// names writes a list of words for `--option=help`.
func (c *Call) names(l []string) error {
	for _, s := range l {
		c.print(s + "\n")
	}
	return Exit(0)
}

// one finds a word in a list.
func one(l []string, word string) (int, bool) {
	i := slices.Index(l, word)
	return i, i >= 0
}
