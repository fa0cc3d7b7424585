package sandbox

import (
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

func accept(*Call, string) error { return nil }

func setHelp(c *Call, _ string) error {
	c.table.ShowHelp(Page(c.Name), c.env, !c.Opt.noPager, c.say)
	return Exit(0)
}

// Page is what the help says besides what is in the table, for a program called by that name.
func Page(name string) cli.Page {
	return cli.Page{Synopsis: name + " [OPTION…] [PATH] [ARGUMENTS…]", Abstract: "Spawn a command or OS in a lightweight container.", Manual: "systemd-nspawn(1)"}
}

func setVersion(c *Call, _ string) error {
	c.print(cli.Version)
	return Exit(0)
}

func setQuiet(c *Call, _ string) error   { c.Opt.quiet = true; return nil }
func setNoPager(c *Call, _ string) error { c.Opt.noPager = true; return nil }
func setCleanup(c *Call, _ string) error { c.Opt.cleanup = true; return nil }

// boolean parses the yes or no of an option.
func boolean(option, v string) (bool, error) {
	b, ok := unit.Boolean(v)
	if !ok {
		return false, cli.Usage("Failed to parse boolean argument to '--" + option + "=': " + v)
	}
	return b, nil
}

func setSettings(c *Call, v string) error {
	if b, ok := unit.Boolean(v); ok {
		c.Opt.file = fileNo
		if b {
			c.Opt.file = fileYes
		}
		return nil
	}
	switch v {
	case "override":
		c.Opt.file = fileOverride
	case "trusted":
		c.Opt.file = fileTrusted
	default:
		return cli.Usage("Failed to parse --settings= argument: " + v)
	}
	return nil
}

// absolute is a path of the host, made absolute; "" stays what it is.
func absolute(p string) (string, error) {
	if p == "" || path.IsAbs(p) {
		return p, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("Failed to make path absolute: %w", err)
	}
	return path.Join(wd, p), nil
}

func setDirectory(c *Call, v string) (err error) {
	if v != "" {
		c.Opt.given |= givenDirectory
	}
	c.Opt.directory, err = absolute(v)
	return err
}

func setTemplate(c *Call, v string) (err error) {
	c.Opt.template, err = absolute(v)
	return err
}

func setEphemeral(c *Call, _ string) error {
	c.Opt.ephemeral = true
	c.Opt.given |= givenEphemeral
	return nil
}

func setReadOnly(c *Call, _ string) error {
	c.Opt.readOnly = true
	c.Opt.given |= givenReadOnly
	return nil
}

var volatileNames = []string{"no", "yes", "state", "overlay"}

func setVolatile(c *Call, v string) error {
	c.Opt.given |= givenVolatile
	if v == "help" {
		return c.names(volatileNames)
	}
	m, ok := volatileOf(v)
	if !ok {
		return cli.Usage("Failed to parse --volatile= argument: " + v)
	}
	c.Opt.volatile = m
	return nil
}

func volatileOf(v string) (container.Volatile, bool) {
	if b, ok := unit.Boolean(v); ok {
		if b {
			return container.VolatileYes, true
		}
		return container.VolatileNo, true
	}
	i, ok := one(volatileNames, v)
	return container.Volatile(i), ok
}

// normalized tells whether a path has no "." and "..".
func normalized(p string) bool {
	for n := range strings.SplitSeq(p, "/") {
		if n == "." || n == ".." {
			return false
		}
	}
	return true
}

func inTree(p string) bool { return path.IsAbs(p) && normalized(p) }

func setPivotRoot(c *Call, v string) error {
	p, err := pivotRoot(v)
	if err != nil {
		return cli.Usage("Failed to parse --pivot-root= argument " + v + ": Invalid argument")
	}
	c.Opt.given |= givenPivotRoot
	c.Opt.pivotRoot = p
	return nil
}

func pivotRoot(v string) ([2]string, error) {
	l, err := colons(v)
	if err != nil || len(l) > 2 || len(l) == 0 || !inTree(l[0]) || len(l) == 2 && !inTree(l[1]) {
		return [2]string{}, unix.EINVAL
	}
	p := [2]string{path.Clean(l[0])}
	if len(l) == 2 {
		p[1] = path.Clean(l[1])
	}
	return p, nil
}

// colons splits at colons that no backslash precedes.
func colons(s string) ([]string, error) {
	var l []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '\\':
			return nil, unix.EINVAL
		case s[i] == ':':
			l = append(l, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(l, b.String()), nil
}

func setNoNewPrivileges(c *Call, v string) (err error) {
	c.Opt.noNewPrivileges, err = boolean("no-new-privileges", v)
	c.Opt.given |= givenNoNewPrivileges
	return err
}

func setHardened(c *Call, _ string) error {
	if c.systemdNspawn() {
		return cli.Usage(c.Name + ": unrecognized option '--hardened'")
	}
	c.Opt.hardened = true
	return nil
}

func setCallFilter(c *Call, v string) error {
	deny := strings.HasPrefix(v, "~")
	words := strings.Fields(strings.TrimPrefix(v, "~"))
	if deny {
		c.Opt.denyCalls = append(c.Opt.denyCalls, words...)
	} else {
		c.Opt.allowCalls = append(c.Opt.allowCalls, words...)
	}
	c.Opt.given |= givenCalls
	return nil
}

func setFamilies(c *Call, v string) error {
	if !c.Opt.addressFamilies(v) {
		return cli.Usage("Failed to parse --restrict-address-families= argument: " + v)
	}
	c.Opt.given |= givenFamilies
	return nil
}

// addressFamilies takes a list: those allowed, or after "~" those that are not; "none" allows none and "" all.
func (o *Settings) addressFamilies(v string) bool {
	if v == "" || v == "none" {
		o.families.Reset(v == "none")
		o.restricted = v == "none"
		return true
	}
	list, inverted := strings.CutPrefix(v, "~")
	o.restricted = true
	return o.families.Assign(inverted, strings.Fields(list)) == nil
}

func setPersonality(c *Call, v string) error {
	if !personalityKnown(v) {
		return cli.Usage("Unknown or unsupported personality '" + v + "'.")
	}
	c.Opt.personality = v
	c.Opt.given |= givenPersonality
	return nil
}

func setResolvConf(c *Call, v string) error {
	if v == "help" {
		return c.names(container.ResolvConfNames())
	}
	m, ok := container.ParseResolvConf(v)
	if !ok {
		return cli.Usage("Failed to parse /etc/resolv.conf mode: " + v)
	}
	c.Opt.resolvConf = m
	c.Opt.given |= givenResolvConf
	return nil
}

func setTimezone(c *Call, v string) error {
	if v == "help" {
		return c.names(container.TimezoneNames())
	}
	m, ok := container.ParseTimezone(v)
	if !ok {
		return cli.Usage("Failed to parse /etc/localtime mode: " + v)
	}
	c.Opt.timezone = m
	c.Opt.given |= givenTimezone
	return nil
}

func setLinkJournal(c *Call, v string) error {
	if !c.Opt.journalMode(v) {
		return cli.Usage("Failed to parse link journal mode " + v)
	}
	c.Opt.given |= givenLinkJournal
	return nil
}

func (o *Settings) journalMode(v string) bool {
	o.linkJournalTry = false
	switch v {
	case "auto", "guest", "host":
		o.linkJournal = v
	case "no":
		o.linkJournal = "no"
	case "try-guest", "try-host":
		o.linkJournal, o.linkJournalTry = v[len("try-"):], true
	default:
		b, ok := unit.Boolean(v)
		if !ok {
			return false
		}
		o.linkJournal = "no"
		if b {
			o.linkJournal = "auto"
		}
	}
	return true
}

func setTryGuestJournal(c *Call, _ string) error { return setLinkJournal(c, "try-guest") }

var consoleNames = []string{"autopipe", "interactive", "read-only", "passive", "pipe"}

func setConsole(c *Call, v string) error {
	if v == "help" {
		return c.names(consoleNames)
	}
	if _, ok := one(consoleNames, v); !ok {
		return cli.Usage("Unknown console mode: " + v)
	}
	c.Opt.console = v
	return nil
}

func setPipe(c *Call, _ string) error { c.Opt.console = "pipe"; return nil }

func setBackground(c *Call, v string) error {
	if strings.Trim(v, "0123456789;") != "" {
		return cli.Usage("Invalid --background= argument: " + v)
	}
	c.Opt.background = &v
	return nil
}

// bareUser is the value of a --user without one.
const bareUser = "\x00"

func setUser(c *Call, v string) error {
	if v == bareUser {
		c.Opt.userScope = true
		return nil
	}
	c.say(term.Warning, "--user=NAME is deprecated, use --uid=NAME instead.")
	return setUID(c, v)
}

func setSystem(c *Call, _ string) error { c.Opt.userScope = false; return nil }

func setShareSystem(c *Call, _ string) error {
	c.say(term.Warning, "Please do not use --share-system anymore, use $SYSTEMD_NSPAWN_SHARE_* instead.")
	c.Opt.shareSystem = true
	return nil
}

func setDryRun(c *Call, _ string) error {
	if c.systemdNspawn() {
		return cli.Usage(c.Name + ": unrecognized option '--dry-run'")
	}
	c.Opt.dryRun = true
	return nil
}

func setOutput(c *Call, v string) error {
	if c.systemdNspawn() {
		return cli.Usage(c.Name + ": unrecognized option '--output'")
	}
	switch v {
	case "json", "json-short":
		c.Opt.format = term.JSON
	case "json-pretty":
		c.Opt.format = term.JSONPretty
	case "short":
		c.Opt.format = term.NoJSON
	default:
		return cli.Usage("Unknown output format: " + v)
	}
	return nil
}
