package control

import (
	"ctl/enable"
	"ctl/internal/cli"
)

// powerOff is what halt, poweroff, reboot, soft-reboot, kexec, rescue, emergency and the
// verbs that put the system to sleep do without a manager: they belong to the system
// alone, and ask the login manager first and the manager after that, in vain both times.
func powerOff(c *Call) error {
	switch c.Opt.Scope {
	case enable.User:
		return cli.Usage("Bad action for --user mode.")
	case enable.Global:
		return cli.Usage("Bad action for --global mode.")
	}
	for range c.attempts() - 1 {
		if c.Opt.Transport == "" && !c.Where.Booted() {
			c.status(c.noManager())
		}
	}
	return c.noManager()
}

// attempts is how often the reference tries to reach somebody.
func (c *Call) attempts() int {
	n := 1
	switch c.Verb {
	case "halt", "poweroff", "reboot":
		if c.Opt.When || c.Opt.Firmware || c.Opt.Force > 0 {
			return 1
		}
		n = 2
	case "soft-reboot":
		if c.Opt.When {
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
	if c.Opt.CheckInhibitors {
		n++
	}
	return n
}

// exit takes the status that a user's manager or a container ends with.
func exit(c *Call) error {
	if len(c.Args) > 0 {
		if n, ok := number(c.Args[0]); !ok || n < 0 || n > 255 {
			return cli.Usage("Invalid exit code.")
		}
	}
	return needsManager(c)
}
