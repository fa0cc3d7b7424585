package service

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ctl/enable"
	"ctl/internal/sys"
	"ctl/internal/unit"
)

// An Error says why a unit cannot be started, as the manager says it, with what its files had to be told before.
type Error struct {
	Name    string
	State   string // its load state: not-found, masked, bad-setting, error
	Notices []Notice
	Err     error // of the state "error"
}

func (e *Error) Error() string {
	switch e.State {
	case "not-found":
		return "Unit " + e.Name + " not found."
	case "masked":
		return "Unit " + e.Name + " is masked."
	case "bad-setting":
		return "Unit " + e.Name + " has a bad unit file setting."
	}
	return "Unit " + e.Name + " failed to load properly, please adjust/correct and reload service manager: " + sys.Strerror(sys.Errno(e.Err))
}

func (e *Error) Unwrap() error { return e.Err }

// Options say for whom units are loaded.
type Options struct {
	User   bool                        // as the manager of a user does, not the system's
	LookUp func(string) (string, bool) // the environment: XDG_*, HOME
}

// Load reads a service unit from the files of a tree. What is called by a path is a file of the host, to which the tree's drop-ins are
// added. err is an *Error.
func Load(ix *enable.Index, name string, o Options) (*Service, error) {
	s := newService()
	l := &loader{ix: ix, options: o, unit: &s.Unit, exec: &s.Exec, kill: &s.Kill, resources: &s.Resources, service: s}
	if err := l.load(name); err != nil {
		return nil, err
	}
	return s, l.result(l.finishService())
}

// LoadSocket is Load of a socket unit.
func LoadSocket(ix *enable.Index, name string, o Options) (*Socket, error) {
	s := newSocket()
	l := &loader{ix: ix, options: o, unit: &s.Unit, exec: &s.Exec, kill: &s.Kill, resources: &s.Resources, socket: s}
	if err := l.load(name); err != nil {
		return nil, err
	}
	return s, l.result(l.finishSocket())
}

// A loader reads the files of one unit.
type loader struct {
	ix             *enable.Index
	options        Options
	defaults       defaults
	defaultRestart time.Duration

	unit      *Unit
	exec      *Exec
	kill      *Kill
	resources *Resources
	service   *Service // or
	socket    *Socket

	given given
	err   error // ends the loading
}

// A line is an assignment that is read.
type line struct {
	*loader
	file                string
	number              int
	section, key, value string
}

// result is what loading came to.
func (l *loader) result(state string) error {
	if state == "" {
		return nil
	}
	return &Error{Name: l.unit.Name, State: state, Notices: l.unit.Notices, Err: l.err}
}

func (l *loader) fail(state string, err error) error {
	l.err = err
	return l.result(state)
}

func (l *loader) load(name string) error {
	l.unit.Name = path.Base(name)
	outside := strings.Contains(name, "/")
	source, err := l.ix.Source(l.unit.Name)
	if err != nil {
		return l.fail("error", err)
	}
	l.unit.Name, l.unit.Names = source.Name, source.Names
	l.readDefaults()
	switch {
	case outside:
		source.Fragment, source.Masked = name, false
	case source.Masked:
		l.unit.Path = source.Fragment
		return l.fail("masked", nil)
	case source.Fragment == "":
		return l.fail("not-found", syscall.ENOENT)
	}
	l.unit.Path = source.Fragment
	if unit.KindOf(l.unit.Name) == unit.Template {
		return l.fail("error", syscall.EINVAL)
	}
	read, shown := l.ix.ReadFile, l.ix.Shown(source.Fragment)
	if outside {
		read, shown = os.ReadFile, name
	}
	if err := l.file(read, source.Fragment, shown); err != nil {
		return err
	}
	for _, d := range source.DropIns {
		if d.Mask {
			continue
		}
		l.unit.DropIns = append(l.unit.DropIns, d.Path)
		if err := l.file(l.ix.ReadFile, d.Path, l.ix.Shown(d.Path)); err != nil {
			return err
		}
	}
	return nil
}

