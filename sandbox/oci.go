package sandbox

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/json"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/seccomp"
)

// bundleSettings are those that only an OCI bundle can have.
type bundleSettings struct {
	uid, gid     uint32 // of the payload, noID if there is none
	groups       []uint32
	capabilities *capabilitySets
	consoleSize  [2]uint16 // lines and columns
	namespaces   []string  // nil: those that a container has anyway
	devices      []container.DeviceNode
	seccomp      *seccomp.Policy
	resources    []manager.Assignment
}

// A capabilitySets has those of process.capabilities that are there.
type capabilitySets struct{ effective, bounding, inheritable, permitted, ambient *uint64 }

// A bundle is an OCI bundle that is being read: a directory with a file config.json,
// https://github.com/opencontainers/runtime-spec.
type bundle struct {
	call *Call
	dir  string
	file string
	o    *Settings
	maps int // how many of the user and group IDs have been seen
}

// ociVersion is the version of the specification that the reference knows.
const ociVersion = "1.0.0"

// loadBundle takes over what an OCI bundle says.
func (c *Call) loadBundle() error {
	if c.Opt.ociBundle == "" {
		return nil
	}
	own := defaults()
	own.resolvConf, own.timezone, own.linkJournal = container.ResolvConfOff, container.TimezoneOff, "no"
	own.given = givenResolvConf | givenTimezone | givenLinkJournal | givenStart
	b := &bundle{call: c, dir: c.Opt.ociBundle, file: c.Opt.ociBundle + "/config.json", o: &own}
	v, err := b.parse()
	if err != nil {
		return err
	}
	if err := json.Dispatch(v, bundleFields[:], b); err != nil {
		if e, ok := errors.AsType[*json.Error](err); ok && !c.systemdNspawn() {
			return cli.Usage(b.file + ":" + e.Error())
		}
		return fmt.Errorf("Failed to parse OCI bundle configuration file '%s': %w", b.file, errno(err))
	}
	if c.Opt.file != fileNo {
		c.adopt(b.o, b.dir, true)
	}
	return nil
}

// parse reads the file.
func (b *bundle) parse() (*json.Value, error) {
	fail := func(where string, err error) error {
		return fmt.Errorf("Failed to parse '%s'%s: %w", b.file, where, errno(err))
	}
	f, err := os.OpenFile(b.file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fail("", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, longestFile+1))
	if err == nil && len(data) > longestFile {
		err = unix.E2BIG
	}
	if err != nil {
		return nil, fail("", err)
	}
	v, err := json.Parse(data)
	if e, ok := errors.AsType[*json.Error](err); ok {
		return nil, fail(fmt.Sprintf(" at %d:%d", e.Line, e.Column), e.Err)
	}
	if err != nil {
		return nil, fail("", err)
	}
	version := v.Member("ociVersion")
	if version == nil {
		return nil, cli.Usage("JSON file '" + b.file + "' is not an OCI bundle configuration file. Refusing.")
	}
	// Of the later versions a bundle says what it needs by its members, and these are looked at.
	if s := version.Text(); s != ociVersion && (b.call.systemdNspawn() || !strings.HasPrefix(s, "1.")) {
		if !version.Is(json.String) {
			s = "n/a"
		}
		return nil, cli.Usage("OCI bundle version not supported: " + s)
	}
	return v, nil
}

// note says of a value what is passed over. It is an error's level at which the reference does.
func (b *bundle) note(v *json.Value, text string) {
	b.call.say(term.Err, fmt.Sprintf("%s:%d:%d: %s", b.file, v.Line, v.Column, text))
}

// given has the settings be taken over.
func (b *bundle) given(which given) { b.o.given |= which }

// A field is a member of an object of the file.
type field = json.Field[*bundle]

