package control

import (
	"slices"
	"strings"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/term"
	"ctl/internal/unit"
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
		if mode := c.presetMode(); mode != "full" {
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
	if operation == "mask" || operation == "unmask" {
		if err := c.sayMissing(m, names); err != nil {
			return err
		}
	}
	carries, err := c.askForChanges(operation+" unit", operation, c.unitFileCall(operation, names))
	if err != nil {
		return err
	}
	if !c.Opt.Quiet && !c.Opt.NoWarn {
		for _, n := range names {
			switch operation {
			case "disable":
				c.warnTriggering(m, "Disabling", n, false)
			case "mask":
				c.warnTriggering(m, "Masking", n, true)
			}
		}
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

// presetMode is the preset mode as the manager has it.
func (c *Call) presetMode() string {
	switch c.Opt.PresetMode {
	case enable.EnableOnly:
		return "enable-only"
	case enable.DisableOnly:
		return "disable-only"
	}
	return "full"
}

// sayMissing tells which of the units there are not.
func (c *Call) sayMissing(m *manager.Conn, names []string) error {
	for _, n := range names {
		missing := false
		if unit.KindOf(n) == unit.Template {
			// A manager knows nothing of a template until there is an instance.
			t, ix, err := c.open()
			if err != nil {
				return Failure{"look for " + n, err}
			}
			s, err := ix.Source(n)
			t.Close()
			if err != nil {
				return Failure{"find fragment for '" + n + "'", err}
			}
			missing = s.Fragment == "" && !s.Masked
		} else {
			states, err := m.UnitStates([]string{n})
			if err != nil {
				return Failure{"get properties", err}
			}
			missing = states[0].Load == "not-found" && states[0].Active == "inactive"
		}
		if missing {
			c.Log(term.Notice, "Unit "+n+" does not exist, proceeding anyway.")
		}
	}
	return nil
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
	c.noteKernelDefault()
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
		n = n[strings.LastIndexByte(n, '/')+1:]
		if verb == "stop" && unit.KindOf(n) == unit.Template {
			n = strings.Replace(n, "@", "@*", 1) // all its instances that are loaded
		}
		units[i] = n
	}
	return c.startNamed(verb, units)
}

// defaultByManager prints the name of the default target.
func (c *Call) defaultByManager() error {
	c.noteKernelDefault()
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
