package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/tree"
	"ctl/internal/unit"
)

// A planner decides what a verb changes; the operands are unit names or paths.
type planner func(ix *enable.Index, args []string, f enable.Flags) *enable.Plan

func enableUnits(c *Call) error {
	return c.change("enable", (*enable.Index).Enable, true)
}
func disableUnits(c *Call) error {
	return c.change("disable", (*enable.Index).Disable, true)
}
func reenableUnits(c *Call) error { return c.change("reenable", (*enable.Index).Reenable, true) }
func maskUnits(c *Call) error     { return c.change("mask", (*enable.Index).Mask, false) }
func linkUnits(c *Call) error     { return c.change("link", (*enable.Index).LinkUnits, false) }

func unmaskUnits(c *Call) error {
	return c.change("unmask", func(ix *enable.Index, args []string, f enable.Flags) *enable.Plan {
		return ix.Unmask(args, f, c.Opt.Root == "")
	}, false)
}

func revertUnits(c *Call) error {
	return c.change("revert", func(ix *enable.Index, args []string, _ enable.Flags) *enable.Plan {
		return ix.Revert(args)
	}, false)
}

func presetUnits(c *Call) error {
	if c.presetBypass() {
		return nil
	}
	return c.change("preset", func(ix *enable.Index, args []string, f enable.Flags) *enable.Plan {
		return ix.Preset(args, c.Opt.PresetMode, f)
	}, false)
}

// presetBypass: SYSTEMD_PRESET_BYPASS turns presets off.
func (c *Call) presetBypass() bool {
	b, _ := unit.Boolean(c.Getenv("SYSTEMD_PRESET_BYPASS"))
	return b
}

// change is what the verbs that change unit files have in common: names are
// completed, the plan is made and carried out, and what came of it is said.
// explains: the verb explains itself when the units have nothing to install.
func (c *Call) change(operation string, plan planner, explains bool) error {
	args, err := c.mangle("to "+operation, c.Args, ".service")
	if err != nil {
		return err
	}
	if operation == "disable" {
		c.disableByName(args)
	}
	if operation == "link" {
		if args, err = c.linkPaths(args); err != nil {
			return err
		}
	}
	if c.Mode() == ByManager {
		return c.changeByManager(operation, args, explains)
	}
	p, err := c.carryOut(operation+" units", func(ix *enable.Index) *enable.Plan { return plan(ix, args, c.flags()) })
	if err != nil {
		return err
	}
	if explains && !p.Carries && !c.Opt.Quiet && !c.Opt.NoWarn {
		c.Log(term.Notice, nothingToInstall)
	}
	if operation == "disable" && c.Opt.Scope == enable.User && !c.Opt.Quiet && !c.Opt.NoWarn {
		c.warnGlobal(args)
	}
	return c.now(operation)
}

// warnGlobal tells which units are still enabled for all users.
func (c *Call) warnGlobal(names []string) {
	t, err := tree.Open(c.root())
	if err != nil {
		return
	}
	defer t.Close()
	ix, err := enable.Open(enable.Config{Tree: t, Scope: enable.Global, LookUp: c.env.LookUp})
	if err != nil {
		return
	}
	var on []string
	for _, n := range names {
		s, notes, err := ix.State(n)
		c.notes(notes)
		if err == nil && s == "enabled" {
			on = append(on, n)
		}
	}
	if len(on) > 0 {
		c.Log(term.Notice, "The following unit files have been enabled in global scope. This means\n"+
			"they will still be started automatically after a successful disablement\n"+
			"in user scope:\n"+strings.Join(on, ", "))
	}
}

// nothingToInstall is the reference's explanation, which scripts look for.
const nothingToInstall = `The unit files have no installation config (WantedBy=, RequiredBy=, UpheldBy=,
Also=, or Alias= settings in the [Install] section, and DefaultInstance= for
template units). This means they are not meant to be enabled or disabled using systemctl.
 
Possible reasons for having these kinds of units are:
• A unit may be statically enabled by being symlinked from another unit's
  .wants/, .requires/, or .upholds/ directory.
• A unit's purpose may be to act as a helper for some other unit which has
  a requirement dependency on it.
• A unit may be started when needed via activation (socket, path, timer,
  D-Bus, udev, scripted systemctl call, ...).
• In case of template units, the unit is meant to be enabled with some
  instance name specified.`