var bundleFields = [...]field{
	{Name: "ociVersion", Type: json.String, Mandatory: true},
	{Name: "process", Type: json.Object, Set: func(b *bundle, v *json.Value) error { return json.Dispatch(v, processFields[:], b) }},
	{Name: "root", Type: json.Object, Set: (*bundle).root},
	{Name: "hostname", Type: json.String, Set: (*bundle).hostname},
	{Name: "mounts", Type: json.Array, Set: (*bundle).mounts},
	{Name: "linux", Type: json.Object, Set: func(b *bundle, v *json.Value) error { return json.Dispatch(v, linuxFields[:], b) }},
	{Name: "hooks", Type: json.Object, Set: func(b *bundle, v *json.Value) error { return json.Dispatch(v, hooksFields[:], b) }},
	{Name: "annotations", Type: json.Object, Set: (*bundle).annotations},
}

var processFields = [...]field{
	{Name: "terminal", Type: json.Boolean, Set: (*bundle).terminal},
	{Name: "consoleSize", Type: json.Object, Set: (*bundle).consoleSize},
	{Name: "cwd", Type: json.String, Set: (*bundle).cwd},
	{Name: "env", Type: json.Array, Set: (*bundle).env},
	{Name: "args", Type: json.Array, Set: (*bundle).args},
	{Name: "rlimits", Type: json.Array, Set: (*bundle).rlimits},
	{Name: "apparmorProfile", Type: json.String, Lenient: true},
	{Name: "capabilities", Type: json.Object, Set: (*bundle).capabilities},
	{Name: "noNewPrivileges", Type: json.Boolean, Set: (*bundle).noNewPrivileges},
	{Name: "oomScoreAdj", Type: json.Integer, Set: (*bundle).oomScoreAdj},
	{Name: "selinuxLabel", Type: json.String, Lenient: true},
	{Name: "user", Type: json.Object, Set: (*bundle).user},
}

// unsupported refuses a member.
func (b *bundle) unsupported(v *json.Value) error {
	return v.Fail(unix.EOPNOTSUPP, "this is not supported")
}

// filePath is a path as the file has them: absolute, and normalized where it is used.
func filePath(v *json.Value) (string, error) {
	p := v.Text()
	if !path.IsAbs(p) || len(p) >= unix.PathMax {
		return "", v.Fail(unix.EINVAL, "'%s' is no absolute path", p)
	}
	return path.Clean(p), nil
}

func (b *bundle) root(v *json.Value) error {
	var r struct {
		path     *string
		readOnly *bool
	}
	err := json.Dispatch(v, []field{
		{Name: "path", Type: json.String, Set: func(_ *bundle, v *json.Value) error { r.path = new(v.Text()); return nil }},
		{Name: "readonly", Type: json.Boolean, Set: func(_ *bundle, v *json.Value) error { r.readOnly = new(v.Bool()); return nil }},
	}, b)
	if r.path != nil {
		b.o.directory = *r.path
		if !path.IsAbs(*r.path) {
			b.o.directory = path.Join(b.dir, *r.path)
		}
		b.given(givenDirectory)
	}
	if r.readOnly != nil {
		b.o.readOnly = *r.readOnly
		b.given(givenReadOnly)
	}
	return err
}

func (b *bundle) hostname(v *json.Value) error {
	if !unit.Hostname(v.Text()) {
		return v.Fail(unix.EINVAL, "'%s' is no host name", v.Text())
	}
	b.o.hostname = v.Text()
	b.given(givenHostname)
	return nil
}

// terminal makes the caller's descriptors the payload's if there is to be none.
func (b *bundle) terminal(v *json.Value) error {
	b.o.console = ""
	if !v.Bool() {
		b.o.console = "pipe"
	}
	return nil
}

func (b *bundle) consoleSize(v *json.Value) error {
	dimension := func(i int) func(*bundle, *json.Value) error {
		return func(b *bundle, v *json.Value) error {
			if n := v.Uint(); n == 0 || n > math.MaxUint16 {
				return v.Fail(unix.ERANGE, "a terminal cannot have that size")
			}
			b.o.consoleSize[i] = uint16(v.Uint())
			return nil
		}
	}
	return json.Dispatch(v, []field{{Name: "height", Type: json.Unsigned, Mandatory: true, Set: dimension(0)},
		{Name: "width", Type: json.Unsigned, Mandatory: true, Set: dimension(1)}}, b)
}

