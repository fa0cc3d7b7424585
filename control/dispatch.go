package control

import (
	"os"
	"strings"
	"syscall"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// dispatch finds the verb and decides, in the reference's order, whether it runs:
// is it one, does it go with --root=, has it the right number of operands, and does it need a
// manager where there is none to be.
func (c *Call) dispatch(operands []string) error {
	if len(operands) > 0 {
		c.Verb, c.Args = operands[0], operands[1:]
	}
	v := c.table.Find(c.Verb)
	if v == nil || len(operands) > 0 && c.Verb == "" {
		return c.unknown()
	}
	c.Verb, c.privileged = v.Name, v.Privileged
	online := v.Online && !c.offlineOwn(v)
	if online && c.Opt.RootGiven {
		return cli.Usage("Verb '" + v.Name + "' cannot be used with --root= or --image=.")
	}
	if len(c.Args) < v.Min {
		return cli.Usage("Too few arguments.")
	}
	if v.Max >= 0 && len(c.Args) > v.Max {
		return cli.Usage("Too many arguments.")
	}
	if online && c.Where.ChrootOrOffline() {
		c.Log(term.Info, "Running in chroot, ignoring command '"+v.Name+"'")
		return nil
	}
	return v.Run(c)
}

// offlineOwn tells whether the verb is one that systemctl needs a manager for and
// ctl under its own name does on the files.
func (c *Call) offlineOwn(v *cli.Verb[Call]) bool {
	return v.OnFiles && !c.IsSystemctl()
}

func (c *Call) unknown() error {
	text := "Unknown command verb '" + c.Verb + "'"
	if s := c.table.Suggest(c.Verb); s != "" {
		text += ", did you mean '" + s + "'?"
	} else {
		text += "."
	}
	return cli.Usage(text)
}

// beforeManager is what verbs refuse before they look for a manager.
func (c *Call) beforeManager() error {
	switch {
	case c.Opt.Scope == enable.Global:
		return cli.Usage("--global is not supported for this operation.")
	case c.Opt.Wait && c.Verb != "start" && c.Verb != "restart" && isStartVerb(c.Verb):
		return cli.Usage("--wait may only be used with the 'start' or 'restart' commands.")
	case c.Verb == "kill" && c.Opt.KillValue && c.Opt.KillSubgroup != "":
		return cli.Usage("--kill-subgroup= and --kill-value= may not be combined.")
	}
	return nil
}

// noManager says why no manager can be reached where systemd is not running. Whoever answers there all the same is
// none that could end the system.
func (c *Call) noManager() error {
	if _, err := c.dial(false); err != nil {
		return err
	}
	return c.connectFailed(syscall.EHOSTDOWN)
}

// switchRoot checks its operands itself, and that the directory is another than ours.
func switchRoot(c *Call) error {
	switch {
	case c.Opt.Transport != "":
		return cli.Usage("Cannot switch root remotely.")
	case len(c.Args) > 2:
		return cli.Usage("Too many arguments.")
	}
	if len(c.Args) > 0 && c.Args[0] != "" {
		dir := c.Args[0]
		if dir[0] != '/' {
			return cli.Usage("Root path is not absolute: " + dir)
		}
		theirs, err := os.Stat(dir)
		if err != nil {
			return Failure{"check if switch-root directory '" + dir + "' is current root", err}
		}
		if ours, err := os.Stat("/"); err == nil && os.SameFile(ours, theirs) {
			return cli.Usage("Cannot switch to current root directory: " + dir)
		}
	}
	if _, err := os.Stat("/etc/initrd-release"); err != nil {
		return cli.Usage("Not in initrd, refusing switch-root operation.")
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	root, init := "/sysroot", c.kernelInit()
	if len(c.Args) > 0 && c.Args[0] != "" {
		root = c.Args[0]
	}
	if len(c.Args) > 1 {
		init = c.Args[1]
	}
	if _, err := m.Manager("SwitchRoot", root, init); err != nil {
		return Failure{"switch root", err}
	}
	return nil
}

// kernelInit is the program that the kernel command line names as the first one, or "".
func (c *Call) kernelInit() string {
	init := ""
	for w := range strings.FieldsSeq(c.kernelCmdline()) {
		if v, ok := strings.CutPrefix(w, "init="); ok {
			init = v
		}
	}
	return init
}

func (c *Call) scopeName() string {
	if c.Opt.Scope == enable.User {
		return "user"
	}
	return "system"
}
