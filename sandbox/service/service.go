// Package service is what a service is: its unit file and drop-ins read as systemd reads them, systemd.unit(5), systemd.service(5),
// systemd.exec(5), systemd.kill(5), systemd.resource-control(5). It reads and decides nothing else; sandbox/launch starts
// one of its commands, sandbox/lifecycle carries it from start to stop.
package service

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ctl/sandbox/cgroup"
)

// A Unit is what all kinds of units have, systemd.unit(5).
type Unit struct {
	Name        string   // as it was loaded: aliases resolved, instance filled in
	Names       []string // with its aliases
	Path        string   // of the fragment, in the tree
	DropIns     []string
	Description string

	Requires, Requisite, Wants, BindsTo, Conflicts []string // units, in the order of the files, without repetition
	After, Before, OnFailure, OnSuccess            []string
	JoinsNamespaceOf                               []string
	RequiresMountsFor, WantsMountsFor              []string

	DefaultDependencies bool
	Conditions          []Condition
	StartLimitInterval  time.Duration // 0: no limit
	StartLimitBurst     uint
	RefuseManualStart   bool
	CollectMode         string
	Notices             []Notice // what the files have that is not understood, or not given
}

// A Condition is one line Condition…= or Assert…=.
type Condition struct {
	Name    string // with its prefix: ConditionPathExists
	Value   string // specifiers expanded
	Trigger bool   // "|": one of these has to hold
	Negate  bool   // "!"
	Assert  bool
}

// A Notice is about a line of a unit file, said once at start.
type Notice struct {
	File    string
	Line    int
	Section string
	Setting string
	Text    string // as systemd says it
	Weight  Weight
}

// Weight says what becomes of a service that has a line with a Notice.
type Weight int

// The values of Weight.
const (
	Note    Weight = iota // nothing: an unknown setting, an old name
	Lacking               // the host cannot give it: --strict refuses to start
	Unsafe                // the setting protects, and cannot be enforced: refused unless --allow-degraded
	Fatal                 // systemd does not load the unit
)

// A Service is a service unit, systemd.service(5).
type Service struct {
	Unit
	Exec
	Kill
	Resources

	Type                Type
	ExitTypeCgroup      bool
	Condition           []Command // ExecCondition=
	StartPre            []Command
	Start               []Command
	StartPost           []Command
	Reload              []Command
	ReloadPost          []Command
	Stop                []Command
	StopPost            []Command
	RemainAfterExit     bool
	GuessMainPID        bool
	PIDFile             string // absolute
	BusName             string
	NotifyAccess        Access
	Restart             Restart
	RestartMode         string
	RestartDelay        time.Duration
	RestartSteps        uint
	RestartRandomized   time.Duration // RestartRandomizedDelaySec=
	RestartMaxDelay     time.Duration // Forever if not set
	TimeoutStart        time.Duration // Forever for infinity; of a oneshot by default
	TimeoutStop         time.Duration
	TimeoutAbort        time.Duration
	RuntimeMax          time.Duration
	RuntimeRandomized   time.Duration
	Watchdog            time.Duration // 0: none
	SuccessExit         ExitSet
	RestartPrevent      ExitSet
	RestartForce        ExitSet
	Sockets             []string
	FileDescriptorMax   uint   // FileDescriptorStoreMax=
	FileDescriptorKeep  string // FileDescriptorStorePreserve=: no, yes, restart
	NonBlocking         bool
	ReloadSignal        unix.Signal
	RootStartOnly       bool // RootDirectoryStartOnly=
	PermissionsOnly     bool // PermissionsStartOnly=
	OpenFiles           []OpenFile
	OOMPolicy           string
	TimeoutStartFailure string // TimeoutStartFailureMode=
	TimeoutStopFailure  string
}

// Forever is a time span that does not end.
const Forever = time.Duration(1<<63 - 1)

// Type says when a service has started, systemd.service(5) Type=.
type Type int

// The values of Type.
const (
	Simple Type = iota
	TypeExec
	Forking
	Oneshot
	DBus
	Notify
	NotifyReload
	Idle
)

// Access says who may notify, systemd.service(5) NotifyAccess=.
type Access int