func (b *bundle) cwd(v *json.Value) (err error) {
	b.given(givenChdir)
	b.o.chdir, err = filePath(v)
	return err
}

// environment reads a list of NAME=VALUE.
func bundleEnvironment(v *json.Value) ([]string, error) {
	l, err := v.Strings()
	for i, s := range l {
		if name, _, ok := strings.Cut(s, "="); !ok || !variableName(name) {
			return nil, v.Elements()[i].Fail(unix.EINVAL, "'%s' gives no variable a value", s)
		}
	}
	return l, err
}

func (b *bundle) env(v *json.Value) (err error) {
	if b.o.setenv, err = bundleEnvironment(v); len(b.o.setenv) > 0 {
		b.given(givenEnv)
	}
	return err
}

// bundleCommand reads a command line.
func bundleCommand(v *json.Value) ([]string, error) {
	l, err := v.Strings()
	if err == nil && (len(l) == 0 || l[0] == "") {
		err = v.Fail(unix.EINVAL, "there is no command")
	}
	return l, err
}

func (b *bundle) args(v *json.Value) (err error) {
	b.o.parameters, err = bundleCommand(v)
	return err
}

func (b *bundle) rlimits(v *json.Value) error {
	list := v.Elements()
	for i := range list {
		number, limit := -1, unix.Rlimit{}
		value := func(to *uint64) func(*bundle, *json.Value) error {
			return func(_ *bundle, v *json.Value) error {
				switch {
				case v.Negative():
					*to = unix.RLIM_INFINITY
				case !v.Is(json.Unsigned):
					return v.Fail(unix.ERANGE, "this is no limit")
				default:
					*to = v.Uint()
				}
				return nil
			}
		}
		err := json.Dispatch(&list[i], []field{
			{Name: "soft", Type: json.Number, Mandatory: true, Set: value(&limit.Cur)},
			{Name: "hard", Type: json.Number, Mandatory: true, Set: value(&limit.Max)},
			{Name: "type", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				name, ok := strings.CutPrefix(v.Text(), "RLIMIT_")
				if number = rlimitOf(name); !ok || number < 0 {
					return v.Fail(unix.EINVAL, "there is no limit '%s'", v.Text())
				}
				return nil
			}},
		}, b)
		if err != nil {
			return err
		}
		if b.o.rlimits[number] != nil {
			return v.Fail(unix.EINVAL, "a limit is there twice")
		}
		b.o.rlimits[number] = &limit
		b.given(givenRlimit << number)
	}
	return nil
}

func (b *bundle) capabilities(v *json.Value) error {
	s := &capabilitySets{}
	set := func(to **uint64) func(*bundle, *json.Value) error {
		return func(_ *bundle, v *json.Value) error {
			l, err := v.Strings()
			if err != nil {
				return err
			}
			m := new(uint64)
			for _, name := range l {
				n := capability(name)
				if n < 0 {
					return v.Fail(unix.EINVAL, "there is no capability '%s'", name)
				}
				*m |= 1 << n
			}
			*to = m
			return nil
		}
	}
	err := json.Dispatch(v, []field{
		{Name: "effective", Type: json.Array, Set: set(&s.effective)},
		{Name: "bounding", Type: json.Array, Set: set(&s.bounding)},
		{Name: "inheritable", Type: json.Array, Set: set(&s.inheritable)},
		{Name: "permitted", Type: json.Array, Set: set(&s.permitted)},
		{Name: "ambient", Type: json.Array, Set: set(&s.ambient)},
	}, b)
	if *s == (capabilitySets{}) {
		return err
	}
	if s.bounding != nil {
		b.o.retain, b.o.drop = *s.bounding, ^*s.bounding
	}
	b.o.capabilities = s
	b.given(givenCapability)
	return err
}

// limit sets the sets of a container whose payload is root or not. What a bundle does not say is what a container has anyway; and
// what is effective and permitted follows from the other sets when the payload is executed, capabilities(7).
func (s *capabilitySets) limit(l *container.Limits, root bool) {
	usual := l.Capabilities
	if !root {
		usual = 0
	}
	if l.Capabilities = usual; s.bounding != nil {
		l.Capabilities = *s.bounding
	}
	inheritable := l.Ambient
	if root {
		inheritable = l.Capabilities
	}
	if s.inheritable != nil {
		inheritable = *s.inheritable
	}
	if s.ambient != nil {
		l.Ambient = *s.ambient
	}
	l.Inheritable = &inheritable
}

