package control

import (
	"errors"
	"slices"
	"strings"
	"time"

	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/unit"
	"ctl/sandbox/image"
)

// The options of verbs that need a manager: what is wrong with a value is said at once.

func setJobMode(c *Call, v string) error          { c.Opt.JobMode = &v; return nil }
func setModeFail(c *Call, _ string) error         { return setJobMode(c, "fail") }
func setModeIrreversible(c *Call, _ string) error { return setJobMode(c, "replace-irreversibly") }
func setModeIgnoreDependencies(c *Call, _ string) error {
	return setJobMode(c, "ignore-dependencies")
}
func setKillWhom(c *Call, v string) error       { c.Opt.KillWhom = v; return nil }
func setReverse(c *Call, _ string) error        { c.Opt.Direction = "reverse"; return nil }
func setBefore(c *Call, _ string) error         { c.Opt.Before, c.Opt.Direction = true, "before"; return nil }
func setAfter(c *Call, _ string) error          { c.Opt.After, c.Opt.Direction = true, "after"; return nil }
func setShowTypes(c *Call, _ string) error      { c.Opt.ShowTypes = true; return nil }
func setNoWall(c *Call, _ string) error         { c.Opt.NoWall = true; return nil }
func setMessage(c *Call, v string) error        { c.Opt.Message = v; return nil }
func setRebootArgument(c *Call, v string) error { c.Opt.RebootArgument = v; return nil }
func setReadOnly(c *Call, _ string) error       { c.Opt.ReadOnly = true; return nil }
func setMkdir(c *Call, _ string) error          { c.Opt.Mkdir = true; return nil }
func setVerbose(c *Call, _ string) error        { c.Opt.Verbose = true; return nil }
func setNoAskPassword(c *Call, _ string) error  { c.Opt.NoAskPassword = true; return nil }

func setIgnoreInhibitors(c *Call, _ string) error { c.Opt.Inhibitors = No; return nil }

func setLines(c *Call, v string) error {
	n, ok := unit.Integer(strings.TrimPrefix(v, "+"))
	if !ok || n < 0 || n > 1<<32-1 {
		return cli.Usage("Failed to parse lines '" + v + "'")
	}
	lines := uint64(n)
	c.Opt.Lines = &lines
	return nil
}

func setCheckInhibitors(c *Call, v string) error {
	yes, ok := unit.Boolean(v)
	switch {
	case ok && yes:
		c.Opt.Inhibitors = Yes
	case ok:
		c.Opt.Inhibitors = No
	default:
		c.Opt.Inhibitors = Auto
	}
	if !ok && v != "auto" && v != "" {
		return cli.Usage("Failed to parse tristate argument to '--check-inhibitors=': " + v)
	}
	return nil
}

func setKillValue(c *Call, v string) error {
	if v == "" {
		return Failure{"parse signal queue value", cli.Usage("Invalid argument")}
	}
	n, ok := unit.Integer(v)
	if !ok || n < -1<<31 || n > 1<<31-1 {
		return cli.Usage("Unable to parse signal queue value: " + v)
	}
	c.Opt.KillValue, c.Opt.KillValueIs = true, int32(n)
	return nil
}

func setKillSubgroup(c *Call, v string) error {
	if strings.Contains("/"+v+"/", "/../") {
		return cli.Usage("Control group sub-path '" + v + "' is not valid.")
	}
	c.Opt.KillSubgroup = v
	return nil
}

func setWhat(c *Call, v string) error {
	for w := range strings.SplitSeq(v, ",") {
		if w == "help" {
			c.Print("runtime\nstate\ncache\nlogs\nconfiguration\nfdstore\nall\n")
			return Exit(0)
		}
		if w != "" && !slices.Contains(c.Opt.What, w) {
			c.Opt.What = append(c.Opt.What, w)
		}
	}
	return nil
}

func setTimestamp(c *Call, v string) error {
	switch v {
	case "help":
		c.Print("pretty\nus\nutc\nus+utc\nunix\n")
		return Exit(0)
	case "pretty", "us", "µs", "μs", "utc", "us+utc", "µs+utc", "μs+utc", "unix":
		c.Opt.Timestamp = clock.Style(strings.NewReplacer("µ", "u", "μ", "u").Replace(v))
		return nil
	}
	return cli.Usage("Invalid value: " + v + ".")
}

func setSignal(c *Call, v string) error {
	if v == "help" || v == "list" {
		c.Print(signalList(v == "list"))
		return Exit(0)
	}
	if !unit.IsSignal(v) {
		return cli.Usage("Failed to parse signal string \"" + v + "\".")
	}
	c.Opt.Signal = v
	return nil
}

// errWhen ends the reading of options: a planned shutdown is asked for or called off, whatever follows.
var errWhen = errors.New("when")

// when asks for a planned shutdown or calls it off.
func setWhen(c *Call, v string) error {
	switch v {
	case "", "show", "cancel":
		c.Verb = "--when=" + v
		return errWhen
	case "auto":
		c.Opt.When = clock.Infinity
		return nil
	}
	at, err := clock.ParsePoint(v, time.Now())
	if err != nil {
		why := "Invalid argument"
		if strings.HasPrefix(v, "--") {
			why = "Numerical result out of range"
		}
		return cli.Usage("Failed to parse --when= argument '" + v + "': " + why)
	}
	c.Opt.When = max(at, 1)
	return nil
}

func setBootLoaderMenu(c *Call, v string) error {
	span, err := clock.ParseSpan(v, clock.Second)
	c.Opt.LoaderMenu, c.Opt.LoaderMenuGiven = span, true
	if err != nil {
		return Failure{"parse --boot-loader-menu= argument '" + v + "'", err}
	}
	return nil
}

func setBootLoaderEntry(c *Call, v string) error {
	if v == "help" {
		c.Verb = "--boot-loader-entry=help"
		if c.Opt.Transport == "" && !c.Where.Booted() {
			return c.noManager()
		}
		return c.loaderEntries()
	}
	c.Opt.LoaderEntry = v
	return nil
}

func setImagePolicy(c *Call, v string) error {
	p, err := image.ParsePolicy(v)
	if err != nil {
		return cli.Usage(err.Error())
	}
	c.Opt.ImagePolicy = p
	return nil
}

// isStartVerb tells whether a verb queues jobs, as start does.
func isStartVerb(verb string) bool {
	switch verb {
	case "start", "stop", "reload", "restart", "try-restart", "reload-or-restart", "try-reload-or-restart", "isolate", "enqueue-marked",
		"condstop", "condreload", "condrestart", "force-reload", "reload-or-try-restart", "default", "rescue", "emergency":
		return true
	}
	return false
}

func setFirmwareSetup(c *Call, _ string) error { c.Opt.Firmware = true; return nil }
