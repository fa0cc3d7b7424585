package control

import (
	"strings"

	"ctl/internal/cli"
	"ctl/internal/term"
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

	dry    bool // only write a record, of which there are none any more, or send warnings
	force  bool // do not ask the login manager
	cancel bool // or show what is planned
}

var haltOptions = [...]cli.Option[compatCall]{
	{Long: "help", Help: "Show this help", Set: compatHelp},
	{Long: "halt", Help: "Halt the machine", Set: compatAccept},
	{Long: "poweroff", Short: "p", Help: "Switch off the machine", Set: compatAccept},
	{Long: "reboot", Help: "Reboot the machine", Set: compatAccept},
	{Long: "force", Short: "f", Help: "Force immediate halt/power-off/reboot", Set: compatForce},
	{Long: "wtmp-only", Short: "w", Help: "Don't halt/power-off/reboot, just write wtmp record", Set: compatDry},
	{Long: "no-wtmp", Short: "d", Help: "Don't write wtmp record", Set: compatAccept},
	{Long: "no-wall", Help: "Don't send wall message before halt/power-off/reboot", Set: compatAccept},
	{Long: "no-sync", Short: "n", Set: compatAccept},
	{Short: "i", Set: compatAccept},
	{Short: "h", Set: compatAccept},
	{Long: "introspect-cli", Set: compatIntrospect},
}

var shutdownOptions = [...]cli.Option[compatCall]{
	{Long: "help", Help: "Show this help", Set: compatHelp},
	{Long: "halt", Short: "H", Help: "Halt the machine", Set: compatAccept},
	{Long: "poweroff", Short: "P", Help: "Power-off the machine", Set: compatAccept},
	{Long: "reboot", Short: "r", Help: "Reboot the machine", Set: compatAccept},
	{Short: "h", Help: "Equivalent to --poweroff, overridden by --halt", Set: compatAccept},
	{Short: "k", Help: "Don't halt/power-off/reboot, just send warnings", Set: compatDry},
	{Long: "no-wall", Help: "Don't send wall message before halt/power-off/reboot", Set: compatAccept},
	{Short: "c", Help: "Cancel a pending shutdown", Set: compatCancel},
	{Long: "show", Help: "Show pending shutdown", Set: compatCancel},
	{Long: "kexec", Short: "K", Set: compatAccept},
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

func compatHelp(c *compatCall, _ string) error {
	c.Print(c.self.help(c.called(), c.table))
	return Exit(0)
}

func compatIntrospect(*compatCall, string) error { return errIntrospect }

func (p *person) postscript() string {
	return "This is a compatibility interface, please use the more powerful " + p.instead + " instead."
}

func (p *person) help(called string, t *cli.Table[compatCall]) string {
	text := "> " + called + " [OPTION…]" + p.operands + "\n\n" + p.abstract + "\n" + t.Help() + "\n"
	text += strings.Join(cli.Wrap(p.postscript(), 80), "\n")
	return text + "\n\nSee the " + p.name + "(8) man page for details.\n"
}

// run answers as the old program would, as far as that goes without a manager.
func (p *person) run(c *Call, args []string) error {
	compat := &compatCall{Call: c, self: p, table: &cli.Table[compatCall]{Program: base(c.Name), Options: p.options}}
	operands, err := compat.table.Parse(compat, args)
	if err != nil {
		return err
	}
	if p.maxArgs >= 0 && len(operands) > p.maxArgs {
		return cli.Usage("Too many arguments.")
	}
	if p.name == "shutdown" && len(operands) > 0 && !isShutdownTime(operands[0]) {
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
	if compat.dry {
		if !compat.force {
			c.status(c.noManager())
		}
		return nil
	}
	if !compat.cancel && !c.Where.Booted() {
		// Once for the login manager, once for the manager it falls back to.
		if err := c.noManager(); err != nil {
			c.status(err)
		}
	}
	return c.noManager()
}

// isShutdownTime tells whether s is a time of shutdown(8): now, minutes, or a time of day.
func isShutdownTime(s string) bool {
	if s == "now" {
		return true
	}
	if h, m, ok := strings.Cut(s, ":"); ok {
		return partOfTime(h, 24) && partOfTime(m, 60)
	}
	n, ok := number(strings.TrimPrefix(s, "+"))
	return ok && n >= 0
}

// partOfTime tells whether s is a number below limit; nothing is zero.
func partOfTime(s string, limit int64) bool {
	n, ok := number(strings.TrimPrefix(strings.TrimLeft(s, "0"), "+"))
	return strings.Trim(s, "0") == "" || ok && n >= 0 && n < limit
}
