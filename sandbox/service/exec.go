package service

import (
	"cmp"
	"time"

	"golang.org/x/sys/unix"

	"ctl/sandbox/seccomp"
)

// An Exec is the environment that commands run in, systemd.exec(5). The zero value of a pointer or list is what systemd does by default.
type Exec struct {
	User, Group         string
	SupplementaryGroups []string
	DynamicUser         bool
	SetLoginEnvironment *bool
	PAMName             string

	WorkingDirectory WorkingDirectory
	RootDirectory    string
	RootImage        string
	RootEphemeral    bool
	RootOptions      [][2]string // RootImageOptions=: partition, mount options
	RootPolicy       string      // RootImagePolicy=, "" for the default
	RootHash         Blob
	RootSignature    Blob   // RootHashSignature=
	RootVerity       string // the file with the hashes of RootImage=
	MountPolicy      string // MountImagePolicy=
	ExtensionPolicy  string // ExtensionImagePolicy=
	MountAPIVFS      *bool
	BindLogSockets   *bool

	Environment      []string // NAME=VALUE, each name once
	EnvironmentFiles []Optional
	PassEnvironment  []string
	UnsetEnvironment []string // NAME or NAME=VALUE
	SearchPath       []string // ExecSearchPath=

	UMask               uint32
	Limits              [16]*unix.Rlimit // by RLIMIT_*
	Nice                *int
	OOMScoreAdjust      *int
	CoredumpFilter      *uint64
	CPUPolicy           *int // SCHED_*
	CPUPriority         int
	CPUResetOnFork      bool
	CPUAffinity         *unix.CPUSet
	CPUAffinityFromNUMA bool // of the nodes of NUMAMask=
	IOClass             *int // IOPRIO_CLASS_*
	IOPriority          *int
	NUMAPolicy          *int
	NUMAMask            []int
	TimerSlack          *time.Duration
	Personality         *uint
	MemoryKSM           *bool
	MemoryTHP           string
	IgnoreSIGPIPE       bool
	KeyringMode         string // inherit, private, shared; "" is the default of the scope
	RemoveIPC           bool
	UtmpIdentifier      string
	UtmpMode            string

	Stdin, Stdout, Stderr Stdio
	StdinData             []byte
	TTY                   TTY
	SyslogIdentifier      string
	SyslogLevelPrefix     bool

	ReadWrite, ReadOnly, Inaccessible, ExecPaths, NoExecPaths []PathEntry
	Binds                                                     []Bind
	TemporaryFileSystems                                      []Temporary
	MountImages, ExtensionImages                              []Image
	ExtensionDirectories                                      []Optional
	MountFlags                                                string // shared, slave, private or ""

	PrivateTmp            string // no, yes (connected), disconnected
	PrivateVarTmp         string // the same of /var/tmp; "" is as PrivateTmp
	PrivateDevices        bool
	PrivateNetwork        bool
	NetworkNamespacePath  string
	PrivateIPC            bool
	IPCNamespacePath      string
	PrivateUsers          string // no, self, identity, full, managed
	UserNamespacePath     string
	PrivatePIDs           bool
	PrivateMounts         *bool
	PrivateBPF            string
	ProtectSystem         string // no, yes, full, strict
	ProtectHome           string // no, yes, read-only, tmpfs
	ProtectKernelTunables bool
	ProtectKernelModules  bool
	ProtectKernelLogs     bool
	ProtectControlGroups  string // no, yes, private, strict
	ProtectClock          bool
	ProtectHostname       string // no, yes, private
	Hostname              string // of ProtectHostname=private:NAME
	ProtectProc           string // default, noaccess, invisible, ptraceable
	ProcSubset            string // all, pid

	NoNewPrivileges        bool
	CapabilityBoundingSet  *uint64 // nil: all
	AmbientCapabilities    uint64
	SecureBits             int
	LockPersonality        bool
	MemoryDenyWriteExecute bool
	RestrictRealtime       bool
	RestrictSUIDSGID       bool
	RestrictNamespaces     *uint32 // CLONE_NEW* that stay allowed; nil: all
	RestrictFileSystems    []string
	AddressFamilies        *Families
	SystemCallFilter       *SystemCalls
	SystemCallLog          *SystemCalls
	SystemCallArchs        []string // names of architectures, "native" among them; nil: all
	SystemCallErrno        *int     // SystemCallErrorNumber=; nil: kill

	Directories              [5]Directory // by DirectoryKind
	PreserveRuntimeDirectory string       // no, yes, restart
	TimeoutClean             time.Duration

	LoadCredentials   []Credential
	SetCredentials    []Credential
	ImportCredentials []string

	SELinuxContext, AppArmorProfile, SmackProcessLabel string // with their "-"
}

