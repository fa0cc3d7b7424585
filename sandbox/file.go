package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// A settingsFile is a .nspawn file, systemd.nspawn(5), that is being read.
type settingsFile struct {
	name   string
	call   *Call // has the settings of the file; nobody but the setters of options knows it
	warn   func(line int, text string)
	line   int
	option string // that does the same as the key of this line
	err    error  // ends the reading
}

// A fileKey is a setting of such files.
type fileKey struct {
	name   string // with its section
	option string // the option that does the same
	// read takes the value where no option does just that.
	read func(f *settingsFile, key, value string) error
	// wrong is said of a value that is none: %k is the key, %v the value, %m the errno, %e the option's own complaint. Without it
	// the reading ends.
	wrong string
}

const (
	notParsed   = "Failed to parse %k=%v, ignoring: %m"
	noBind      = "Invalid bind mount specification %v: %m"
	noOverlay   = "Invalid overlay file system specification %v, ignoring: %m"
	noStart     = "Failed to parse %k= parameter %v, ignoring: %m"
	noCap       = "Failed to parse capability, ignoring: %v"
	itself      = "%e"
	endsReading = ""
)

var fileKeys = [...]fileKey{
	{"Exec.Boot", "", readBoot, noStart},
	{"Exec.ProcessTwo", "", readStub, noStart},
	{"Exec.Parameters", "", readParameters, notParsed},
	{"Exec.Environment", "", readEnvironment, notParsed},
	{"Exec.User", "", readUser, notParsed},
	{"Exec.Capability", "capability", readCapabilities, noCap},
	{"Exec.AmbientCapability", "ambient-capability", readCapabilities, noCap},
	{"Exec.DropCapability", "drop-capability", readCapabilities, noCap},
	{"Exec.KillSignal", "kill-signal", readSignal, notParsed},
	{"Exec.Personality", "personality", readUnlessEmpty, "Failed to parse %k=%v, ignoring."},
	{"Exec.MachineID", "", readMachineID, notParsed},
	{"Exec.WorkingDirectory", "", readDirectory, itself},
	{"Exec.PivotRoot", "pivot-root", readUnlessEmpty, "Invalid pivot root mount specification %v: %m"},
	{"Exec.PrivateUsers", "private-users", readUsers, itself},
	{"Exec.PrivateUsersDelegate", "private-users-delegate", readDelegate, notParsed},
	{"Exec.NotifyReady", "", readNotifyReady, notParsed},
	{"Exec.SystemCallFilter", "system-call-filter", nil, notParsed},
	{"Exec.RestrictAddressFamilies", "restrict-address-families", readFamilies, "Failed to parse address family, ignoring: %v"},
	{"Exec.Hostname", "hostname", nil, "Specified invalid hostname, ignoring assignment: %v"},
	{"Exec.NoNewPrivileges", "", readNoNewPrivileges, notParsed},
	{"Exec.OOMScoreAdjust", "", readOOMScoreAdjust, itself},
	{"Exec.CPUAffinity", "", readAffinity, itself},
	{"Exec.ResolvConf", "resolv-conf", nil, notParsed},
	{"Exec.LinkJournal", "link-journal", nil, "Failed to parse link journal mode, ignoring: %v"},
	{"Exec.Timezone", "timezone", nil, notParsed},
	{"Exec.SuppressSync", "", readSuppressSync, notParsed},
	{"Exec.Ephemeral", "", readEphemeral, notParsed},
	{"Exec.Hardened", "", readHardened, notParsed},
	{"Files.ReadOnly", "", readReadOnly, notParsed},
	{"Files.Volatile", "volatile", nil, notParsed},
	{"Files.Bind", "bind", nil, noBind},
	{"Files.BindReadOnly", "bind-ro", nil, noBind},
	{"Files.TemporaryFileSystem", "tmpfs", nil, "Invalid temporary file system specification %v: %m"},
	{"Files.Inaccessible", "inaccessible", nil, "Invalid inaccessible file system specification %v: %m"},
	{"Files.Overlay", "overlay", nil, noOverlay},
	{"Files.OverlayReadOnly", "overlay-ro", nil, noOverlay},
	{"Files.PrivateUsersChown", "", readChown, "Failed to parse user namespace ownership mode, ignoring: %v"},
	{"Files.PrivateUsersOwnership", "private-users-ownership", nil, notParsed},
	{"Files.BindUser", "", readBindUsers, notParsed},
	{"Files.BindUserShell", "bind-user-shell", nil, "Failed to parse %k= value, ignoring: %v"},
	{"Network.Private", "", readPrivate, notParsed},
	{"Network.NamespacePath", "network-namespace-path", readAbsolute, itself},
	{"Network.Interface", "network-interface", readUnlessEmpty, endsReading},
	{"Network.MACVLAN", "network-macvlan", readUnlessEmpty, endsReading},
	{"Network.IPVLAN", "network-ipvlan", readUnlessEmpty, endsReading},
	{"Network.VirtualEthernet", "", readVirtualEthernet, notParsed},
	{"Network.VirtualEthernetExtra", "network-veth-extra", nil, "Invalid extra virtual Ethernet link specification %v: %m"},
	{"Network.Bridge", "network-bridge", readBridge, "Interface name is not valid or too long, ignoring assignment: %v"},
	{"Network.Zone", "network-zone", nil, "Invalid network zone name, ignoring: %v"},
	{"Network.Port", "port", readPort, itself},
}

