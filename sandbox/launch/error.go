package launch

import (
	"errors"

	"ctl/internal/sys"
	"ctl/internal/unit"
)

// An Error is what kept a command from being executed.
type Error struct {
	Status int    // the exit status that the command has in systemd's place
	Step   string // its name, without "EXIT_": "CHDIR", "NAMESPACE"
	Path   string // the executable
	Detail string // more than the reason says, "" for nothing
	Err    error
}

func (e *Error) Error() string {
	why := e.Detail
	if why == "" {
		why = sys.Strerror(sys.Errno(e.Err))
	}
	if e.Path == "" { // before any command
		return "Failed at step " + e.Step + ": " + why
	}
	return "Failed at step " + e.Step + " spawning " + e.Path + ": " + why
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// An Unready is what is wrong before there is a process: the manager reads environment files itself.
type Unready struct {
	Detail string
	Err    error
}

func (e *Unready) Error() string { return e.Detail + ": " + sys.Strerror(sys.Errno(e.Err)) }

// Unwrap returns the reason.
func (e *Unready) Unwrap() error { return e.Err }

// A step is what is done to a process before it is executed, named and numbered as in systemd.exec(5), "Process Exit Codes".
type step uint8

const (
	chdir step = iota
	nice
	fds
	execute
	memory
	limits
	oomAdjust
	signalMask
	stdin
	stdout
	chroot
	ioprio
	timerSlack
	secureBits
	setScheduler
	cpuAffinity
	group
	user
	capabilities
	cgroup
	setsid
	confirm
	stderr
	_
	pam
	network
	namespaces
	noNewPrivileges
	filters
	selinux
	personality
	apparmor
	families
	runtimeDirectory
	_
	chown
	smack
	keyring
	stateDirectory
	cacheDirectory
	logsDirectory
	configurationDirectory
	numa
	credentials
	bpf
	ksm
	thp
)

// firstStatus is the exit status of the first step.
const firstStatus = 200

// String is its name, without "EXIT_".
func (s step) String() string { return unit.StatusName(firstStatus + int32(s)) }

// at is a failure of a step.
func at(s step, err error) error {
	if e, ok := errors.AsType[*Error](err); ok || err == nil {
		if ok {
			return e
		}
		return nil
	}
	return &Error{Status: firstStatus + int(s), Step: s.String(), Err: err}
}

// NoCgroup is the failure to give a command its cgroup.
func NoCgroup(err error) error { return at(cgroup, err) }

// detailed is at with words of its own.
func detailed(s step, err error, detail string) error {
	return &Error{Status: firstStatus + int(s), Step: s.String(), Err: err, Detail: detail}
}
