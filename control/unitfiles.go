package control

import (
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/term"
)

// unitFileCall is the manager's method for an operation on unit files, org.freedesktop.systemd1(5).
func (c *Call) unitFileCall(operation string, names []string) manager.Call {
	runtime, force := c.Opt.Runtime, c.Opt.Force > 0
	switch operation {
	case "enable":
		return manager.Method("EnableUnitFiles", names, runtime, force)
	case "reenable":
		return manager.Method("ReenableUnitFiles", names, runtime, force)
	case "link":
		return manager.Method("LinkUnitFiles", names, runtime, force)
	case "disable":
		flags := uint64(0)
		if runtime {
			flags = 1
		}
		return manager.Method("DisableUnitFilesWithFlagsAndInstallInfo", names, flags)
	case "preset":
		modes := [...]string{enable.Full: "", enable.EnableOnly: "enable-only", enable.DisableOnly: "disable-only"}
		if mode := modes[c.Opt.PresetMode]; mode != "" {
			return manager.Method("PresetUnitFilesWithMode", names, mode, runtime, force)
		}
		return manager.Method("PresetUnitFiles", names, runtime, force)
	case "mask":
		return manager.Method("MaskUnitFiles", names, runtime, force)
	case "unmask":
		return manager.Method("UnmaskUnitFiles", names, runtime)
	}
	return manager.Method("RevertUnitFiles", names)
}

// changeByManager has the manager change unit files, and then read them.
func (c *Call) changeByManager(operation string, names []string, explains bool) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	reply, err := m.Call(c.unitFileCall(operation, names))
	if err != nil {
		return Failure{operation + " unit", err}
	}
	carries := true
	if len(reply) > 1 {
		carries, _ = reply[0].(bool)
	}
	c.sayChanges(operation, reply)
	if !c.Opt.NoReload {
		if _, err := m.Call(manager.Slow(manager.Method("Reload"))); err != nil {
			return Failure{"reload daemon", err}
		}
	}
	if explains && !carries && !c.Opt.Quiet && !c.Opt.NoWarn {
		c.Log(term.Notice, nothingToInstall)
	}
	return c.nowByManager(operation, names)
}

// changeTypes are the manager's words for the types of changes.
var changeTypes = [...]struct {
	word string
	kind enable.ChangeType
}{{"symlink", enable.Symlink}, {"unlink", enable.Unlink}, {"masked", enable.Masked},
	{"masked by generator", enable.MaskedGenerator}, {"dangling", enable.Dangling},
	{"destination not present", enable.DestinationMissing}, {"auxiliary unit failed", enable.AuxiliaryFailed}}

// sayChanges says what the manager has changed: the last value of the reply.
func (c *Call) sayChanges(operation string, reply []any) {
	if len(reply) == 0 {
		return
	}
	rows, _ := reply[len(reply)-1].([][]any)
	for _, r := range rows {
		var word string
		var ch enable.Change
		if !manager.Scan(r, &word, &ch.Path, &ch.Source) {
			continue
		}
		for _, t := range changeTypes {
			if t.word == word {
				ch.Type = t.kind
				c.say(operation, ch)
			}
		}
	}
}

// nowByManager starts or stops what was enabled or disabled.
func (c *Call) nowByManager(operation string, names []string) error {
	if !c.Opt.Now {
		return nil
	}
	verb := ""
	switch operation {
	case "enable":
		verb = "start"
	case "disable", "mask":
		verb = "stop"
	case "reenable":
		verb = "try-restart"
	default:
		return c.now(operation)
	}
	units := slices.Clone(names)
	for i, n := range units {
		units[i] = n[strings.LastIndexByte(n, '/')+1:]
	}
	return c.startNamed(verb, units)
}

// defaultByManager prints the name of the default target.
func (c *Call) defaultByManager() error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	reply, err := m.Manager("GetDefaultTarget")
	var name string
	if err != nil || !manager.Scan(reply, &name) {
		return Failure{"get default target", err}
	}
	c.Print(name + "\n")
	return nil
}