// longestFile is how long a .nspawn file may be, in bytes.
const longestFile = 16 << 20

// loadFile takes over the settings of the machine's .nspawn file.
func (c *Call) loadFile() error {
	if c.Opt.file == fileNo || c.Opt.ociBundle != "" {
		return nil
	}
	name := c.Opt.machine + ".nspawn"
	beside := path.Join(path.Dir(c.place()), name)
	for _, p := range []string{"/etc/systemd/nspawn/" + name, "/run/systemd/nspawn/" + name, beside} {
		// It may lie beside a tree that nobody trusts, and be no file, or one that has no end.
		file, err := os.OpenFile(p, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return fmt.Errorf("Failed to open %s: %w", p, errno(err))
		}
		defer file.Close()
		s, err := c.readFile(p, file)
		if err != nil {
			return err
		}
		c.adopt(s, p, p != beside || c.Opt.file == fileTrusted)
		return nil
	}
	return nil
}

// readFile reads the settings of a file.
func (c *Call) readFile(name string, r io.Reader) (*Settings, error) {
	f := &settingsFile{name: name, call: &Call{Name: c.Name, Opt: defaults(), log: c.log, env: c.env}}
	at := func(line int, text string) string { return name + ":" + strconv.Itoa(line) + ": " + text }
	f.warn = func(line int, text string) { c.say(term.Warning, at(line, text)) }
	data, err := io.ReadAll(io.LimitReader(r, longestFile+1))
	if err == nil && len(data) > longestFile {
		err = unix.EFBIG
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at(0, "Error while reading configuration file"), errno(err))
	}
	interest := func(section string) unit.Interest {
		switch {
		case section == "Exec", section == "Files", section == "Network":
			return unit.Want
		case strings.HasPrefix(section, "X-"):
			return unit.Skip
		}
		return unit.Unknown
	}
	err = unit.Parse(data, interest, f.assign, f.warn)
	var syntax *unit.SyntaxError
	if errors.As(err, &syntax) {
		if syntax.Text != "" {
			c.say(term.Err, at(syntax.Line, syntax.Text))
		}
		return nil, fmt.Errorf("%s: %w", at(syntax.Line, "Failed to parse file"), syntax.Err)
	}
	if f.err != nil {
		c.say(term.Err, f.err.Error())
		return nil, fmt.Errorf("%s: %w", at(f.line, "Failed to parse file"), unix.EINVAL)
	}
	return &f.call.Opt, nil
}

// assign takes one line.
func (f *settingsFile) assign(section, key, value string, line int) {
	if f.err != nil {
		return
	}
	f.line = line
	k := findKey(section, key)
	if k == nil {
		if !strings.HasPrefix(key, "X-") {
			f.warn(line, "Unknown key '"+key+"' in section ["+section+"], ignoring.")
		}
		return
	}
	f.option = k.option
	read := k.read
	if read == nil {
		read = readOption
	}
	err := read(f, key, value)
	switch {
	case err == nil:
	case k.wrong == endsReading:
		f.err = err
	default:
		e := unix.EINVAL
		if x, ok := errors.AsType[unix.Errno](err); ok {
			e = x
		}
		if err == errTooFew {
			e = unix.EADDRNOTAVAIL
		}
		f.warn(line, strings.NewReplacer("%k", key, "%v", value, "%m", sys.Strerror(e), "%e", err.Error()).Replace(k.wrong))
	}
}

func findKey(section, key string) *fileKey {
	name := section + "." + key
	for i := range fileKeys {
		if fileKeys[i].name == name {
			return &fileKeys[i]
		}
	}
	if limit, ok := strings.CutPrefix(name, "Exec.Limit"); ok && rlimitOf(limit) >= 0 {
		return &fileKey{name, "", readLimit, notParsed}
	}
	return nil
}

// readOption has the option of the key take the value.
func readOption(f *settingsFile, _, value string) error {
	if value == "help" {
		return unix.EINVAL // a name that does not name what it asks for
	}
	for i := range Options {
		if o := &Options[i]; o.Long == f.option {
			return o.Set(f.call, value)
		}
	}
	return unix.EOPNOTSUPP
}

