package control

import (
	"errors"
	"slices"
	"strings"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/image"
)

// Settings are what the options of a command line come to.
type Settings struct {
	Scope     enable.Scope
	Transport string // "", "host", "machine" or "capsule": a manager elsewhere
	Remote    string // which one

	Root        string // absolute; "" for none
	RootGiven   bool   // --root= or --image=, "/" included
	Image       string
	ImagePolicy *image.Policy

	Types, States            []string
	All, Full, Quiet, Plain  bool
	NoWarn, NoReload, Now    bool
	NoPager, Runtime, DryRun bool
	Recursive, WithDeps      bool
	Direction                string // in which list-dependencies goes, the last option of "reverse", "before", "after"
	Before, After            bool   // jobs that list-jobs shows
	ShowTypes                bool   // of sockets
	Force                    int
	PresetMode               enable.PresetMode
	Legend                   Tristate
	JSON                     term.JSONMode
	Output                   string
	DropIn                   string
	Stdin                    bool

	Wait, NoBlock, Marked, ShowTransaction, Verbose bool
	JobMode                                         *string // nil for "replace"

	Signal       string // as it was given, checked
	KillWhom     string
	KillValue    bool
	KillValueIs  int32
	KillSubgroup string

	Properties      []string    // of --property=, nil if it was not given
	EvenEmpty       bool        // --property= was given: what is empty is shown too
	OnlyValue       bool        // --value
	ReadOnly, Mkdir bool        // of what is mounted in a unit
	What            []string    // kinds of resources that clean removes
	Lines           *uint64     // of the journal that status shows, nil if it was not told
	Timestamp       clock.Style // how points in time are written, Pretty unless told otherwise

	NoAskPassword bool

	When            uint64 // when the system is to end, microseconds since 1970; 0: now, Infinity: the login manager decides
	Inhibitors      Tristate
	Message         string // for all users
	NoWall, NoSync  bool
	RebootArgument  string
	Firmware        bool   // the firmware shows its menu at the next boot
	LoaderMenu      uint64 // for how long the boot loader shows its, microseconds
	LoaderMenuGiven bool
	LoaderEntry     string
	KernelCmdline   string // for the kernel that kexec loads, after that of its entry
	ReuseCmdline    bool   // so is the one of now
}

// Tristate is a switch that may not have been touched.
type Tristate int8

const (
	Auto Tristate = iota
	Yes
	No
)

// check is what can be said of the options together, before anything else happens.
func (s *Settings) check(operands []string) error {
	verb := ""
	if len(operands) > 0 {
		verb = operands[0]
	}
	switch {
	case s.Transport == "host" && s.Scope != enable.System:
		return cli.Usage("Cannot access user instance remotely.")
	case s.Transport == "capsule" && s.Scope != enable.User:
		return cli.Usage("Cannot access system instance with --capsule=/-C.")
	case s.Wait && s.NoBlock:
		return cli.Usage("--wait may not be combined with --no-block.")
	case s.Marked && verb != "reload-or-restart":
		return cli.Usage("--marked may only be used with 'reload-or-restart'.")
	case s.Marked && len(operands) > 1:
		return cli.Usage("No additional arguments allowed with 'reload-or-restart --marked'.")
	case verb == "reload-or-restart" && !s.Marked && len(operands) < 2:
		return cli.Usage("List of units to restart/reload is required.")
	case s.Image != "" && s.Root != "":
		return cli.Usage("Please specify either --root= or --image=, the combination of both is not supported.")
	}
	return nil
}

func setHelp(c *Call, _ string) error {
	c.page(c.table.Help(Page(c.called()),
		c.env.Look(c.Stdout, c.Stderr, c.pager() != nil)))
	return Exit(0)
}

// Page is what the help says besides what is in the tables, for a program called by that name.
func Page(name string) cli.Page {
	return cli.Page{Synopsis: name + " [OPTION…] COMMAND …", Abstract: "Query or send control commands to the system manager.", Manual: "systemctl(1)"}
}

