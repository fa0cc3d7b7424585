package sandbox

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

func accept(*Call, string) error { return nil }

// later are options whose issue comes next.
func later(c *Call, _ string) error { return cli.Usage("This option is not implemented yet.") }

func setHelp(c *Call, _ string) error {
	c.print("> " + c.Name + " [OPTION…] [PATH] [ARGUMENTS…]\n\nSpawn a command or OS in a lightweight container.\n" +
		c.table.Help() + "\nSee the systemd-nspawn(1) man page for details.\n")
	return Exit(0)
}

func setVersion(c *Call, _ string) error {
	c.print("systemd 262 (262-ctl)\n")
	return Exit(0)
}

func setQuiet(c *Call, _ string) error   { c.Opt.quiet = true; return nil }
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
	c.Opt.given |= givenDirectory
	c.Opt.directory, err = absolute(v)
	return err
}

func setTemplate(c *Call, v string) (err error) {
	c.Opt.given |= givenDirectory
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
	if v == "" {
		v = "yes"
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
		return cli.Usage("Working directory " + v + " is not a normalized path.")
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
		own, ok := os.LookupEnv(name)
		if !ok {
			return nil
		}
		v = name + "=" + own
	}
	c.Opt.setenv = append(c.Opt.setenv, v)
	return nil
}

func setUID(c *Call, v string) error {
	c.Opt.user = v
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
	c.Opt.machine = v
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
	name, err := sliceName(v)
	if err != nil {
		return err
	}
	c.Opt.slice = name
	return nil
}

func sliceName(v string) (string, error) {
	if !strings.HasSuffix(v, ".slice") {
		v += ".slice"
	}
	if !unit.Valid(v, unit.Plain) {
		return "", cli.Usage("Invalid slice name: " + v)
	}
	return v, nil
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

func setPrivateUsers(c *Call, v string) error {
	c.Opt.given |= givenUsers
	return c.Opt.privateUsers(v)
}

func (o *Settings) privateUsers(v string) error {
	b, isBool := unit.Boolean(v)
	if v != "" && v[0] >= '0' && v[0] <= '9' {
		isBool = false // IDs look like that
	}
	switch {
	case v == "" || isBool && b:
		o.users = usersOwner
	case isBool:
		o.users = usersNo
	case v == "pick":
		o.users = usersPick
	case v == "managed":
		o.users = usersManaged
	case v == "identity":
		o.users, o.usersBase, o.usersRange = usersIdentity, 0, 0x10000
	default:
		base, count, has := strings.Cut(v, ":")
		n, err := strconv.ParseUint(base, 10, 32)
		if err != nil || n >= 0xFFFFFFFE {
			return cli.Usage("Failed to parse UID \"" + base + "\": Invalid argument")
		}
		r := uint64(0x10000)
		if has {
			if r, err = strconv.ParseUint(count, 10, 32); err != nil || r == 0 {
				return cli.Usage("Failed to parse UID range \"" + count + "\": Invalid argument")
			}
		}
		if n+r > 0xFFFFFFFE {
			return cli.Usage("UID range cannot be empty or go beyond 4294967295.")
		}
		o.users, o.usersBase, o.usersRange = usersFixed, uint32(n), uint32(r)
	}
	return nil
}

var ownershipNames = []string{"off", "chown", "map", "foreign", "auto"}

func setOwnership(c *Call, v string) error {
	if v == "help" {
		return c.names(ownershipNames)
	}
	i, ok := one(ownershipNames, v)
	if !ok {
		return cli.Usage("Cannot parse --private-users-ownership= value: " + v)
	}
	c.Opt.ownership, c.Opt.ownershipGiven = ownership(i), true
	c.Opt.given |= givenOwnership
	return nil
}

func setChown(c *Call, _ string) error {
	c.Opt.ownership, c.Opt.ownershipGiven = ownedByChown, true
	c.Opt.given |= givenOwnership
	return nil
}

func setPickUsers(c *Call, _ string) error {
	c.Opt.users = usersPick
	c.Opt.given |= givenUsers
	return nil
}

func setPrivateNetwork(c *Call, _ string) error {
	c.Opt.privateNetwork = true
	c.Opt.given |= givenNetwork
	return nil
}

// interfaceName tells whether a network device may be called so.
func interfaceName(s string) bool {
	return s != "" && len(s) < unix.IFNAMSIZ && s != "." && s != ".." && s != "all" && s != "default" &&
		strings.Trim(s, "0123456789") != "" && !strings.ContainsAny(s, ":/% \t\n")
}

func setInterface(c *Call, v string) error {
	host, inside, has := strings.Cut(v, ":")
	if !has {
		inside = host
	}
	for _, n := range []string{host, inside} {
		if !interfaceName(n) {
			return cli.Usage("Network interface, interface name not valid: " + n)
		}
	}
	c.Opt.interfaces = append(c.Opt.interfaces, host+":"+inside)
	c.Opt.privateNetwork = true
	c.Opt.given |= givenNetwork
	return nil
}

func setVeth(c *Call, _ string) error {
	c.Opt.veth, c.Opt.privateNetwork = true, true
	c.Opt.given |= givenNetwork
	return nil
}

func setNetworkPath(c *Call, v string) (err error) {
	c.Opt.given |= givenNetwork
	c.Opt.networkPath, err = absolute(v)
	return err
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
	words, err := unit.Words(strings.TrimPrefix(v, "~"), 0)
	if err != nil {
		return cli.Usage("Failed to parse system call filter: " + strerror(err))
	}
	if deny {
		c.Opt.denyCalls = append(c.Opt.denyCalls, words...)
	} else {
		c.Opt.allowCalls = append(c.Opt.allowCalls, words...)
	}
	c.Opt.given |= givenCalls
	return nil
}

func setFamilies(c *Call, v string) error {
	c.Opt.given |= givenFamilies
	if !c.Opt.addressFamilies(v) {
		return cli.Usage("Failed to parse --restrict-address-families= argument: " + v)
	}
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
	c.Opt.given |= givenLinkJournal
	if !c.Opt.journalMode(v) {
		return cli.Usage("Failed to parse link journal mode " + v)
	}
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

func setUser(c *Call, v string) error {
	if v == "" {
		c.Opt.userScope = true
		return nil
	}
	c.say(term.Warning, "--user=NAME is deprecated, use --uid=NAME instead.")
	return setUID(c, v)
}

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
	case "json", "json-pretty", "json-short":
		c.Opt.json = true
	case "short":
		c.Opt.json = false
	default:
		return cli.Usage("Unknown output format: " + v)
	}
	return nil
}
