// Package enable works on the unit files of a tree: it finds them, decides
// what a request such as "enable" changes (a Plan), and carries that out. It is
// a library: it returns values and errors, it never prints and never exits.
package enable

import (
	"syscall"

	"ctl/internal/tree"
)

// Scope selects whose unit directories are meant.
type Scope int

const (
	System Scope = iota // the system manager's
	Global              // all users': /etc/systemd/user and its kin
	User                // the calling user's own
)

// Config says which tree, whose units, and with what environment.
type Config struct {
	Tree   *tree.Tree
	Scope  Scope
	LookUp func(string) (string, bool) // SYSTEMD_UNIT_PATH, HOME, XDG_*, SYSTEMD_OS_RELEASE
}

func (cfg Config) getenv(name string) string {
	v, _ := cfg.LookUp(name)
	return v
}

// Flags modify a request, as the options of the same names in systemctl(1).
type Flags struct {
	Runtime bool // write below /run instead of /etc
	Force   bool // replace conflicting links
}

// Change types, in the reference's order. A failure has type Failed and an errno.
type ChangeType int

const (
	Failed             ChangeType = iota
	Symlink                       // Path is a new link to Source
	Unlink                        // Path was removed
	Masked                        // Path is masked, skipped
	MaskedGenerator               // unit Path is masked by a generator
	Dangling                      // alias Path points to a unit that does not exist
	DestinationMissing            // Path was added as a dependency to Source, which does not exist
	AuxiliaryFailed               // unit Path, named in some Also=, could not be enabled
)

// A Change is one thing that was (or, in a Plan, would be) done or that failed.
// Paths of files in the tree are relative to its root, and start with "/"; they are
// shown with the prefix tree.Shown. What the user typed and what [Install] says stays as it was.
type Change struct {
	Type   ChangeType
	Err    syscall.Errno // for Failed
	Path   string
	Source string // target of a link, or the unit concerned; may be empty
}

// A Note is a log line that arose while deciding. Level is syslog's: 3 err, 4 warning, 5 notice, 6 info, 7 debug.
type Note struct {
	Level int
	Text  string
}

// State is a unit file's enablement state.
type State string

// UnitFile is one row of list-unit-files.
type UnitFile struct {
	Name   string
	Path   string // in the tree
	State  State
	Preset string // "enabled", "disabled", "ignored", or "" for none
}