func setVersion(c *Call, _ string) error {
	c.Print(versionText)
	return Exit(0)
}

func setSystem(c *Call, _ string) error { c.Opt.Scope = enable.System; return nil }
func setUser(c *Call, _ string) error   { c.Opt.Scope = enable.User; return nil }
func setGlobal(c *Call, _ string) error { c.Opt.Scope = enable.Global; return nil }

func setCapsule(c *Call, v string) error {
	if v == "" || strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return cli.Usage("Invalid capsule name: " + v)
	}
	c.Opt.Transport, c.Opt.Remote, c.Opt.Scope = "capsule", v, enable.User
	return nil
}

func setHost(c *Call, v string) error { c.Opt.Transport, c.Opt.Remote = "host", v; return nil }

func setMachine(c *Call, v string) error {
	_, machine, ok := strings.Cut(v, "@")
	if !ok {
		machine = v
	}
	if machine != ".host" && v != ".host" && !unit.Hostname(strings.TrimSuffix(machine, ":")) && !(ok && machine == "") {
		return cli.Usage("Invalid --machine= specified: " + v)
	}
	c.Opt.Transport, c.Opt.Remote = "machine", v
	return nil
}

// loadStates are the load states that -t takes besides unit types.
var loadStates = [...]string{"stub", "loaded", "not-found", "bad-setting", "error", "merged", "masked"}

func setType(c *Call, v string) error {
	if v == "" {
		c.Opt.Types = nil
		return nil
	}
	for w := range strings.SplitSeq(v, ",") {
		switch {
		case w == "help":
			if c.legend() {
				c.Print("Available unit types:\n")
			}
			c.Print(strings.Join(unit.Types(), "\n") + "\n")
			return Exit(0)
		case slices.Contains(unit.Types(), w):
			c.Opt.Types = append(c.Opt.Types, w)
		case slices.Contains(loadStates[:], w):
			c.Opt.States = append(c.Opt.States, w)
		case w == "":
		default:
			c.Log(term.Err, "Unknown unit type or load state '"+w+"'.")
			c.Log(term.Info, "Use -t help to see a list of allowed values.")
			return Exit(1)
		}
	}
	return nil
}

func setState(c *Call, v string) error {
	if v == "" {
		c.Opt.States = nil
		return nil
	}
	for w := range strings.SplitSeq(v, ",") {
		if w == "help" {
			if c.legend() {
				c.Print(states)
			} else {
				c.Print(withoutHeadings(states))
			}
			return Exit(0)
		}
		if w != "" {
			c.Opt.States = append(c.Opt.States, w)
		}
	}
	return nil
}

// legend tells whether lists have headings and a count.
func (c *Call) legend() bool {
	return c.Opt.Legend == Yes || c.Opt.Legend == Auto && !c.Opt.Quiet
}