func readUnlessEmpty(f *settingsFile, key, value string) error {
	if value == "" {
		return nil
	}
	return readOption(f, key, value)
}

// boolean reads a yes or no; an empty value is neither.
func (f *settingsFile) boolean(value string, which given, set *bool) error {
	b, ok := unit.Boolean(value)
	if !ok && value != "" {
		return unix.EINVAL
	}
	f.call.Opt.given |= which
	if value == "" {
		f.call.Opt.given &^= which
	}
	*set = b
	return nil
}

func readEphemeral(f *settingsFile, _, value string) error {
	return f.boolean(value, givenEphemeral, &f.call.Opt.ephemeral)
}

// readFamilies takes a list, up to what is wrong in it.
func readFamilies(f *settingsFile, key, value string) error {
	f.call.Opt.given |= givenFamilies
	return readOption(f, key, value)
}

func readHardened(f *settingsFile, _, value string) error {
	return f.boolean(value, givenHardened, &f.call.Opt.hardened)
}

func readReadOnly(f *settingsFile, _, value string) error {
	return f.boolean(value, givenReadOnly, &f.call.Opt.readOnly)
}

func readNotifyReady(f *settingsFile, _, value string) error {
	return f.boolean(value, givenNotifyReady, &f.call.Opt.notifyReady)
}

func readNoNewPrivileges(f *settingsFile, _, value string) error {
	return f.boolean(value, givenNoNewPrivileges, &f.call.Opt.noNewPrivileges)
}

func readSuppressSync(f *settingsFile, _, value string) error {
	return f.boolean(value, givenSuppressSync, &f.call.Opt.suppressSync)
}

// readPrivate does not take back what other settings imply.
func readPrivate(f *settingsFile, _, value string) error {
	private := false
	err := f.boolean(value, givenNetwork, &private)
	f.call.Opt.privateNetwork = f.call.Opt.privateNetwork || private
	return err
}

// readBridge takes a name, or takes it back.
func readBridge(f *settingsFile, key, value string) error {
	if value == "" {
		f.call.Opt.bridge = ""
		return nil
	}
	return readOption(f, key, value)
}

// readDelegate takes a number that alone does not have the users be taken over.
func readDelegate(f *settingsFile, key, value string) error {
	before := f.call.Opt.given
	err := readOption(f, key, value)
	f.call.Opt.given = before
	return err
}

func readPort(f *settingsFile, key, value string) error {
	err := readOption(f, key, value)
	if err != nil && strings.HasPrefix(err.Error(), string(errSamePort)) {
		return cli.Usage(string(errSamePort) + ", ignoring: " + value)
	}
	return err
}

func readVirtualEthernet(f *settingsFile, _, value string) error {
	o := &f.call.Opt
	err := f.boolean(value, givenNetwork, &o.veth)
	o.privateNetwork = o.privateNetwork || o.veth
	return err
}

func readBoot(f *settingsFile, _, value string) error { return f.start(value, startBoot, startStub) }
func readStub(f *settingsFile, _, value string) error { return f.start(value, startStub, startBoot) }

// start takes a Boot= or ProcessTwo=, which do not go together.
func (f *settingsFile) start(value string, wanted, other start) error {
	b, ok := unit.Boolean(value)
	if !ok {
		return unix.EINVAL
	}
	o := &f.call.Opt
	known := o.given&givenStart != 0
	switch {
	case b && known && (o.start == other || wanted == startStub && o.start == startPayload), !b && known && o.start == wanted:
		f.warn(f.line, "Conflicting Boot= or ProcessTwo= setting found. Ignoring.")
	case b:
		o.start = wanted
	}
	o.given |= givenStart
	return nil
}

// words splits a value that is a list.
func words(value string) ([]string, error) { return unit.Words(value, unit.Unquote|unit.RetainEscape) }

func readParameters(f *settingsFile, _, value string) error {
	l, err := words(value)
	if err == nil {
		f.call.Opt.parameters = append(f.call.Opt.parameters, l...)
		if value == "" {
			f.call.Opt.parameters = nil
		}
	}
	return err
}

func readEnvironment(f *settingsFile, _, value string) error {
	l, err := words(value)
	if err != nil {
		return err
	}
	if value == "" {
		f.call.Opt.setenv = nil
	}
	for _, w := range l {
		if name, _, ok := strings.Cut(w, "="); ok && variableName(name) {
			f.call.Opt.setenv = append(f.call.Opt.setenv, w)
			f.call.Opt.given |= givenEnv
		}
	}
	return nil
}

// readCapabilities reads a list that is separated by blanks. A name that is none is passed over alone.
func readCapabilities(f *settingsFile, key, value string) error {
	for _, w := range strings.Fields(value) {
		if strings.Contains(w, ",") || readOption(f, key, w) != nil {
			f.warn(f.line, "Failed to parse capability, ignoring: "+w)
		}
	}
	return nil
}

