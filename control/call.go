// Package control is the first front door: the verbs of systemctl(1). It decides
// nothing about unit files (package enable does) and knows no D-Bus (package
// control/manager will); it reads the command line, calls those who know, and says what came of it.
package control

import (
	"os"
	"strings"

	"ctl/detect"
	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/image"
)

// A Call is one call of a verb and everything it may look at.
type Call struct {
	Name  string // as which program we were called: "systemctl", "ctl"
	Verb  string // as it was typed
	Args  []string
	Opt   Settings
	Where *detect.Where

	Stdin          *os.File
	Stdout, Stderr *os.File
	Getenv         func(string) string

	table *cli.Table[Call]
	log   term.Log
	env   term.Env
	conns []connection
	image *image.Mounted // of --image=

	privileged bool // the verb changes what only root may change
	asksPolkit bool // its agent was started, or cannot be
	agents     []agent

	compat bool // we are one of the old programs
}

// An Exit ends ctl with that status. What there was to say has been said.
type Exit int

func (e Exit) Error() string { return "exit status" }

// Main is systemctl, called with argv; it returns the exit status.
func Main(argv []string) int {
	c := &Call{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv,
		env:    term.Env{Getenv: os.Getenv, LookUp: os.LookupEnv},
		Where:  detect.New(os.Getenv),
	}
	c.Name = "systemctl"
	if len(argv) > 0 {
		c.Name = argv[0]
	}
	c.log = term.Log{Err: os.Stderr, Out: os.Stdout, Env: c.env, Name: base(c.Name)}
	c.log.Open()
	err := c.run(argv)
	c.stopAgents()
	if err == errIntrospect {
		c.Print(introspect())
		return 0
	}
	return c.status(err)
}

// status says what went wrong, if it has not been said, and returns the exit status.
func (c *Call) status(err error) int {
	switch e := err.(type) {
	case nil:
		return 0
	case Exit:
		return int(e)
	default:
		c.Log(term.Err, e.Error())
		return 1
	}
}

func (c *Call) run(argv []string) error {
	args := argv[min(1, len(argv)):]
	if p := personality(c.called()); p != nil {
		return p.run(c, args)
	}
	c.table = &cli.Table[Call]{Program: base(c.Name), Verbs: Verbs[:], Options: Options[:]}
	operands, err := c.table.Parse(c, args)
	if err == errWhen {
		return c.when()
	}
	if err == nil {
		err = c.Opt.check(operands)
	}
	if err != nil {
		return err
	}
	c.warnProc()
	if c.Opt.Image != "" {
		if err := c.mountImage(); err != nil {
			return err
		}
	}
	return c.dispatch(operands)
}

// called is the last component of the name we were called by. SYSTEMD_INVOKED_AS overrides.
func (c *Call) called() string {
	name := c.Name
	if v := c.Getenv("SYSTEMD_INVOKED_AS"); v != "" {
		name = v
	}
	return base(name)
}

// base is what stands behind the last slash.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// IsSystemctl tells whether we stand in for systemctl and are to answer as it does,
// also where ctl under its own name would do more.
func (c *Call) IsSystemctl() bool { return c.called() != "ctl" }

// Log writes a message to standard error.
func (c *Call) Log(level term.Level, text string) { c.log.Print(level, text) }

// Print writes to standard output.
func (c *Call) Print(text string) { _, _ = c.Stdout.WriteString(text) }

// warnProc says that /proc is missing, unless told not to. Things go on all the same.
func (c *Call) warnProc() {
	if c.Opt.NoWarn || c.Where.ProcMounted() {
		return
	}
	mark := ""
	if c.env.Emoji() {
		mark = "⚠️ "
	}
	c.Log(term.Warning, mark+"/proc/ is not mounted. This is not a supported mode of operation. Please fix\n"+
		"your invocation environment to mount /proc/ and /sys/ properly. Proceeding anyway.\n"+
		"Your mileage may vary.")
}

// A Mode is why unit files are worked on here instead of by the manager.
type Mode int

const (
	ByManager Mode = iota // they are not
	Override              // SYSTEMCTL_INSTALL_CLIENT_SIDE
	ArgRoot               // --root=
	Offline               // a chroot, or SYSTEMD_OFFLINE
	NotBooted
	GlobalScope
)

// Mode decides who works on unit files, and keeps to it.
func (c *Call) Mode() Mode {
	if b, ok := unit.Boolean(c.Getenv("SYSTEMCTL_INSTALL_CLIENT_SIDE")); ok && b {
		return Override
	}
	switch {
	case c.Opt.Root != "":
		return ArgRoot
	case c.Where.ChrootOrOffline():
		return Offline
	case !c.Where.Booted():
		return NotBooted
	case c.Opt.Scope == enable.Global:
		return GlobalScope
	}
	return ByManager
}

// root is the directory that --root= names, as the kernel finds it: under
// fakechroot, which a static binary escapes, it is below the fake root.
func (c *Call) root() string {
	if c.image != nil {
		return c.image.Path()
	}
	if fake := c.Where.FakeRoot(); fake != "" {
		return fake + strings.TrimSuffix(c.Opt.Root, "/")
	}
	return c.Opt.Root
}

// shown is a path of the tree as users see it.
func (c *Call) shown(p string) string {
	return strings.TrimSuffix(c.Opt.Root, "/") + p
}
