package control

import (
	"os"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A powerAction is a verb that ends or rests the system.
type powerAction struct {
	verb   string
	login  string // the method of the login manager; with flags its name has WithFlags behind it
	flags  uint64 // for that method
	now    string // the manager's method, for --force
	sleeps bool
}

// The flags of the login manager's methods, org.freedesktop.login1(5).
const (
	rootChecksInhibitors = 1 << iota
	rebootViaKexec
	softReboot
	softRebootIfSetUp
	skipInhibitors
)

// powerActions are the verbs that the login manager knows. A target of the same name is the manager's way.
var powerActions = [...]powerAction{
	{verb: "halt", login: "Halt", now: "Halt"},
	{verb: "poweroff", login: "PowerOff", now: "PowerOff"},
	{verb: "reboot", login: "Reboot", now: "Reboot", flags: rebootViaKexec},
	{verb: "kexec", login: "Reboot", now: "KExec", flags: rebootViaKexec},
	{verb: "soft-reboot", login: "Reboot", now: "SoftReboot", flags: softReboot},
	{verb: "sleep", login: "Sleep", sleeps: true},
	{verb: "suspend", login: "Suspend", sleeps: true},
	{verb: "hibernate", login: "Hibernate", sleeps: true},
	{verb: "hybrid-sleep", login: "HybridSleep", sleeps: true},
	{verb: "suspend-then-hibernate", login: "SuspendThenHibernate", sleeps: true},
}

// powerOff is what the verbs of the system do: halt, reboot, suspend, rescue and the like. They belong to the system
// alone, and ask the login manager first and the manager after that.
func powerOff(c *Call) error {
	switch c.Opt.Scope {
	case enable.User:
		return cli.Usage("Bad action for --user mode.")
	case enable.Global:
		return cli.Usage("Bad action for --global mode.")
	}
	if c.Opt.Transport == "" && !c.Where.Booted() {
		if c.Verb == "kexec" {
			if err := c.prepareKexec(); err != nil {
				return err
			}
		}
		for range c.attempts() - 1 {
			c.status(c.noManager())
		}
		return c.noManager()
	}
	a, known := powerActionOf(c.Verb)
	if err := c.checkInhibitors(a.sleeps); err != nil {
		return err
	}
	if c.Opt.Force > 1 && os.Geteuid() != 0 {
		return cli.Usage("Need to be root.")
	}
	if !known {
		return c.startTarget(c.Verb+".target", "isolate")
	}
	return c.end(a)
}

// powerActionOf is what a verb does that the login manager knows.
func powerActionOf(verb string) (powerAction, bool) {
	for _, a := range powerActions {
		if a.verb == verb {
			return a, true
		}
	}
	return powerAction{}, false
}

// attempts is how often the reference tries to reach somebody on a system that systemd has not booted.
func (c *Call) attempts() int {
	n := 1
	switch c.Verb {
	case "halt", "poweroff", "reboot", "kexec":
		if c.Opt.When != 0 || c.Opt.Firmware || c.Opt.Force > 0 {
			return 1
		}
		n = 2
	case "soft-reboot":
		if c.Opt.When != 0 {
			return 1
		}
		n = 2
	case "sleep", "suspend", "hibernate", "hybrid-sleep", "suspend-then-hibernate":
		if c.Opt.Force > 0 {
			n = 2
		}
	default:
		return 1
	}
	if c.Opt.Inhibitors == Yes {
		n++
	}
	return n
}

// end ends or rests the system, at once or at a time.
func (c *Call) end(a powerAction) error {
	switch a.verb {
	case "halt", "poweroff", "reboot":
		if err := c.nextBoot(); err != nil {
			return err
		}
	case "kexec":
		if err := c.prepareKexec(); err != nil {
			return err
		}
	}
	if a.verb == "reboot" && c.Opt.RebootArgument != "" {
		if err := c.setRebootArgument(); err != nil {
			return err
		}
	}
	// What is forced happens now, whatever the time that was given; only a soft reboot waits.
	if c.Opt.When != 0 && !a.sleeps && (c.Opt.Force == 0 || a.verb == "soft-reboot") {
		return failed(c.schedule(a.verb, c.Opt.When))
	}
	if c.Opt.Force == 0 || a.now == "" {
		c.askForAuthorization()
	}
	switch {
	case c.Opt.DryRun:
		return nil
	case c.Opt.Force > 1 && !a.sleeps:
		return c.endNow(a)
	case c.Opt.Force > 0 && a.now != "":
		return c.callNow(a.now)
	}
	err := c.askLogin(a)
	if err == nil || a.sleeps || !fallsBack(err) {
		return failed(err)
	}
	return c.startTarget(a.verb+".target", "replace-irreversibly")
}

// failed ends the call after an error that was told.
func failed(err error) error {
	if err != nil {
		return Exit(1)
	}
	return nil
}

// askLogin has the login manager do it. An error has been told.
func (c *Call) askLogin(a powerAction) error {
	m, err := c.connect(true)
	if err != nil {
		c.status(err)
		return err
	}
	c.sayWall(m, c.Opt.Message)
	flags := a.flags
	switch {
	case c.Opt.Inhibitors == No:
		flags |= skipInhibitors
	case c.Opt.Inhibitors == Yes:
		flags |= rootChecksInhibitors
	}
	if a.verb == "reboot" {
		if b, ok := unit.Boolean(c.Getenv("SYSTEMCTL_SKIP_AUTO_KEXEC")); ok && b {
			flags &^= rebootViaKexec
		}
		if b, ok := unit.Boolean(c.Getenv("SYSTEMCTL_SKIP_AUTO_SOFT_REBOOT")); !(ok && b) && isMountPoint("/run/nextroot") {
			flags |= softRebootIfSetUp
		}
	}
	method := a.login + "WithFlags"
	if a.verb == "sleep" {
		method = a.login
	}
	_, err = m.Call(manager.Login(method, flags))
	for _, newer := range [...]uint64{skipInhibitors, softRebootIfSetUp} {
		if manager.IsName(err, "InvalidArgs") && flags&newer != 0 {
			flags &^= newer
			_, err = m.Call(manager.Login(method, flags))
		}
	}
	if manager.IsName(err, "UnknownMethod") && a.verb != "sleep" {
		_, err = m.Call(manager.Login(a.login, m.Interactive))
	}
	if err != nil {
		c.Log(term.Err, "Call to "+a.login+" failed: "+strerror(err))
	}
	return err
}

// fallsBack tells whether the manager may be asked for what the login manager would not do.
func fallsBack(err error) bool {
	return !manager.IsName(err, "AccessDenied", "InteractiveAuthorizationRequired", "NotSupported",
		"org.freedesktop.login1.BlockedByInhibitorLock", "org.freedesktop.login1.OperationInProgress")
}

// sayWall tells the login manager what to write to all users.
func (c *Call) sayWall(m *manager.Conn, text string) {
	if _, err := m.Call(manager.Login("SetWallMessage", text, !c.Opt.NoWall)); err != nil {
		c.Log(term.Warning, "Failed to set wall message, ignoring: "+strerror(err))
	}
}

// startTarget starts a target that ends or changes all there is.
func (c *Call) startTarget(name, mode string) error {
	c.askForAuthorization()
	if c.Opt.DryRun {
		return nil
	}
	m, err := c.connect(false)
	if err != nil {
		return err
	}
	w := &waiting{Call: c, m: m}
	if mode != "isolate" {
		c.Opt.NoBlock = true // nobody waits for their own end
	}
	return w.do(request{"start", mode, ".target"}, []string{name})
}

// callNow has the manager do it without stopping the units in order.
func (c *Call) callNow(method string) error {
	m, err := c.connect(false)
	if err != nil {
		return err
	}
	c.askForAuthorization()
	// The manager may be gone before it answers.
	if _, err := m.Manager(method); err != nil && !isErrno(err, syscall.ECONNRESET) && !isErrno(err, syscall.ENOTCONN) {
		return Failure{"execute operation", err}
	}
	return nil
}

// endNow ends the machine, or the container, without asking anybody.
func (c *Call) endNow(a powerAction) error {
	if os.Geteuid() != 0 {
		return cli.Usage("Need to be root.")
	}
	how, doing := sys.Restart, "Rebooting."
	switch a.verb {
	case "halt":
		how, doing = sys.Halt, "Halting."
	case "poweroff":
		how, doing = sys.PowerOff, "Powering off."
	case "kexec", "soft-reboot":
		return c.callNow(a.now)
	}
	if !c.Opt.NoSync {
		syscall.Sync()
	}
	argument := c.Opt.RebootArgument
	if c.Where.Container() != "" {
		argument = "" // there is no firmware that would take it
	}
	c.Log(term.Info, doing)
	if err := sys.Reboot(how, argument); err != nil {
		return Failure{"reboot", err}
	}
	return nil
}

// rebootArgumentFile is where systemd-shutdown(8) looks for the argument of the restart.
const rebootArgumentFile = "/run/systemd/reboot-param"

// setRebootArgument leaves the argument for the restart to whoever restarts, or takes an old one away.
func (c *Call) setRebootArgument() error {
	const longest = 255
	arg := c.Opt.RebootArgument
	switch {
	case arg == "":
		if err := syscall.Unlink(rebootArgumentFile); err != nil && err != syscall.ENOENT {
			return Failure{"unlink reboot parameter file", err}
		}
	case len(arg) > longest || strings.ContainsFunc(arg, func(r rune) bool { return r >= 0x80 }):
		return cli.Usage("Invalid reboot parameter '" + arg + "'.")
	default:
		if err := os.WriteFile(rebootArgumentFile, []byte(arg+"\n"), 0o644); err != nil {
			return Failure{"write reboot parameter file", err}
		}
	}
	return nil
}

func kexecLoaded() bool {
	b, err := os.ReadFile("/sys/kernel/kexec_loaded")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// isMountPoint tells whether something is mounted at path.
func isMountPoint(path string) bool {
	here, err := os.Stat(path)
	if err != nil {
		return false
	}
	above, err := os.Stat(path + "/..")
	a, okA := here.Sys().(*syscall.Stat_t)
	if err != nil || !okA {
		return false
	}
	b, okB := above.Sys().(*syscall.Stat_t)
	return okB && a.Dev != b.Dev
}

// exit ends a user's manager, or a container, with a status.
func exit(c *Call) error {
	if err := c.checkInhibitors(false); err != nil {
		return err
	}
	code := -1
	if len(c.Args) > 0 {
		n, ok := unit.Integer(c.Args[0])
		if !ok || n < 0 || n > 255 {
			return cli.Usage("Invalid exit code.")
		}
		code = int(n)
	}
	if c.Opt.DryRun {
		return nil
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	if code >= 0 {
		if _, err := m.Manager("SetExitCode", uint8(code)); err != nil {
			return Failure{"set exit code", err}
		}
	}
	if c.Opt.Force > 0 {
		return c.callNow("Exit")
	}
	return c.startTarget("exit.target", "replace-irreversibly")
}

// checkInhibitors refuses what a process or another user holds off, if that is to be looked at. Unless it is, root is
// kept from nothing by users.
func (c *Call) checkInhibitors(sleeps bool) error {
	wanted := c.Opt.Inhibitors == Yes || c.Opt.Inhibitors == Auto && term.IsTerminal(c.Stdout)
	if !wanted || c.Opt.Force > 0 || c.Opt.Transport != "" || c.Opt.When != 0 {
		return nil
	}
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	reply, err := m.Call(manager.Login("ListInhibitors"))
	if err != nil {
		return nil // whoever is to do it will say why not
	}
	kind := "shutdown"
	if sleeps {
		kind = "sleep"
	}
	held := false
	for _, i := range manager.Inhibitors(reply) {
		if i.Mode != "block" || !strings.Contains(":"+i.What+":", ":"+kind+":") {
			continue
		}
		held = true
		comm, _ := commandOf(i.PID) // a process that is gone has none
		c.Log(term.Warning, "Operation inhibited by \""+i.Who+"\" (PID "+decimal(i.PID)+" \""+comm+
			"\", user "+userName(i.UID)+"), reason is \""+i.Why+"\".")
	}
	if !held && c.Opt.Inhibitors == Auto && os.Geteuid() == 0 {
		return nil
	}
	if users := c.otherUsers(); !held && !users {
		return nil
	}
	return cli.Usage("Please retry operation after closing inhibitors and logging out other users.\n" +
		"'systemd-inhibit' can be used to list active inhibitors.\n" +
		"Alternatively, ignore inhibitors and users with 'systemctl " + c.Verb + " -i'.")
}
