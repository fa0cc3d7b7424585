package namespace

import (
	"slices"
	"strings"

	"ctl/sandbox/image"
)

// A Mount is something that is mounted, or whose attributes are set.
type Mount struct {
	Path     string // in the service's root directory
	Kind     Kind
	Source   string   // of a bind and of what the kernel has one of: a path of the host's; of PrivateTmp=disconnected, a name in the memory that there is for it
	Options  []string // of a new file system
	Attr     uint64   // MOUNT_ATTR_* of a new file system
	ReadOnly bool
	NoExec   bool
	Exec     bool
	NoSUID   bool
	Optional bool   // nothing is lost when there is no such path
	Why      string // the setting that asks for it

	layers   []int          // of an overlay, those of Request.layers, the lowest first
	image    *image.Mounted // of an image
	made     bool
	left     bool // as it was, for there is a mount already: it keeps its attributes
	followed int  // links
}

// Kind is what is done at a path. Of two mounts at the same path the one with the lower Kind comes first.
type Kind int

// The values of Kind.
const (
	Inaccessible Kind = iota
	Overlay           // extensions over what is there
	Image             // a disk image
	Bind              // without what is mounted below the source
	BindAll
	PrivateTmp
	PrivateDev
	HostDev
	PrivateSys
	HostSys
	Proc
	PrivateCgroup
	ReadOnly
	ReadWrite
	NoExec
	Exec
	Tmpfs
	Run
	MessageQueues
	BPF
	Writable // an exception that systemd makes, not the unit
)

var kindNames = [...]string{"inaccessible", "overlay", "image", "bind", "bind", "bind", "devices", "bind", "sysfs", "bind", "proc", "cgroup2", "read-only", "writable",
	"noexec", "exec", "tmpfs", "tmpfs", "mqueue", "bpf", "writable"}

func (k Kind) String() string { return kindNames[k] }

func (m *Mount) readOnly() bool { return m.ReadOnly || m.Kind == ReadOnly || m.Kind == Inaccessible }

func (m *Mount) noExec() bool {
	switch m.Kind {
	case NoExec, Inaccessible, PrivateSys, HostSys, Proc, PrivateCgroup:
		return true
	}
	return m.NoExec
}

func (m *Mount) exec() bool { return m.Exec || m.Kind == Exec }

type list []Mount

func (l *list) add(why string, m ...Mount) {
	for _, m := range m {
		m.Why = why
		*l = append(*l, m)
	}
}

// comparePaths has a directory before what is in it, and names in the order of their bytes.
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(strings.TrimPrefix(a, "/"), "/")
		y, b, _ = strings.Cut(strings.TrimPrefix(b, "/"), "/")
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// sortAndDrop puts the mounts in the order in which they can be made, and drops those that say nothing, systemd's rules.
func (l *list) sortAndDrop() {
	slices.SortStableFunc(*l, func(a, b Mount) int {
		if c := comparePaths(a.Path, b.Path); c != 0 {
			return c
		}
		return int(a.Kind) - int(b.Kind)
	})
	l.dropDuplicates()
	l.dropHidden()
	l.dropSame()
}

// dropDuplicates leaves of several mounts at a path the first, with the attributes of all.
func (l *list) dropDuplicates() {
	kept := (*l)[:0]
	for _, m := range *l {
		if n := len(kept); n > 0 && kept[n-1].Path == m.Path && !kept[n-1].made && !m.made {
			k := &kept[n-1]
			k.ReadOnly = k.ReadOnly || m.readOnly()
			k.NoExec = k.NoExec || m.noExec()
			k.Exec = k.Exec || m.exec()
			continue
		}
		kept = append(kept, m)
	}
	*l = kept
}

// dropHidden drops what is in an inaccessible directory.
func (l *list) dropHidden() {
	hidden := ""
	*l = slices.DeleteFunc(*l, func(m Mount) bool {
		if hidden != "" {
			if _, in := below(m.Path, hidden); in {
				return true
			}
		}
		hidden = ""
		if m.Kind == Inaccessible {
			hidden = m.Path
		}
		return false
	})
}

// dropSame drops what says the same as the next mount above it.
func (l *list) dropSame() {
	kept := (*l)[:0]
next:
	for _, m := range *l {
		if m.Kind == ReadOnly || m.Kind == ReadWrite || m.Kind == Writable {
			for i := len(kept) - 1; i >= 0; i-- {
				if _, in := below(m.Path, kept[i].Path); in {
					if kept[i].Kind == m.Kind {
						continue next
					}
					break
				}
			}
		}
		kept = append(kept, m)
	}
	*l = kept
}