// file reads one file. Of a drop-in that cannot be read, the rest is as good.
func (l *loader) file(read func(string) ([]byte, error), p, shown string) error {
	data, err := read(p)
	main := p == l.unit.Path
	if err != nil {
		if errors.Is(err, syscall.ENOENT) && !main {
			return nil
		}
		return l.fail("error", err)
	}
	ln := &line{loader: l, file: shown}
	err = unit.Parse(data, l.interest,
		func(section, key, value string, number int) {
			if l.err == nil {
				ln.section, ln.key, ln.value, ln.number = section, strings.Clone(key), strings.Clone(value), number
				ln.assign()
			}
		},
		func(number int, text string) {
			ln.number, ln.section, ln.key = number, "", ""
			ln.warn(text)
		})
	if s, ok := errors.AsType[*unit.SyntaxError](err); ok && s.Text != "" {
		ln.number, ln.section, ln.key = s.Line, "", ""
		ln.notice(Fatal, s.Text)
	}
	if err != nil && l.err == nil {
		l.err = err
	}
	stopped := l.err
	l.err = nil
	switch {
	case stopped == nil || !main:
		return nil
	case stopped == syscall.ENOEXEC:
		l.complain(Fatal, "Unit configuration has fatal error, unit will not be started.")
		return l.fail("bad-setting", stopped)
	}
	return l.fail("error", stopped)
}

// interest tells which sections are this unit's.
func (l *loader) interest(section string) unit.Interest {
	switch {
	case section == "Unit" || section == l.section():
		return unit.Want
	case section == "Install":
		return unit.Want
	case strings.HasPrefix(section, "X-"):
		return unit.Skip
	}
	return unit.Unknown
}

func (l *loader) section() string {
	if l.service != nil {
		return "Service"
	}
	return "Socket"
}

// assign finds the row of the setting and has it read.
func (l *line) assign() {
	if l.section == "Unit" && l.condition() {
		return
	}
	for _, table := range l.tables() {
		for i := range table {
			if r := &table[i]; r.name == l.key {
				if r.read != nil {
					r.read(l)
				}
				if r.weight != Note && l.value != "" {
					l.notice(r.weight, "Setting "+l.key+"= is not applied.")
				}
				return
			}
		}
	}
	switch {
	case strings.HasPrefix(l.key, "X-"):
	case l.removed():
		l.warn("Support for option " + l.key + "= has been removed and it is ignored")
	default:
		l.warn("Unknown key '" + l.key + "' in section [" + l.section + "], ignoring.")
	}
}

// removed tells whether the setting is one that systemd had once.
func (l *line) removed() bool {
	switch l.section {
	case "Unit":
		return l.key == "IgnoreOnSnapshot"
	case "Install":
		return false
	}
	return slices.Contains(removed[:], l.key) || l.section == "Service" && (l.key == "BusPolicy" || l.key == "SysVStartPriority")
}

func (l *line) tables() [][]setting {
	switch l.section {
	case "Unit":
		return [][]setting{unitSettings[:]}
	case "Install":
		return [][]setting{installSettings[:]}
	case "Service":
		return [][]setting{serviceSettings[:], execSettings[:], killSettings[:], resourceSettings[:]}
	}
	return [][]setting{socketSettings[:], execSettings[:], killSettings[:], resourceSettings[:]}
}

func (l *line) notice(w Weight, text string) {
	l.unit.Notices = append(l.unit.Notices, Notice{File: l.file, Line: l.number, Section: l.section, Setting: l.key, Text: text, Weight: w})
}

// warn notes a line that does nothing.
func (l *line) warn(text string) { l.notice(Note, text) }

// bad notes a value that is none.
func (l *line) bad(err error) {
	l.warn("Failed to parse " + l.key + "=" + l.value + ", ignoring: " + sys.Strerror(sys.Errno(err)))
}

// refuse notes a line with which the unit is not started. The rest of its file is not read.
func (l *line) refuse(text string) { l.abort(text, syscall.ENOEXEC) }

func (l *line) abort(text string, err error) {
	l.notice(Fatal, text)
	l.err = err
}

// complain notes what is wrong with the unit as a whole.
func (l *loader) complain(w Weight, text string) {
	l.unit.Notices = append(l.unit.Notices, Notice{Text: l.unit.Name + ": " + text, Weight: w})
}

// String is the notice as the manager logs it.
func (n Notice) String() string {
	if n.File == "" {
		return n.Text
	}
	return n.File + ":" + strconv.Itoa(n.Line) + ": " + n.Text
}
