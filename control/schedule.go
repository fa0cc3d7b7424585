package control

import (
	"os/user"
	"strings"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/term"
)

// schedule has the login manager end the system at a time, microseconds since 1970; Infinity leaves the time to it.
// An error has been told.
func (c *Call) schedule(kind string, at uint64) error {
	m, err := c.connect(true)
	if err != nil {
		c.status(err)
		return err
	}
	if c.Opt.DryRun {
		kind = "dry-" + kind
	} else {
		c.sayWall(m, c.Opt.Message)
	}
	if _, err := m.Call(manager.Login("ScheduleShutdown", kind, at)); err != nil {
		c.Log(term.Warning, Failure{"schedule shutdown", err}.Error())
		return err
	}
	if !c.Opt.Quiet {
		_ = c.showShutdown(m) // it was scheduled, whatever can be learnt of it
	}
	return nil
}

// when shows what is scheduled, or calls it off.
func (c *Call) when() error {
	c.warnProc()
	if c.Where.Chroot() {
		if !c.Opt.Quiet {
			c.Log(term.Info, "Running in chroot, ignoring request.")
		}
		return nil
	}
	if c.Opt.Transport == "" && !c.Where.Booted() {
		return c.noManager()
	}
	if c.Verb == "--when=show" {
		m, err := c.connect(true)
		if err != nil {
			return err
		}
		return c.showShutdown(m)
	}
	return c.cancelShutdown("")
}

// cancelShutdown calls off what is scheduled.
func (c *Call) cancelShutdown(message string) error {
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	c.sayWall(m, message)
	if _, err := m.Call(manager.Login("CancelScheduledShutdown")); err != nil {
		return cli.Usage("Failed to talk to logind, shutdown hasn't been cancelled: " + strerror(err))
	}
	return nil
}

// showShutdown shows what is scheduled. The status is 1 if there is nothing.
func (c *Call) showShutdown(m *manager.Conn) error {
	reply, err := m.Call(manager.LoginProperty("ScheduledShutdown"))
	if err != nil {
		return Failure{"query scheduled shutdown", err}
	}
	var kind string
	var at uint64
	v, _ := manager.Value(reply).Value.([]any)
	if !manager.Scan(v, &kind, &at) || kind == "" {
		c.Log(term.Info, "No scheduled shutdown.")
		return Exit(1)
	}
	kind = strings.TrimPrefix(kind, "dry-")
	what := kind
	switch kind {
	case "halt", "poweroff", "exit":
		what = "Shutdown"
	case "reboot":
		what = "Reboot"
	case "kexec":
		what = "Reboot via kexec"
	}
	how := "systemctl " + kind + " --when=cancel"
	if c.compat {
		how = "shutdown -c"
	}
	c.Log(term.Info, what+" scheduled for "+clock.Stamp(at, c.Opt.Timestamp)+", use '"+how+"' to cancel.")
	return nil
}

// nextBoot tells the login manager what the firmware and the boot loader are to do next time.
func (c *Call) nextBoot() error {
	if !c.Opt.Firmware && !c.Opt.LoaderMenuGiven && c.Opt.LoaderEntry == "" {
		return nil
	}
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	if c.Opt.Firmware {
		if _, err := m.Call(manager.Login("SetRebootToFirmwareSetup", true)); err != nil {
			return cli.Usage("Cannot indicate to EFI to boot into setup mode: " + strerror(err))
		}
	}
	if c.Opt.LoaderMenuGiven {
		if _, err := m.Call(manager.Login("SetRebootToBootLoaderMenu", c.Opt.LoaderMenu)); err != nil {
			return cli.Usage("Cannot indicate to boot loader to enter boot loader entry menu: " + strerror(err))
		}
	}
	if e := c.Opt.LoaderEntry; e != "" {
		if _, err := m.Call(manager.Login("SetRebootToBootLoaderEntry", e)); err != nil {
			return cli.Usage("Cannot set boot into loader entry '" + e + "': " + strerror(err))
		}
	}
	return nil
}

// loaderEntries lists the entries that --boot-loader-entry= may name.
func (c *Call) loaderEntries() error {
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	reply, err := m.Call(manager.LoginProperty("BootLoaderEntries"))
	if err != nil {
		return Failure{"enumerate boot loader entries", err}
	}
	entries := manager.Value(reply).Strings()
	if len(entries) == 0 {
		return cli.Usage("No boot loader entries discovered.")
	}
	c.Print(strings.Join(entries, "\n") + "\n")
	return Exit(0)
}

// userName is the name of a user, or the number.
func userName(uid uint32) string {
	if u, err := user.LookupId(decimal(uid)); err == nil {
		return u.Username
	}
	return decimal(uid)
}