// all are all capabilities that are in a set.
func (s *capabilitySets) all() (all uint64) {
	for _, set := range []*uint64{s.effective, s.bounding, s.inheritable, s.permitted, s.ambient} {
		if set != nil {
			all |= *set
		}
	}
	return all
}

func (b *bundle) noNewPrivileges(v *json.Value) error {
	b.o.noNewPrivileges = v.Bool()
	b.given(givenNoNewPrivileges)
	return nil
}

func (b *bundle) oomScoreAdj(v *json.Value) error {
	n := v.Int()
	if n < -1000 || n > 1000 {
		return v.Fail(unix.EINVAL, "oomScoreAdj is from -1000 to 1000, not %d", n)
	}
	b.o.oomScoreAdjust = new(int(n))
	b.given(givenOOMScoreAdjust)
	return nil
}

// id reads the number of a user or group, which anything that is none is not.
func id(v *json.Value) (uint32, error) {
	switch {
	case !v.Is(json.Unsigned):
		return 0, v.Fail(unix.EINVAL, "this is no ID")
	case v.Uint() > math.MaxUint32:
		return 0, v.Fail(unix.ERANGE, "this is more than an ID can be")
	case v.Uint() == math.MaxUint32, v.Uint() == math.MaxUint16:
		return 0, v.Fail(unix.EINVAL, "this ID stands for none")
	}
	return uint32(v.Uint()), nil
}

func (b *bundle) user(v *json.Value) error {
	b.given(givenUser)
	return json.Dispatch(v, []field{
		{Name: "uid", Type: json.Unsigned, Mandatory: true, Set: func(b *bundle, v *json.Value) (err error) {
			b.o.uid, err = id(v)
			return err
		}},
		{Name: "gid", Type: json.Unsigned, Mandatory: true, Set: func(b *bundle, v *json.Value) (err error) {
			b.o.gid, err = id(v)
			return err
		}},
		{Name: "additionalGids", Type: json.Array, Set: func(b *bundle, v *json.Value) error {
			list := v.Elements()
			for i := range list {
				n, err := id(&list[i])
				if err != nil {
					return err
				}
				b.o.groups = append(b.o.groups, n)
			}
			return nil
		}},
	}, b)
}

func (b *bundle) annotations(v *json.Value) error {
	return v.Members(func(name string, m *json.Value) error {
		if name == "" || !m.Is(json.String) {
			return m.Fail(unix.EINVAL, "an annotation is a name with a text")
		}
		return nil
	})
}

// hooksFields are looked at and, as by the reference, not run.
var hooksFields = [...]field{
	{Name: "prestart", Type: json.Array, Set: (*bundle).hooks},
	{Name: "poststart", Type: json.Array, Set: (*bundle).hooks},
	{Name: "poststop", Type: json.Array, Set: (*bundle).hooks},
}

func (b *bundle) hooks(v *json.Value) error {
	list := v.Elements()
	for i := range list {
		err := json.Dispatch(&list[i], []field{
			{Name: "path", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				_, err := filePath(v)
				return err
			}},
			{Name: "args", Type: json.Array, Set: func(_ *bundle, v *json.Value) error {
				_, err := bundleCommand(v)
				return err
			}},
			{Name: "env", Type: json.Array, Set: func(_ *bundle, v *json.Value) error {
				_, err := bundleEnvironment(v)
				return err
			}},
			{Name: "timeout", Type: json.Unsigned, Set: func(_ *bundle, v *json.Value) error {
				if n := v.Uint(); n == 0 || n > (math.MaxUint64-1)/1000000 {
					return v.Fail(unix.ERANGE, "this is no time that a hook may take")
				}
				return nil
			}},
		}, b)
		if err != nil {
			return err
		}
	}
	return nil
}