// withoutHeadings drops the lines that end in a colon.
func withoutHeadings(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasSuffix(line, ":\n") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func setFailed(c *Call, _ string) error { return setState(c, "failed") }
func setAll(c *Call, _ string) error    { c.Opt.All = true; return nil }
func setFull(c *Call, _ string) error   { c.Opt.Full = true; return nil }
func setPlain(c *Call, _ string) error  { c.Opt.Plain = true; return nil }
func setNow(c *Call, _ string) error    { c.Opt.Now = true; return nil }
func setDryRun(c *Call, _ string) error { c.Opt.DryRun = true; return nil }
func setQuiet(c *Call, _ string) error {
	c.Opt.Quiet = true
	return nil
}
func setNoWarn(c *Call, _ string) error   { c.Opt.NoWarn = true; return nil }
func setNoReload(c *Call, _ string) error { c.Opt.NoReload = true; return nil }
func setNoPager(c *Call, _ string) error  { c.Opt.NoPager = true; return nil }
func setRuntime(c *Call, _ string) error  { c.Opt.Runtime = true; return nil }
func setForce(c *Call, _ string) error    { c.Opt.Force++; return nil }
func setStdin(c *Call, _ string) error    { c.Opt.Stdin = true; return nil }
func setDropIn(c *Call, v string) error   { c.Opt.DropIn = v; return nil }
func setWait(c *Call, _ string) error     { c.Opt.Wait = true; return nil }
func setNoBlock(c *Call, _ string) error  { c.Opt.NoBlock = true; return nil }
func setMarked(c *Call, _ string) error   { c.Opt.Marked = true; return nil }

func setRecursive(c *Call, _ string) error        { c.Opt.Recursive = true; return nil }
func setWithDependencies(c *Call, _ string) error { c.Opt.WithDeps = true; return nil }
func setShowTransaction(c *Call, _ string) error  { c.Opt.ShowTransaction = true; return nil }

func setLegend(c *Call, v string) error {
	b, ok := unit.Boolean(v)
	if !ok {
		return cli.Usage("Failed to parse boolean argument to '--legend': " + v)
	}
	c.Opt.Legend = No
	if b {
		c.Opt.Legend = Yes
	}
	return nil
}

func setNoLegend(c *Call, _ string) error { c.Opt.Legend = No; return nil }

func setPresetMode(c *Call, v string) error {
	switch v {
	case "help":
		c.Print("full\nenable-only\ndisable-only\n")
		return Exit(0)
	case "full":
		c.Opt.PresetMode = enable.Full
	case "enable-only":
		c.Opt.PresetMode = enable.EnableOnly
	case "disable-only":
		c.Opt.PresetMode = enable.DisableOnly
	default:
		return cli.Usage("Failed to parse preset mode: " + v + ".")
	}
	return nil
}

func setRoot(c *Call, v string) error {
	c.Opt.Root, c.Opt.RootGiven = "", v != ""
	if v == "" {
		return nil
	}
	abs, err := tree.Abs(v)
	if err != nil {
		return Failure{"determine working directory", err}
	}
	c.Opt.Root = abs
	return nil
}

func setImage(c *Call, v string) error {
	c.Opt.Image = v
	c.Opt.RootGiven = c.Opt.RootGiven || v != ""
	return nil
}

// outputs are the modes of --output=, in the order of its help.
var outputs = [...]string{"short", "short-full", "short-iso", "short-iso-precise", "short-precise", "short-monotonic",
	"short-delta", "short-unix", "verbose", "export", "json", "json-pretty", "json-sse", "json-seq", "cat", "with-unit"}

func setOutput(c *Call, v string) error {
	if v == "help" {
		c.Print(strings.Join(outputs[:], "\n") + "\n")
		return Exit(0)
	}
	if !slices.Contains(outputs[:], v) {
		return cli.Usage("Unknown output '" + v + "'.")
	}
	c.Opt.Output = v
	switch v {
	case "json":
		c.Opt.JSON = term.JSON
	case "json-pretty":
		c.Opt.JSON = term.JSONPretty
	case "json-sse":
		c.Opt.JSON = term.JSONSSE
	case "json-seq":
		c.Opt.JSON = term.JSONSeq
	default:
		c.Opt.JSON = term.NoJSON
	}
	if c.Opt.JSON != term.NoJSON {
		c.Opt.Legend, c.Opt.Plain = No, true
	}
	return nil
}

// errIntrospect asks for the tables; a row's own function may not refer to them.
var errIntrospect = errors.New("introspect")

func setIntrospectCli(*Call, string) error { return errIntrospect }

// setDot is for a unit such as -.mount given without "--" before it.
func setDot(c *Call, v string) error {
	if v == "" {
		v = "mount"
	}
	c.Log(term.Err, base(c.Name)+": invalid option -- '.'")
	c.Log(term.Notice, "Hint: to specify units starting with a dash, use \"--\":\n"+
		"      "+base(c.Name)+" [OPTIONS…] COMMAND -- -."+v+" …")
	return Exit(1)
}