func readUser(f *settingsFile, _, value string) error {
	f.call.Opt.user = value
	f.call.Opt.given |= givenUser
	return nil
}

func readMachineID(f *settingsFile, _, value string) error {
	id, ok := uuid(value)
	switch {
	case !ok:
		return unix.EINVAL
	case strings.Trim(id, "0") == "":
		f.warn(f.line, "128-bit ID/UUID is all 0, ignoring: "+value)
	default:
		f.call.Opt.uuid = id
		f.call.Opt.given |= givenMachineID
	}
	return nil
}

// absoluteOnly complains of paths of a key that are relative or go back.
func absoluteOnly(key, value string) error {
	switch {
	case !path.IsAbs(value):
		return cli.Usage(key + "= path is not absolute, ignoring: " + value)
	case !normalized(value):
		return cli.Usage(key + "= path is not normalized, ignoring: " + value)
	}
	return nil
}

func readSignal(f *settingsFile, key, value string) error {
	if signalNumber(value) == noSignal {
		return unix.ERANGE
	}
	return readOption(f, key, value)
}

func readAbsolute(f *settingsFile, key, value string) error {
	if value == "" {
		return nil
	}
	if err := absoluteOnly(key, value); err != nil {
		return err
	}
	return readOption(f, key, value)
}

func readDirectory(f *settingsFile, key, value string) error {
	if value == "" {
		f.call.Opt.chdir = ""
		return nil
	}
	if err := absoluteOnly(key, value); err != nil {
		return err
	}
	f.call.Opt.chdir = path.Clean(value)
	f.call.Opt.given |= givenChdir
	return nil
}

func readUsers(f *settingsFile, key, value string) error {
	before := f.call.Opt.given
	meant := value
	if b, ok := unit.Boolean(value); ok { // "0" and "1" too, which are numbers of users in the option
		meant = map[bool]string{false: "no", true: "yes"}[b]
	}
	err := readOption(f, key, meant)
	if err == nil {
		return nil
	}
	f.call.Opt.given = before
	var count errCount
	switch {
	case errors.Is(err, errRange):
		return cli.Usage("UID/GID shift and range combination invalid, ignoring: " + value)
	case errors.As(err, &count):
		return cli.Usage("UID/GID range invalid, ignoring: " + count.count)
	}
	return cli.Usage("UID/GID shift invalid, ignoring: " + value)
}

func readOOMScoreAdjust(f *settingsFile, _, value string) error {
	if value == "" {
		f.call.Opt.oomScoreAdjust = nil
		return nil
	}
	n, err := unit.Signed(value, 32)
	if err != nil {
		return cli.Usage("Failed to parse the OOM score adjust value, ignoring: " + value)
	}
	if setOOMScoreAdjust(f.call, strconv.FormatInt(n, 10)) != nil {
		return cli.Usage("OOM score adjust value out of range, ignoring: " + value)
	}
	return nil
}

func readAffinity(f *settingsFile, _, value string) error {
	err := setAffinity(f.call, value)
	first, last, _ := strings.Cut(value, "-")
	a, e1 := strconv.Atoi(first)
	b, e2 := strconv.Atoi(last)
	switch {
	case err == nil:
		return nil
	case e1 == nil && e2 == nil && a > b:
		return cli.Usage(fmt.Sprintf("Invalid CPU range (%d > %d), ignoring assignment: %s", a, b, value))
	case e1 == nil:
		return cli.Usage("Failed to set CPU(s), ignoring assignment: " + value)
	}
	return cli.Usage("Failed to parse CPU range, ignoring assignment: " + value)
}

func readBindUsers(f *settingsFile, _, value string) error {
	for _, name := range strings.Fields(value) {
		if setBindUser(f.call, name) != nil {
			f.warn(f.line, "User name '"+name+"' not valid, ignoring.")
		}
	}
	return nil
}

// readLimit reads a Limit…=.
func readLimit(f *settingsFile, key, value string) error {
	n := rlimitOf(key[len("Limit"):])
	l, err := rlimit(n, value)
	if errors.Is(err, unix.EILSEQ) {
		f.warn(f.line, "Soft resource limit chosen higher than hard limit, ignoring: "+value)
		return nil
	}
	if err == nil {
		f.call.Opt.rlimits[n] = l
		f.call.Opt.given |= givenRlimit << n
	}
	return err
}

func readChown(f *settingsFile, _, value string) error {
	b, ok := unit.Boolean(value)
	if !ok {
		return unix.EINVAL
	}
	o := &f.call.Opt
	o.ownership, o.ownershipGiven = ownedAsIs, true
	if b {
		o.ownership = ownedByChown
	}
	o.given |= givenUsers
	return nil
}