// flags are the options that package enable knows.
func (c *Call) flags() enable.Flags {
	return enable.Flags{Runtime: c.Opt.Runtime, Force: c.Opt.Force > 0}
}

// open opens the tree and the index of its unit files.
func (c *Call) open() (*tree.Tree, *enable.Index, error) {
	root := c.root()
	if c.Opt.Scope == enable.User && c.Opt.Root != "" && c.Opt.Root != "/" {
		return nil, nil, syscall.EINVAL // whose home in that tree?
	}
	t, err := tree.Open(root)
	if err != nil {
		return nil, nil, err
	}
	t.ShowAs(strings.TrimSuffix(c.Opt.Root, "/"))
	ix, err := enable.Open(enable.Config{Tree: t, Scope: c.Opt.Scope, LookUp: c.env.LookUp})
	if err != nil {
		t.Close()
		return nil, nil, err
	}
	return t, ix, nil
}

// carryOut makes a plan, carries it out or, in a dry run, prints it, and says
// what came of it. doing is for failures of the whole: "enable units".
func (c *Call) carryOut(doing string, plan func(*enable.Index) *enable.Plan) (*enable.Plan, error) {
	t, ix, err := c.open()
	if err != nil {
		if u, ok := err.(cli.Usage); ok {
			return nil, u
		}
		return nil, cli.Usage(Failure{doing, err}.Error() + ".")
	}
	defer t.Close()
	if !c.Opt.DryRun {
		defer enable.Lock(t)()
	}
	p := plan(ix)
	c.notes(p.Notes)
	if c.Opt.DryRun {
		return p, c.foresee(p, doing)
	}
	return p, c.report(p, ix.Apply(p), doing)
}

func (c *Call) notes(notes []enable.Note) {
	for _, n := range notes {
		c.Log(term.Level(n.Level), n.Text)
	}
}

// now answers --now, which has nothing to start or stop here.
func (c *Call) now(operation string) error {
	if !c.Opt.Now {
		return nil
	}
	switch operation {
	case "enable", "disable", "reenable", "mask":
	default:
		return cli.Usage("--now can only be used with verb enable, disable, reenable, or mask.")
	}
	switch c.Mode() {
	case ArgRoot:
		return cli.Usage("--now cannot be used with --root=.")
	case GlobalScope:
		return cli.Usage("--now cannot be used with --global.")
	}
	what := map[string]string{"enable": "start", "reenable": "try-restart"}[operation]
	if what != "" {
		c.Log(term.Warning, "Cannot "+what+" unit with --now when systemd is not running, ignoring.")
	}
	return nil
}

// mangle completes operands to unit names; what has a slash is a path and made absolute.
func (c *Call) mangle(operation string, args []string, suffix string) ([]string, error) {
	out := make([]string, 0, len(args))
	for _, arg := range args {
		if strings.IndexByte(arg, '/') >= 0 {
			if arg[0] != '/' {
				wd, err := os.Getwd()
				if err != nil {
					return nil, Failure{"determine working directory", err}
				}
				arg = strings.TrimSuffix(wd, "/") + "/" + arg
			}
			out = append(out, arg)
			continue
		}
		name, err := c.mangleName(operation, arg, suffix)
		if err != nil {
			return nil, Failure{"mangle unit name or path '" + arg + "'", err}
		}
		out = append(out, name)
	}
	return out, nil
}

func (c *Call) mangleName(operation, arg, suffix string) (string, error) {
	name, notices, err := unit.Mangle(arg, operation, suffix, false)
	if !c.Opt.Quiet {
		for _, n := range notices {
			c.Log(term.Notice, n)
		}
	}
	return name, err
}

// disableByName drops the directories of paths: disable goes by names.
func (c *Call) disableByName(args []string) {
	for i, arg := range args {
		if strings.IndexByte(arg, '/') >= 0 {
			c.Log(term.Warning, "Warning: Can't execute disable on the unit file path. Proceeding with the unit name.")
			args[i] = filepath.Base(arg)
		}
	}
}

