// Package namespace makes the mount namespace of a service, systemd.exec(5) "Paths" and "Sandboxing": from the settings a Plan, a list
// of mounts each of which knows the setting that asks for it, and from the Plan, on a thread of its own, the mounts. Nothing is ever mounted
// where the host sees it.
package namespace

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/tree"
	"ctl/sandbox/image"
	"ctl/sandbox/service"
)

// A Request is what the mount namespace of a command depends on.
type Request struct {
	Exec *service.Exec
	Unit string

	Tree    string         // the directory that is the host's root directory to the service, "" for "/"
	Runtime string         // a directory of ours, in which one for mounts on the way is made; "" for none
	Root    string         // RootDirectory=, a path of the host's; "" for a command that has none
	Image   *image.Mounted // RootImage=
	Copy    string         // the directory that is in the place of Root, RootEphemeral=
	Images  Images
	Sandbox bool // the command is not one with "+"
	User    bool // it is what a user's manager would start

	Directories [5]string // where RuntimeDirectory= and its kin are, by service.DirectoryKind
	Tmp, VarTmp string    // what PrivateTmp=yes has at /tmp and /var/tmp, "" for none
	Credentials string    // the directory with the credentials, "" for none
	Notify      string    // the socket that is notified, "" for none
	Pressure    string    // the file with the memory pressure of its cgroup, "" for none

	Without func(setting string, err error) error // decides whether what protects and cannot be had is done without, nil for yes

	layers []layer
	err    error
}

// Images are the disk images of MountImages= and ExtensionImages=, nil for one that there is not and need not be.
type Images struct{ Mount, Extension []*image.Mounted }

// rooted tells whether the command has another root directory than the host's.
func (q *Request) rooted() bool { return q.Root != "" || q.Image != nil }

// A Plan is a mount namespace.
type Plan struct {
	Mounts      []Mount     // in the order in which they are made
	Links       [][2]string // made after the mounts: where, and where to
	NoSUID      bool        // no program gets the rights of its owner
	Propagation uint64      // MS_SHARED and its kin, of all of it in the end
	Essential   bool        // without it, the service would be in another environment, not only in a less protected one

	q *Request
}

// New is the plan for a command, nil if its settings take no mount namespace.
func New(q *Request) *Plan {
	if q.Tree == "/" {
		q.Tree = ""
	}
	if q.Root == "/" {
		q.Root = ""
	}
	if !needed(q) {
		return nil
	}
	q.resolve()
	q.err = q.extensions()
	p := &Plan{q: q, Propagation: propagation(q.Exec), Essential: essential(q)}
	p.NoSUID = q.Sandbox && q.Exec.NoNewPrivileges
	l := collect(q)
	l.sortAndDrop()
	p.Mounts, p.Links = l, q.links()
	return p
}

// resolve follows the links of the root directory's path, for paths of the host are compared with where it is.
func (q *Request) resolve() {
	if q.Root == "" {
		return
	}
	t, err := tree.Open(q.Tree)
	if err != nil {
		return
	}
	defer t.Close()
	if p, err := t.Resolve(q.Root, true); err == nil {
		q.Root = p
	}
}

// Settings are the settings that ask for the mounts, each once.
func (p *Plan) Settings() []string {
	var l []string
	seen := make(map[string]bool)
	for i := range p.Mounts {
		if w := p.Mounts[i].Why; strings.HasSuffix(w, "=") && !seen[w] {
			seen[w] = true
			l = append(l, w)
		}
	}
	return l
}

func propagation(e *service.Exec) uint64 {
	switch e.MountFlags {
	case "slave":
		return unix.MS_SLAVE
	case "private":
		return unix.MS_PRIVATE
	}
	return unix.MS_SHARED
}

// on tells whether a setting with several values says anything but no.
func on(value string) bool {
	return value != "" && value != "no" && value != "default" && value != "all"
}

// apiFileSystems tells whether MountAPIVFS= holds.
func (q *Request) apiFileSystems() bool {
	if b := q.Exec.MountAPIVFS; b != nil {
		return *b
	}
	return q.rooted()
}

// logSockets tells whether BindLogSockets= holds.
func (q *Request) logSockets() bool {
	if b := q.Exec.BindLogSockets; b != nil {
		return *b
	}
	return q.apiFileSystems() || q.rooted() && q.Exec.PrivateDevices
}

// privateKinds are the kinds of directories that DynamicUser= has below a directory "private".
func privateKind(k service.DirectoryKind) bool {
	return k == service.StateDirectory || k == service.CacheDirectory || k == service.LogsDirectory
}

// needed tells whether the settings take a mount namespace.
func needed(q *Request) bool {
	e := q.Exec
	switch {
	case q.Tree != "", q.Image != nil, len(e.ReadWrite) > 0, len(e.ReadOnly) > 0, len(e.Inaccessible) > 0, len(e.ExecPaths) > 0, len(e.NoExecPaths) > 0,
		len(e.Binds) > 0, len(e.TemporaryFileSystems) > 0, len(e.MountImages) > 0, len(e.ExtensionImages) > 0, len(e.ExtensionDirectories) > 0,
		e.MountFlags == "slave", e.MountFlags == "private",
		e.PrivateTmp == "disconnected", q.Tmp != "", q.VarTmp != "",
		e.PrivateDevices, e.ProtectKernelTunables, e.ProtectKernelModules, e.ProtectKernelLogs, e.PrivateIPC, e.IPCNamespacePath != "", e.PrivatePIDs,
		on(e.ProtectSystem), on(e.ProtectHome), on(e.ProtectControlGroups), on(e.ProtectProc), on(e.ProcSubset), on(e.PrivateBPF), q.logSockets():
		return true
	}
	if e.PrivateMounts != nil && *e.PrivateMounts || e.PrivateMounts == nil && (e.PrivateNetwork || e.NetworkNamespacePath != "") {
		return true
	}
	if q.Root != "" && q.apiFileSystems() {
		return true
	}
	for k := range e.Directories {
		for _, d := range e.Directories[k].List {
			if q.Root != "" || d.ReadOnly || e.DynamicUser && privateKind(service.DirectoryKind(k)) {
				return true
			}
		}
	}
	return false
}

// essential tells whether without the namespace there would be another environment.
func essential(q *Request) bool {
	e := q.Exec
	if len(e.TemporaryFileSystems) > 0 || q.rooted() || e.DynamicUser || len(e.ExtensionImages) > 0 || len(e.ExtensionDirectories) > 0 || e.PrivatePIDs {
		return true
	}
	for _, b := range e.Binds {
		if b.Source != b.Target {
			return true
		}
	}
	return false
}

// below tells whether p is dir or in it, and what it is called there: "/" or "/name".
func below(p, dir string) (string, bool) {
	if dir == "/" {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, dir)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return path.Join("/", rest), true
}