// VarTmp is what PrivateTmp= makes of /var/tmp.
func (e *Exec) VarTmp() string { return cmp.Or(e.PrivateVarTmp, e.PrivateTmp) }

// An Optional is a path that may be missing if Optional, the "-" before it.
type Optional struct {
	Path     string
	Optional bool
}

// A WorkingDirectory is a path, or the home directory of the user.
type WorkingDirectory struct {
	Path     string
	Home     bool
	Optional bool
}

// A PathEntry is a path of ReadOnlyPaths= and its like.
type PathEntry struct {
	Path     string
	Optional bool // "-"
	InRoot   bool // "+": below RootDirectory=
}

// A Bind is one of BindPaths= or BindReadOnlyPaths=.
type Bind struct {
	Source, Target string
	ReadOnly       bool
	Shallow        bool // norbind
	Optional       bool
}

// An Image is one of MountImages= or ExtensionImages=.
type Image struct {
	Source, Target string // extensions have no target
	Options        [][2]string
	Optional       bool
}

// A Blob is what a setting says itself, or in a file, which is read when it is needed.
type Blob struct {
	Data []byte
	Path string
}

// A Temporary is one of TemporaryFileSystem=.
type Temporary struct {
	Path, Options string
}

// A Stdio is where a standard stream comes from or goes to.
type Stdio struct {
	Kind string // "" (the default), null, tty, tty-force, tty-fail, data, file, append, truncate, socket, fd, inherit, journal, kmsg, journal+console, kmsg+console
	Path string
	Name string // of fd:NAME
}

// A TTY are the settings of a terminal that is a standard stream.
type TTY struct {
	Path                          string
	Reset, VHangup, VTDisallocate bool
	Rows, Columns                 uint
}

// Families are the address families of RestrictAddressFamilies=.
type Families struct {
	Deny  bool     // "~": all but these
	Names []string // as written
	Set   seccomp.Families
}

// SystemCalls are what SystemCallFilter= or SystemCallLog= lists: what is allowed or what is refused, and each further word adds or, with the
// opposite sign, takes away.
type SystemCalls struct {
	Deny  bool
	Words []SystemCallWord // for those who show them
	List  seccomp.List
}

// A SystemCallWord is a system call or a group of them ("@clock"), with its own ":ERRNO".
type SystemCallWord struct {
	Word   string
	Invert bool // from a line with the other sign than the first
}

// DirectoryKind is one of the five kinds of directories that a service can have.
type DirectoryKind int

// The values of DirectoryKind.
const (
	RuntimeDirectory DirectoryKind = iota
	StateDirectory
	CacheDirectory
	LogsDirectory
	ConfigurationDirectory
)

// A Directory is RuntimeDirectory= and so on with its mode.
type Directory struct {
	Mode uint32
	List []ManagedDirectory
}

// A ManagedDirectory is one of them.
type ManagedDirectory struct {
	Path     string // relative to /run, /var/lib, /var/cache, /var/log, /etc
	Links    []string
	ReadOnly bool
}

// A Credential is one of LoadCredential= or SetCredential=.
type Credential struct {
	Name      string
	Path      string // to load it from
	Data      []byte
	Encrypted bool
}