// The values of Access.
const (
	AccessNone Access = iota
	AccessMain
	AccessExec
	AccessAll
)

// Restart says when a service is started anew, systemd.service(5) Restart=.
type Restart int

// The values of Restart.
const (
	RestartNo Restart = iota
	RestartOnSuccess
	RestartOnFailure
	RestartOnAbnormal
	RestartOnWatchdog
	RestartOnAbort
	RestartAlways
)

// An ExitSet is a set of ways to end.
type ExitSet struct {
	Codes   [256]bool
	Signals [65]bool
}

// A Command is one command line of a service, systemd.service(5) "Command lines". Specifiers are expanded, variables are not.
type Command struct {
	Path  string   // the executable: absolute, or a name to be searched for
	Argv  []string // with argv[0]
	Flags CommandFlags
	File  string // where it was written
	Line  int
}

// CommandFlags are the prefixes of a command line.
type CommandFlags uint8

// The values of CommandFlags.
const (
	IgnoreFailure   CommandFlags = 1 << iota // "-"
	NoExpansion                              // ":"
	FullyPrivileged                          // "+"
	NoSetUID                                 // "!"
	ViaShell                                 // "|"
	LoginShell                               // "|" and "@"
)

// An OpenFile is one line OpenFile=.
type OpenFile struct {
	Path, Name                           string
	ReadOnly, Append, Truncate, Graceful bool
}

// A Kill says how processes are ended, systemd.kill(5).
type Kill struct {
	KillMode      string // control-group, mixed, process, none
	KillSignal    unix.Signal
	RestartSignal unix.Signal // RestartKillSignal=, KillSignal if 0
	FinalSignal   unix.Signal // FinalKillSignal=
	WatchSignal   unix.Signal // WatchdogSignal=
	SendSIGKILL   bool
	SendSIGHUP    bool
}

// Resources are settings of the cgroup, systemd.resource-control(5), as written: the name of the setting and its value, in order.
type Resources struct {
	Slice    string
	Delegate []string // controllers; nil: not delegated
	Cgroup   [][2]string
}

// Last is what is said of a setting that has one value.
func (r *Resources) Last(setting string) (string, bool) { return cgroup.Limits(r.Cgroup).Last(setting) }

// Limits are what the cgroup of a service is to be given, with what follows from other settings.
func (s *Service) Limits() cgroup.Limits {
	l := cgroup.Limits(slices.DeleteFunc(slices.Clone(s.Cgroup), func(s [2]string) bool { return !cgroup.Counts(s[0]) }))
	if s.OOMPolicy == "kill" {
		l = append(l, [2]string{"OOMPolicy", s.OOMPolicy})
	}
	if policy, _ := l.Last("DevicePolicy"); s.PrivateDevices && (policy == "" || policy == "auto") {
		l = append(l, [2]string{"DevicePolicy", "closed"})
	}
	if _, some := l.Devices(); some && s.ProtectClock {
		l = append(l, [2]string{"DeviceAllow", "char-rtc r"})
	}
	return l
}

// A Socket is a socket unit, systemd.socket(5).
type Socket struct {
	Unit
	Exec
	Kill
	Resources

	Listen                                 []Listen
	Accept                                 bool
	Service                                string // the unit that it starts
	SocketUser                             string
	SocketGroup                            string
	SocketMode                             uint32
	DirectoryMode                          uint32
	Symlinks                               []string
	RemoveOnStop                           bool
	FDName                                 string
	MaxConnections                         uint
	Timeout                                time.Duration // TimeoutSec=, of its commands
	Options                                [][2]string   // the rest, as written
	EntryAttributes                        [][2]string   // XAttrEntryPoint=, of the file of a socket
	ListenAttributes                       [][2]string   // XAttrListen=, of the socket
	AcceptAttributes                       [][2]string   // XAttrAccept=, of its connections
	StartPre, StartPost, StopPre, StopPost []Command
}

// A Listen is one address of a socket unit.
type Listen struct {
	Setting string // ListenStream, ListenDatagram, ListenSequentialPacket, ListenFIFO, ListenSpecial, ListenNetlink, ListenMessageQueue, ListenUSBFunction
	Address string
}
