package namespace

import (
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"ctl/sandbox/service"
)

const (
	api    = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC
	strict = unix.MOUNT_ATTR_STRICTATIME
)

// empty are the limits of a tmpfs that holds nothing but mount points.
var empty = [...]string{"size=4m", "nr_inodes=1k"}

// limited are the limits of a tmpfs that holds what a service likes.
var limited = [...]string{"size=10%", "nr_inodes=400k"}

// collect lists what the settings ask for, in no order that means anything.
func collect(q *Request) list {
	var l list
	e := q.Exec
	if q.Sandbox {
		q.access(&l, "ReadWritePaths=", e.ReadWrite, ReadWrite)
		q.access(&l, "ReadOnlyPaths=", e.ReadOnly, ReadOnly)
		q.access(&l, "InaccessiblePaths=", e.Inaccessible, Inaccessible)
		q.access(&l, "ExecPaths=", e.ExecPaths, Exec)
		q.access(&l, "NoExecPaths=", e.NoExecPaths, NoExec)
	}
	q.overlays(&l)
	for i, m := range q.Images.Mount {
		if m != nil {
			t := e.MountImages[i]
			l.add("MountImages=", Mount{Path: t.Target, Source: t.Source, Kind: Image, image: m})
		}
	}
	q.binds(&l)
	q.directories(&l)
	for _, t := range e.TemporaryFileSystems {
		l.add("TemporaryFileSystem=", temporary(t))
	}
	if q.Sandbox {
		q.protect(&l)
	}
	q.surroundings(&l)
	return l
}

// access adds paths of ReadOnlyPaths= and its kin. They are the host's unless "+" says otherwise, and those outside the root directory mean nothing.
func (q *Request) access(l *list, why string, paths []service.PathEntry, kind Kind) {
	for _, p := range paths {
		at := p.Path
		if q.Root != "" && !p.InRoot {
			in, ok := below(at, q.Root)
			if !ok {
				continue
			}
			at = in
		}
		l.add(why, Mount{Path: at, Kind: kind, Optional: p.Optional})
	}
}

func (q *Request) binds(l *list) {
	for _, b := range q.Exec.Binds {
		m := Mount{Path: b.Target, Source: b.Source, Kind: BindAll, ReadOnly: b.ReadOnly, Optional: b.Optional}
		if b.Shallow {
			m.Kind = Bind
		}
		why := "BindPaths="
		if b.ReadOnly {
			why = "BindReadOnlyPaths="
		}
		l.add(why, m)
	}
}

// directories are writable whatever else is not. Those of a dynamic user are in a directory that others cannot enter.
func (q *Request) directories(l *list) {
	e := q.Exec
	for k := range e.Directories {
		kind := service.DirectoryKind(k)
		private := e.DynamicUser && privateKind(kind)
		why := directorySettings[k]
		for i, d := range e.Directories[k].List {
			top := q.Directories[k]
			if private && !q.rooted() && i == 0 {
				l.add(why, Mount{Path: top + "/private", Kind: Tmpfs, Attr: api | strict, ReadOnly: true, Options: append([]string{"mode=0755"}, empty[:]...)})
			}
			source := path.Join(top, d.Path)
			if private {
				source = path.Join(top, "private", d.Path)
			}
			target := source
			if private && q.rooted() {
				target = path.Join(top, d.Path)
			}
			if within(e.Directories[k].List, d.Path) {
				continue
			}
			l.add(why, Mount{Path: target, Source: source, Kind: BindAll, ReadOnly: d.ReadOnly, NoSUID: e.DynamicUser})
		}
	}
}

var directorySettings = [...]string{"RuntimeDirectory=", "StateDirectory=", "CacheDirectory=", "LogsDirectory=", "ConfigurationDirectory="}

// surroundings are what a service has besides its settings.
func (q *Request) surroundings(l *list) {
	if q.Credentials != "" {
		l.add("LoadCredential=", Mount{Path: "/run/credentials", Kind: Tmpfs, ReadOnly: true, Attr: api | strict, Options: append([]string{"mode=0755"}, empty[:]...)},
			Mount{Path: q.Credentials, Source: q.Credentials, Kind: Bind, ReadOnly: true, Optional: true})
	} else {
		l.add("credentials of others", Mount{Path: "/run/credentials", Kind: Inaccessible, Optional: true})
	}
	if q.Sandbox && q.logSockets() {
		for _, name := range [...]string{"socket", "stdout", "dev-log"} {
			p := "/run/systemd/journal/" + name
			l.add("BindLogSockets=", Mount{Path: p, Source: p, Kind: Bind, ReadOnly: true, NoSUID: true, NoExec: true, Optional: true})
		}
	}
	if dir := q.release(); dir != "" {
		l.add("MountAPIVFS=", Mount{Path: "/run/host" + releaseDir, Source: dir, Kind: Bind, ReadOnly: true, Optional: true})
	}
	if q.Pressure != "" && q.Exec.ProtectControlGroups != "" && on(q.Exec.ProtectControlGroups) && q.Exec.ProtectControlGroups != "private" {
		l.add("MemoryPressureWatch=", Mount{Path: q.Pressure, Kind: ReadWrite})
	}
	if q.Tree != "" && !q.rooted() { // nothing is mounted in it yet
		l.add("--root=", Mount{Path: "/proc", Source: "/proc", Kind: Proc, Options: procOptions(q.Exec), Optional: !on(q.Exec.ProtectProc) && !on(q.Exec.ProcSubset)},
			Mount{Path: "/dev", Source: "/dev", Kind: HostDev}, Mount{Path: "/sys", Source: "/sys", Kind: HostSys})
	}
	if p := q.NotifySocket(); p != q.Notify {
		l.add("NotifyAccess=", Mount{Path: p, Source: q.Notify, Kind: Bind, ReadOnly: true})
	}
}

// NotifySocket is the path of the socket that is notified as the command sees it.
func (q *Request) NotifySocket() string {
	if q.Notify != "" && (q.Tree != "" && q.Tree != "/" || q.Sandbox && q.rooted() && q.apiFileSystems()) {
		return "/run/host/notify"
	}
	return q.Notify
}

// release is the directory of the host with a copy of its os-release, "" if the service does not get one.
func (q *Request) release() string {
	if !q.Sandbox || !q.rooted() || !q.apiFileSystems() || q.Runtime == "" {
		return ""
	}
	return q.Runtime + releaseDir
}

// links are the names that directories have besides, and that of the host's os-release.
func (q *Request) links() [][2]string {
	var l [][2]string
	for k := range q.Exec.Directories {
		top := q.Directories[k]
		add := func(name, to string) {
			at := path.Join(top, name)
			if to, err := filepath.Rel(path.Dir(at), path.Join(top, to)); err == nil {
				l = append(l, [2]string{at, to})
			}
		}
		for _, d := range q.Exec.Directories[k].List {
			for _, name := range d.Links {
				add(name, d.Path)
			}
			if q.Exec.DynamicUser && privateKind(service.DirectoryKind(k)) && !q.rooted() {
				add(d.Path, "private/"+d.Path)
			}
		}
	}
	if q.release() != "" {
		l = append(l, [2]string{"/run/host/os-release", releaseDir[1:] + "/os-release"})
	}
	return l
}

// within tells whether a directory of a list is in another of it, whose mount is its too.
func within(l []service.ManagedDirectory, p string) bool {
	return slices.ContainsFunc(l, func(d service.ManagedDirectory) bool {
		_, in := below("/"+p, "/"+d.Path)
		return in && d.Path != p
	})
}
