package sandbox

import (
	"os"
	"path"
	"strings"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

func setStub(c *Call, _ string) error {
	if c.Opt.start == startBoot {
		return cli.Usage("--boot and --as-pid2 may not be combined.")
	}
	c.Opt.start = startStub
	c.Opt.given |= givenStart
	return nil
}

func setBoot(c *Call, _ string) error {
	if c.Opt.start == startStub {
		return cli.Usage("--boot and --as-pid2 may not be combined.")
	}
	c.Opt.start = startBoot
	c.Opt.given |= givenStart
	return nil
}

func setChdir(c *Call, v string) error {
	if !path.IsAbs(v) {
		return cli.Usage("Working directory " + v + " is not an absolute path.")
	}
	if !normalized(v) {
		return cli.Usage("Working directory path is not normalized: " + v)
	}
	p := path.Clean(v)
	for _, api := range []string{"/proc", "/sys", "/dev"} {
		if p == api || strings.HasPrefix(p, api+"/") {
			return cli.Usage("Working directory is below API VFS, refusing: " + p)
		}
	}
	c.Opt.chdir = p
	c.Opt.given |= givenChdir
	return nil
}

// variableName tells whether s can be the name of an environment variable of the reference.
func variableName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func setEnv(c *Call, v string) error {
	name, _, has := strings.Cut(v, "=")
	if !variableName(name) {
		return cli.Usage("Cannot assign environment variable " + v + ": Invalid argument")
	}
	c.Opt.given |= givenEnv
	if !has {
		v = name + "=" + os.Getenv(name)
	}
	c.Opt.setenv = append(c.Opt.setenv, v)
	return nil
}

func setUID(c *Call, v string) error {
	c.Opt.user, c.Opt.noUser = v, v == ""
	c.Opt.given |= givenUser
	return nil
}

func setKillSignal(c *Call, v string) error {
	if v == "help" {
		return c.names(signalNames())
	}
	s := signalNumber(v)
	if s <= 0 {
		return cli.Usage("Cannot parse signal: " + v)
	}
	c.Opt.killSignal = s
	c.Opt.given |= givenKillSignal
	return nil
}

func setNotifyReady(c *Call, v string) (err error) {
	c.Opt.notifyReady, err = boolean("notify-ready", v)
	c.Opt.given |= givenNotifyReady
	return err
}

func setSuppressSync(c *Call, v string) (err error) {
	c.Opt.suppressSync, err = boolean("suppress-sync", v)
	c.Opt.given |= givenSuppressSync
	return err
}

func setMachine(c *Call, v string) error {
	if v != "" && !unit.Hostname(v) {
		return cli.Usage("Invalid machine name: " + v)
	}
	c.Opt.machine, c.Opt.machineGiven = v, v != ""
	return nil
}

func setHostname(c *Call, v string) error {
	c.Opt.given |= givenHostname
	if v != "" && !unit.Hostname(v) {
		return cli.Usage("Invalid hostname: " + v)
	}
	c.Opt.hostname = v
	return nil
}

func setUUID(c *Call, v string) error {
	id, ok := uuid(v)
	if !ok {
		return cli.Usage("Invalid UUID: " + v)
	}
	if strings.Trim(id, "0") == "" {
		return cli.Usage("Machine UUID may not be all zeroes.")
	}
	c.Opt.uuid = id
	c.Opt.given |= givenMachineID
	return nil
}

// uuid is an ID of 128 bits, in 32 digits or with dashes, as 32 small digits.
func uuid(s string) (string, bool) {
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	if len(s) != 32 || strings.Trim(s, "0123456789abcdefABCDEF") != "" {
		return "", false
	}
	return strings.ToLower(s), true
}

func setSlice(c *Call, v string) error {
	name, notices, err := unit.Mangle(v, "", ".slice", false)
	if err != nil {
		return cli.Usage("Out of memory.") // that is what is said
	}
	for _, n := range notices {
		c.say(term.Notice, n)
	}
	c.Opt.slice = name
	return nil
}

func setProperty(c *Call, v string) error {
	c.Opt.properties = append(c.Opt.properties, v)
	return nil
}

func setRegister(c *Call, v string) error {
	b, ok := unit.Boolean(v)
	switch {
	case ok && b:
		c.Opt.register = yes
	case ok:
		c.Opt.register = no
	case v == "auto" || v == "":
		c.Opt.register = auto
	default:
		return cli.Usage("Failed to parse tristate argument to '--register=': " + v)
	}
	return nil
}

func setKeepUnit(c *Call, _ string) error { c.Opt.keepUnit = true; return nil }
