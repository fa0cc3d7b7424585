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
		if mode := c.presetMode(); mode != "" {
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
	carries, err := c.askForChanges(operation+" unit", operation, c.unitFileCall(operation, names))
	if err != nil {
		return err
	}
	if explains && !carries && !c.Opt.Quiet && !c.Opt.NoWarn {
		c.Log(term.Notice, nothingToInstall)
	}
	return c.nowByManager(operation, names)
}

// askForChanges makes a call that changes unit files, says what it changed and has the
// manager read the files again. carries is whether the units had anything to install.
func (c *Call) askForChanges(doing, operation string, call manager.Call) (carries bool, err error) {
	m, err := c.manager()
	if err != nil {
		return false, err
	}
	reply, err := m.Call(call)
	if err != nil {
		return false, Failure{doing, err}
	}
	carries = true
	if len(reply) > 1 {
		carries, _ = reply[0].(bool)
	}
	c.sayChanges(operation, reply)
	if !c.Opt.NoReload {
		err = reload(m)
	}
	return carries, err
}

// presetMode is the preset mode as the manager has it; "" is the full one.
func (c *Call) presetMode() string {
	switch c.Opt.PresetMode {
	case enable.EnableOnly:
		return "enable-only"
	case enable.DisableOnly:
		return "disable-only"
	}
	return ""
}

func (c *Call) presetAllByManager() error {
	_, err := c.askForChanges("preset all units", "preset-all",
		manager.Method("PresetAllUnitFiles", c.presetMode(), c.Opt.Runtime, c.Opt.Force > 0))
	return err
}

func (c *Call) addByManager(target, suffix string, names []string) error {
	kind := "Wants"
	if suffix == ".requires" {
		kind = "Requires"
	}
	_, err := c.askForChanges("add dependency", c.Verb,
		manager.Method("AddDependencyUnitFiles", names, target, kind, c.Opt.Runtime, c.Opt.Force > 0))
	return err
}

func (c *Call) setDefaultByManager(name string) error {
	if _, err := c.askForChanges("set default target", c.Verb, manager.Method("SetDefaultTarget", name, true)); err != nil || c.Opt.Quiet {
		return err
	}
	now, err := c.askDefault()
	if err == nil && now != name {
		c.Log(term.Notice, "Note: \""+now+"\" is the default unit (possibly a runtime override).")
	}
	return err
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
	name, err := c.askDefault()
	if err != nil {
		return err
	}
	c.Print(name + "\n")
	return nil
}

func (c *Call) askDefault() (name string, err error) {
	m, err := c.manager()
	if err != nil {
		return "", err
	}
	name, err = manager.Ask[string](m, "GetDefaultTarget")
	if err != nil {
		return "", Failure{"get default target", err}
	}
	return name, nil
}
