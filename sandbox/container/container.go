// Package container starts a process in namespaces and a directory tree of its own. A Container describes what is
// wanted; its Plan lists what that takes, mount by mount; Start does it. Nothing is ever mounted where the host sees it,
// so that a container that ends, however, leaves nothing.
//
// It implements what systemd-nspawn(1) and https://systemd.io/CONTAINER_INTERFACE promise a container.
package container

import (
	"os"

	"golang.org/x/sys/unix"
)

// A Container is the description of a container, all of it decided: no name is to be looked up on the host any more.
type Container struct {
	Tree       string       // the directory that becomes its root, on the host
	Below      *os.File     // or an open directory or mount, instead of Tree
	Enter      func() error // has a thread join the mount namespace where Tree is, if that is not the caller's
	Parts      []string     // what is mounted below Tree and belongs to it, however volatile it is
	ReadOnly   bool         // the tree; what else is mounted stays writable
	Changes    string       // a directory with the directories upper and work of overlayfs, which takes all changes of the tree; "" if the tree does
	Volatile   Volatile     // what of the tree is in memory only
	PivotRoot  [2]string    // a directory of the tree that becomes the root, and where the former root goes
	User       *User        // whom the payload runs as, root if nil
	Process    Process      // what is started
	Identity   Identity     // what it is called
	Mounts     []Custom     // what the caller wants mounted besides
	Nodes      []DeviceNode // devices and fifos that the caller wants made
	Namespace  Namespaces   // which it has of its own
	Users      *UserMap     // its user namespace, nil if it shares the caller's
	Limit      Limits       // what it may do and use
	Files      []File       // to be written below /run/host, or elsewhere in its root
	Creds      []Secret     // credentials for CREDENTIALS_DIRECTORY
	Writable   APIWritable  // the kernel's interfaces in /proc and /sys
	NoTmp      bool         // /tmp is the tree's
	Console    bool         // a pseudo terminal is its console
	Cgroup     *os.File     // the cgroup that the first process is forked into, if the kernel can, or nil
	Stdio      [3]*os.File  // the payload's, where there is no console
	Pass       []*os.File   // the payload's further file descriptors, from 3 on
	Keep       []int        // file descriptors to be held open until the container is gone: locks
	ResolvConf ResolvConf
	Timezone   Timezone
	Label      *string // the SELinux context of its file systems in memory
	Journal    bool    // it is to be kept, if only in memory
	Incoming   string  // a directory of the host, what is mounted below which appears in the container too, for machinectl(1)
}

// Volatile says which parts of a tree are temporary, systemd-nspawn(1) --volatile=.
type Volatile int

// The values of Volatile.
const (
	VolatileNo      Volatile = iota
	VolatileYes              // all but /usr
	VolatileState            // /var
	VolatileOverlay          // all changes
)

// Process is what is started in a container.
type Process struct {
	Argv    []string
	Paths   []string // the files tried one after the other to execute; absolute
	Login   bool     // Argv begins with what says to the shell that is found that it is a login shell
	Env     []string // the whole environment
	Dir     string   // the working directory, "/" if empty
	Stub    bool     // below a process of ours that is PID 1
	Pipe    bool     // has the caller's descriptors and no controlling terminal
	StubBin string   // the path of ctl on the host, for the stub
}

// User is whom a payload runs as, IDs as seen in the container.
type User struct {
	UID, GID uint32
	Groups   []uint32
	Name     string
	Home     string
	Shell    string
}

// Identity is what a container is called.
type Identity struct {
	Hostname string
	UUID     string // 32 hexadecimal digits
	Manager  string // the value of container=, and /run/host/container-manager
}

// Namespaces are those that a container has of its own, besides its mounts.
type Namespaces struct {
	PID, IPC, UTS, Cgroup, Network bool
	NetworkPath                    *os.File // a network namespace to join
	NetworkView                    bool     // /sys shows that one's devices and little else
	Queues                         bool     // show the message queues though they are not its own
	Loopback                       bool     // bring up the loopback interface of that
}

// UserMap is a user namespace: the IDs from 0 to Range-1 in it are those from Base on outside.
type UserMap struct {
	Base, Range uint32
	Owner       Ownership
}

// Ownership says how the files of a tree get owners that its container can use.
type Ownership int

// The values of Ownership, systemd-nspawn(1) --private-users-ownership=.
const (
	OwnedAsIs    Ownership = iota
	OwnedByMap             // an idmapped mount, mount_setattr(2)
	OwnedForeign           // an idmapped mount of files of the foreign UID range
)

// APIWritable says which of the kernel's interfaces a container may write.
type APIWritable int

// The values of APIWritable, of the environment variable SYSTEMD_NSPAWN_API_VFS_WRITABLE.
const (
	WriteNothing APIWritable = iota
	WriteNetwork
	WriteAll
)

// Limits are what the payload may do and use.
type Limits struct {
	Capabilities    uint64  // bounding, permitted, effective and inheritable
	Inheritable     *uint64 // or this
	Ambient         uint64
	NoNewPrivileges bool
	Filters         [][]unix.SockFilter
	Rlimits         [16]*unix.Rlimit // by RLIMIT_*
	OOMScoreAdjust  *int
	Affinity        *unix.CPUSet
	Personality     *uint
	Label           string   // the SELinux context of the payload
	Hardened        bool     // no devices of the tree, no user namespaces below its own, nothing to inherit
	Cgroup          *os.File // the directory of the cgroup that it is put into, nil for the caller's
}

// Custom is a mount that the caller wants.
type Custom struct {
	Kind     CustomKind
	Source   string   // a path of the host or, with InTree, of the tree
	InTree   bool     // Source is in the tree
	Lower    []string // of an overlay, the lowest first; InTree paths begin with "+"
	Work     string   // of an overlay
	Target   string   // in the container
	Type     string   // of a FileSystem
	Options  string   // of a tmpfs or FileSystem, as mount(8) takes them
	ReadOnly bool
	Shallow  bool // without what is mounted below Source
	May      bool // nothing is lost when there is no Target to be Inaccessible
	Map      IDMap
	Owner    uint32 // of MapUser
}

// Upper is the uppermost directory of an overlay, which is made if it is missing; "" for one that is made anyway. In the tree it begins with "+".
func (m *Custom) Upper() string {
	if m.ReadOnly && len(m.Lower) > 0 {
		return m.Lower[len(m.Lower)-1]
	}
	return m.Source
}

// A DeviceNode is a device or fifo of a path in the container, with the type in its mode, that belongs to a user of the container.
type DeviceNode struct {
	Path     string
	Mode     uint32
	Device   int
	UID, GID uint32
}

// CustomKind is what is mounted.
type CustomKind int

// The values of CustomKind.
const (
	Bind CustomKind = iota
	Tmpfs
	Overlay
	Inaccessible
	FileSystem // of any type
)

// IDMap says whom the files of a bind mount belong to, systemd-nspawn(1) --bind=.
type IDMap int

// The values of IDMap.
const (
	NoMap IDMap = iota
	MapAll
	MapRoot
	MapOwner
	MapUser // the source's owner is one of the container's users
)

// File is something small that is written in the container's memory.
type File struct {
	Path string
	Mode uint32
	Data []byte
	Link string // what it leads to, if it is a link
}

// Secret is a credential, https://systemd.io/CREDENTIALS.
type Secret struct {
	Name string
	Data []byte
}

func (c *Container) shift() int {
	if c.Users == nil {
		return 0
	}
	return int(c.Users.Base)
}