// linkPaths checks the operands of link: paths, in a tree absolute ones.
func (c *Call) linkPaths(mangled []string) ([]string, error) {
	out := make([]string, len(mangled))
	for i, arg := range mangled {
		switch {
		case strings.HasPrefix(arg, "/"):
		case c.Opt.Root != "":
			return nil, cli.Usage("Non-absolute paths are not allowed when --root= is used: " + arg)
		default:
			return nil, cli.Usage("Link argument must contain at least one directory separator.\n" +
				"If you intended to link a file in the current directory, try './" + arg + "' instead.")
		}
		out[i] = arg
	}
	return out, nil
}

func presetAll(c *Call) error {
	if c.presetBypass() {
		return nil
	}
	if c.Mode() == ByManager {
		return c.presetAllByManager()
	}
	_, err := c.carryOut("preset all units", func(ix *enable.Index) *enable.Plan {
		return ix.PresetAll(c.Opt.PresetMode, c.flags())
	})
	return err
}

func addWants(c *Call) error    { return c.addDependency(".wants") }
func addRequires(c *Call) error { return c.addDependency(".requires") }

func (c *Call) addDependency(suffix string) error {
	target, err := c.mangleName("as target", c.Args[0], ".target")
	if err != nil {
		return Failure{"mangle unit name", err}
	}
	args, err := c.mangle("as dependency", c.Args[1:], ".service")
	if err != nil {
		return err
	}
	if c.Mode() == ByManager {
		return c.addByManager(target, suffix, args)
	}
	_, err = c.carryOut("add dependency on units", func(ix *enable.Index) *enable.Plan {
		return ix.AddDependency(target, suffix, args, c.flags())
	})
	return err
}

func setDefault(c *Call) error {
	name, err := c.mangleName("set-default", c.Args[0], ".target")
	if err != nil {
		return Failure{"mangle unit name", err}
	}
	if c.Mode() == ByManager {
		return c.setDefaultByManager(name)
	}
	var (
		now   string
		notes []enable.Note
		then  error
	)
	_, err = c.carryOut("set default units", func(ix *enable.Index) *enable.Plan {
		p := ix.SetDefault(name)
		if p.Err == nil && !c.Opt.Quiet {
			// Something of higher priority may say otherwise, also then.
			now, notes, then = ix.Default()
		}
		return p
	})
	if err == nil {
		c.notes(notes)
	}
	switch {
	case err != nil || c.Opt.Quiet:
		return err
	}
	c.noteKernelDefault()
	switch {
	case then != nil:
		return Failure{"get default target", then}
	case now != name:
		c.Log(term.Notice, "Note: \""+now+"\" is the default unit (possibly a runtime override).")
	}
	return nil
}

func getDefault(c *Call) error {
	if c.Mode() == ByManager {
		return c.defaultByManager()
	}
	c.noteKernelDefault()
	t, ix, err := c.open()
	if err != nil {
		return Failure{"get default target", err}
	}
	defer t.Close()
	name, notes, err := ix.Default()
	c.notes(notes)
	if err != nil {
		return Failure{"get default target", err}
	}
	c.Print(name + "\n")
	return nil
}

// isEnabled prints the state of each unit file. The status is 0 when one of them is
// enabled in some way, 4 when none exists, else 1.
func isEnabled(c *Call) error {
	names, err := c.mangle("to check", c.Args, ".service")
	if err != nil {
		return err
	}
	if c.Mode() == ByManager {
		return c.statesByManager(names)
	}
	t, ix, openErr := c.open()
	if openErr == nil {
		defer t.Close()
	}
	return c.sayStates(names, func(name string) (enable.State, error) {
		if openErr != nil {
			return "", openErr
		}
		s, notes, err := ix.State(name)
		c.notes(notes)
		return s, err
	}, func(name string) ([]string, error) { return c.linksOf(ix, name), nil })
}

// linksOf are the links that disable would remove.
func (c *Call) linksOf(ix *enable.Index, name string) []string {
	links, notes := ix.Links(name, c.flags())
	c.notes(notes)
	for i, l := range links {
		links[i] = c.shown(l)
	}
	return links
}

func isErrno(err error, e syscall.Errno) bool { return errors.Is(err, e) }
