package control

import (
	"strconv"
	"strings"
	"time"

	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A person is what systemctl is under one of the old names: halt, poweroff, reboot, shutdown.
type person struct {
	name, operands, abstract, instead string
	options                           []cli.Option[compatCall]
	maxArgs                           int
}

// compatCall is a call under an old name.
type compatCall struct {
	*Call
	self  *person
	table *cli.Table[compatCall]

	action string // the verb, if it is another than the name
	dry    bool   // only write a record, of which there are none any more, or send warnings
	force  bool   // do not ask the login manager
	cancel bool
	show   bool
}

var haltOptions = [...]cli.Option[compatCall]{
	{Long: "help", Help: "Show this help", Set: compatHelp},
	{Long: "halt", Help: "Halt the machine", Set: compatHalt},
	{Long: "poweroff", Short: "p", Help: "Switch off the machine", Set: compatSwitchOff},
	{Long: "reboot", Help: "Reboot the machine", Set: compatReboot},
	{Long: "force", Short: "f", Help: "Force immediate halt/power-off/reboot", Set: compatForce},
	{Long: "wtmp-only", Short: "w", Help: "Don't halt/power-off/reboot, just write wtmp record", Set: compatDry},
	{Long: "no-wtmp", Short: "d", Help: "Don't write wtmp record", Set: compatAccept},
	{Long: "no-wall", Help: "Don't send wall message before halt/power-off/reboot", Set: compatNoWall},
	{Long: "no-sync", Short: "n", Set: compatNoSync},
	{Short: "i", Set: compatAccept},
	{Short: "h", Set: compatAccept},
	{Long: "introspect-cli", Set: compatIntrospect},
}

var shutdownOptions = [...]cli.Option[compatCall]{
	{Long: "help", Help: "Show this help", Set: compatHelp},
	{Long: "halt", Short: "H", Help: "Halt the machine", Set: compatHalt},
	{Long: "poweroff", Short: "P", Help: "Power-off the machine", Set: compatPowerOff},
	{Long: "reboot", Short: "r", Help: "Reboot the machine", Set: compatRestart},
	{Short: "h", Help: "Equivalent to --poweroff, overridden by --halt", Set: compatSwitchOffUnlessHalt},
	{Short: "k", Help: "Don't halt/power-off/reboot, just send warnings", Set: compatDry},
	{Long: "no-wall", Help: "Don't send wall message before halt/power-off/reboot", Set: compatNoWall},
	{Short: "c", Help: "Cancel a pending shutdown", Set: compatCancel},
	{Long: "show", Help: "Show pending shutdown", Set: compatShow},
	{Long: "kexec", Short: "K", Set: compatKexec},
	{Short: "a", Set: compatAccept},
	{Short: "f", Set: compatAccept},
	{Short: "F", Set: compatAccept},
	{Short: "t", Arg: "ARG", Set: compatAccept},
	{Long: "introspect-cli", Set: compatIntrospect},
}

// personalities in the order in which a name is looked for in ours.
var personalities = [...]person{
	{"halt", "", "Halt the system.", "'systemctl halt' command", haltOptions[:], 0},
	{"poweroff", "", "Power off the system.", "'systemctl poweroff' command", haltOptions[:], 0},
	{"reboot", " [ARG]", "Reboot the system.", "'systemctl reboot' command", haltOptions[:], 1},
	{"shutdown", " [TIME] [WALL…]", "Shut down the system.",
		"'systemctl halt', 'systemctl poweroff', 'systemctl reboot' commands", shutdownOptions[:], cli.Any},
}

// personality returns who we are under this name, nil for systemctl itself.
func personality(called string) *person {
	for i := range personalities {
		if strings.Contains(called, personalities[i].name) {
			return &personalities[i]
		}
	}
	return nil
}

func compatAccept(*compatCall, string) error     { return nil }
func compatDry(c *compatCall, _ string) error    { c.dry = true; return nil }
func compatForce(c *compatCall, _ string) error  { c.force = true; return nil }
func compatCancel(c *compatCall, _ string) error { c.cancel = true; return nil }
func compatShow(c *compatCall, _ string) error   { c.show = true; return nil }
func compatNoWall(c *compatCall, _ string) error { c.Opt.NoWall = true; return nil }
func compatNoSync(c *compatCall, _ string) error { c.Opt.NoSync = true; return nil }

func compatHalt(c *compatCall, _ string) error     { c.action = "halt"; return nil }
func compatPowerOff(c *compatCall, _ string) error { c.action = "poweroff"; return nil }
func compatReboot(c *compatCall, _ string) error   { c.action = "reboot"; return nil }
func compatKexec(c *compatCall, _ string) error    { c.action = "kexec"; return nil }

// compatRestart restarts by kexec(8) if a kernel is loaded.
func compatRestart(c *compatCall, _ string) error {
	c.action = "reboot"
	if kexecLoaded() {
		c.action = "kexec"
	}
	return nil
}

// compatSwitchOff is -p, which a restart that was asked for comes before.
func compatSwitchOff(c *compatCall, _ string) error {
	if c.action != "reboot" && (c.action != "" || c.self.name != "reboot") {
		c.action = "poweroff"
	}
	return nil
}

func compatSwitchOffUnlessHalt(c *compatCall, _ string) error {
	if c.action != "halt" {
		c.action = "poweroff"
	}
	return nil
}

// compatHelp uses no pager.
func compatHelp(c *compatCall, _ string) error {
	p := c.self
	c.Print(c.table.Help(cli.Page{Synopsis: c.called() + " [OPTION…]" + p.operands, Abstract: p.abstract,
		Postscript: p.postscript(), Manual: p.name + "(8)"}, c.env.Look(c.Stdout, c.Stderr, false)))
	return Exit(0)
}

func compatIntrospect(*compatCall, string) error { return errIntrospect }

func (p *person) postscript() string {
	return "This is a compatibility interface, please use the more powerful " + p.instead + " instead."
}

// run answers as the old program would, as far as that goes without a manager.
func (p *person) run(c *Call, args []string) error {
	compat := &compatCall{Call: c, self: p, table: &cli.Table[compatCall]{Program: base(c.Name), Options: p.options}}
	operands, err := compat.table.Parse(compat, args)
	if err != nil {
		return err
	}
	most := p.maxArgs
	if compat.action == "reboot" {
		most = max(most, 1) // its argument
	}
	if p.maxArgs >= 0 && len(operands) > most {
		return cli.Usage("Too many arguments.")
	}
	if p.name == "shutdown" && len(operands) > 0 && !compat.cancel && !isShutdownTime(operands[0]) {
		return cli.Usage("Failed to parse time specification: " + operands[0])
	}
	c.warnProc()
	// The reference asks for a chroot alone here, and would shut down the host
	// though SYSTEMD_OFFLINE says to leave it alone.
	if c.Where.Chroot() || c.Where.ChrootOrOffline() {
		if !c.Opt.Quiet {
			c.Log(term.Info, "Running in chroot, ignoring request.")
		}
		return nil
	}
	c.Verb = p.name
	compat.cancel = compat.cancel || compat.show
	if !c.Where.Booted() {
		return compat.notBooted()
	}
	return compat.end(operands)
}

// notBooted is what comes of it where systemd is not running.
func (c *compatCall) notBooted() error {
	if c.dry {
		if !c.force {
			c.status(c.noManager())
		}
		return nil
	}
	if !c.cancel {
		// Once for the login manager, once for the manager it falls back to.
		if err := c.noManager(); err != nil {
			c.status(err)
		}
	}
	return c.noManager()
}

// end does what was asked for.
func (c *compatCall) end(operands []string) error {
	c.compat, c.Opt.NoAskPassword = true, true // nobody is asked for anything
	verb := c.self.name
	switch {
	case c.action != "":
		verb = c.action
	case verb == "shutdown":
		verb = "poweroff"
	}
	switch c.self.name {
	case "shutdown":
		if c.show {
			m, err := c.connect(true)
			if err != nil {
				return err
			}
			return c.showShutdown(m)
		}
		if c.cancel {
			return c.cancelShutdown(strings.Join(operands, " "))
		}
		c.Opt.When = clock.Infinity
		if len(operands) > 0 {
			c.Opt.When = shutdownTime(operands[0], time.Now())
			c.Opt.Message = strings.Join(operands[1:], " ")
		}
	default:
		if verb != "reboot" {
			break
		}
		if len(operands) > 0 {
			c.Opt.RebootArgument = operands[0]
		}
		if err := c.setRebootArgument(); err != nil {
			return err
		}
	}
	c.Opt.DryRun = c.dry
	if c.Opt.When == 0 && c.dry {
		return nil
	}
	if a, ok := powerActionOf(verb); ok {
		return c.endOld(a)
	}
	return nil
}

// endOld ends the system. Where the login manager does not, the manager is asked without a word.
func (c *compatCall) endOld(a powerAction) error {
	var err error
	switch {
	case c.Opt.When != 0:
		err = c.schedule(a.verb, c.Opt.When)
	case c.force:
		return c.endNow(a)
	default:
		err = c.askLogin(a)
	}
	if err == nil || c.dry || !fallsBack(err) {
		return failed(err)
	}
	m, err := c.connect(false)
	if err != nil {
		return err
	}
	_, err = m.Enqueue(a.verb+".target", "start", "replace-irreversibly")
	return failed(err)
}

// shutdownTime is when a time of shutdown(8) is, microseconds since 1970, 0 for now.
func shutdownTime(s string, now time.Time) uint64 {
	if s == "now" {
		return 0
	}
	if h, m, ok := strings.Cut(s, ":"); ok {
		hour, _ := strconv.Atoi(h) // it was checked; nothing is zero
		minute, _ := strconv.Atoi(m)
		at := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, now.Location())
		if at.Before(now) {
			at = at.AddDate(0, 0, 1)
		}
		return uint64(at.UnixMicro())
	}
	n, _ := unit.Integer(strings.TrimPrefix(s, "+"))
	return uint64(now.UnixMicro()) + uint64(n)*clock.Minute
}

// isShutdownTime tells whether s is a time of shutdown(8): now, minutes, or a time of day.
func isShutdownTime(s string) bool {
	if s == "now" {
		return true
	}
	if h, m, ok := strings.Cut(s, ":"); ok {
		return partOfTime(h, 24) && partOfTime(m, 60)
	}
	span := strings.TrimPrefix(s, "+")
	n, ok := unit.Integer(span)
	return ok && n >= 0 && (span == s || '0' <= span[0] && span[0] <= '9')
}

// partOfTime tells whether s is a number below limit; nothing is zero.
func partOfTime(s string, limit int64) bool {
	n, ok := unit.Integer(strings.TrimPrefix(strings.TrimLeft(s, "0"), "+"))
	return strings.Trim(s, "0") == "" || ok && n >= 0 && n < limit
}
