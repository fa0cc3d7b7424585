package sandbox

import (
	"math"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/json"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

var linuxFields = [...]field{
	{Name: "namespaces", Type: json.Array, Set: (*bundle).namespaces},
	{Name: "uidMappings", Type: json.Array, Set: (*bundle).mappings},
	{Name: "gidMappings", Type: json.Array, Set: (*bundle).mappings},
	{Name: "devices", Type: json.Array, Set: (*bundle).devices},
	{Name: "cgroupsPath", Type: json.String, Set: (*bundle).cgroupsPath},
	{Name: "resources", Type: json.Object, Set: func(b *bundle, v *json.Value) error { return json.Dispatch(v, resourceFields[:], b) }},
	{Name: "intelRdt", Type: json.Object, Lenient: true},
	{Name: "sysctl", Type: json.Object, Set: (*bundle).sysctl},
	{Name: "seccomp", Type: json.Object, Set: (*bundle).seccomp},
	{Name: "rootfsPropagation", Type: json.String}, // a container has one of its own
	{Name: "maskedPaths", Type: json.Array, Set: func(b *bundle, v *json.Value) error {
		return b.paths(v, container.Custom{Kind: container.Inaccessible, May: true})
	}},
	{Name: "readonlyPaths", Type: json.Array, Set: func(b *bundle, v *json.Value) error {
		return b.paths(v, container.Custom{Kind: container.Bind, InTree: true, ReadOnly: true})
	}},
	{Name: "mountLabel", Type: json.String, Lenient: true},
}

// ownMounts are the places where a container has mounts whatever a bundle says.
var ownMounts = [...]string{"/dev", "/dev/mqueue", "/dev/pts", "/dev/shm", "/proc", "/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus", "/proc/fs",
	"/proc/irq", "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/sys", "/proc/sys/net", "/proc/sysrq-trigger",
	"/proc/timer_list", "/run", "/sys", "/sys/fs/selinux", "/tmp"}

func ownMount(p string) bool {
	p = path.Clean(p)
	return slices.Contains(ownMounts[:], p) || strings.HasPrefix(p+"/", "/sys/fs/cgroup/")
}

func (b *bundle) add(m container.Custom) {
	b.o.mounts = append(b.o.mounts, m)
	b.given(givenMounts)
}

func (b *bundle) mounts(v *json.Value) error {
	list := v.Elements()
	for i := range list {
		var m container.Custom
		var options []string
		var typ string
		var source *string
		err := json.Dispatch(&list[i], []field{
			{Name: "destination", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) (err error) {
				m.Target, err = filePath(v)
				return err
			}},
			{Name: "source", Type: json.String, Set: func(_ *bundle, v *json.Value) error { source = new(v.Text()); return nil }},
			{Name: "options", Type: json.Array, Set: func(_ *bundle, v *json.Value) (err error) {
				options, err = v.Strings()
				return err
			}},
			{Name: "type", Type: json.String, Set: func(_ *bundle, v *json.Value) error { typ = v.Text(); return nil }},
		}, b)
		if err != nil {
			return err
		}
		if ownMount(m.Target) {
			continue
		}
		if typ == "" || typ == "bind" {
			m.Kind = container.Bind
			if source != nil { // without one it is an empty directory
				m.Source = *source
				if !path.IsAbs(m.Source) {
					m.Source = path.Join(b.dir, m.Source)
				}
			}
			bindOptions(&m, strings.Join(options, ","))
		} else {
			m.Kind, m.Source, m.Type, m.Options = container.FileSystem, "none", typ, strings.Join(options, ",")
			if source != nil {
				m.Source = *source
			}
		}
		b.add(m)
	}
	return nil
}

// paths adds what is done to each path of a list.
func (b *bundle) paths(v *json.Value, m container.Custom) error {
	l, err := v.Strings()
	if err != nil {
		return err
	}
	for _, p := range l {
		if !path.IsAbs(p) {
			return v.Fail(unix.EINVAL, "'%s' is no absolute path", p)
		}
		if ownMount(p) {
			continue
		}
		m.Target = path.Clean(p)
		if m.InTree {
			m.Source = m.Target
		}
		b.add(m)
	}
	return nil
}

// namespaceNames are those of the specification.
var namespaceNames = [...]string{"pid", "network", "mount", "ipc", "uts", "user", "cgroup"}

func (b *bundle) namespaces(v *json.Value) error {
	list, seen := v.Elements(), []string{}
	for i := range list {
		e := &list[i]
		var kind, path string
		err := json.Dispatch(e, []field{
			{Name: "type", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				if kind = v.Text(); !slices.Contains(namespaceNames[:], kind) {
					return v.Fail(unix.EINVAL, "there is no namespace '%s'", kind)
				}
				return nil
			}},
			{Name: "path", Type: json.String, Set: func(_ *bundle, v *json.Value) (err error) {
				path, err = filePath(v)
				return err
			}},
		}, b)
		switch {
		case err != nil:
			return err
		case path != "" && kind != "network":
			return e.Fail(unix.EOPNOTSUPP, "only a network namespace can be joined")
		case slices.Contains(seen, kind):
			return e.Fail(unix.EINVAL, "namespace '%s' is there twice", kind)
		case path != "":
			b.o.networkPath = path
		}
		seen = append(seen, kind)
	}
	if !slices.Contains(seen, "mount") {
		return v.Fail(unix.EOPNOTSUPP, "a container has a mount namespace of its own")
	}
	b.o.namespaces = seen
	b.o.privateNetwork = slices.Contains(seen, "network")
	b.o.users = usersNo
	if slices.Contains(seen, "user") {
		b.o.users = usersFixed
		if b.maps == 0 {
			b.o.users, b.o.usersRange = usersOwner, math.MaxUint32
		}
	}
	b.given(givenNetwork | givenUsers)
	return nil
}

// mappings reads the user or group IDs of the container, which are one range, and the same.
func (b *bundle) mappings(v *json.Value) error {
	list := v.Elements()
	if len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		return v.Fail(unix.EOPNOTSUPP, "more than one range of IDs is not supported")
	}
	var inside, host, size uint32
	number := func(to *uint32) func(*bundle, *json.Value) error {
		return func(_ *bundle, v *json.Value) (err error) {
			*to, err = id(v)
			return err
		}
	}
	err := json.Dispatch(&list[0], []field{
		{Name: "containerID", Type: json.Unsigned, Mandatory: true, Set: number(&inside)},
		{Name: "hostID", Type: json.Unsigned, Mandatory: true, Set: number(&host)},
		{Name: "size", Type: json.Unsigned, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
			if v.Uint() == 0 || v.Uint() > math.MaxUint32 {
				return v.Fail(unix.ERANGE, "there are no ranges of that size")
			}
			size = uint32(v.Uint())
			return nil
		}},
	}, b)
	switch {
	case err != nil:
		return err
	case size > math.MaxUint32-host, size > math.MaxUint32-inside:
		return v.Fail(unix.EINVAL, "the range goes beyond the IDs that there are")
	case inside != 0:
		return v.Fail(unix.EOPNOTSUPP, "a range that begins at another ID than 0 is not supported")
	case b.maps > 0 && (b.o.usersBase != host || b.o.usersRange != size):
		return v.Fail(unix.EOPNOTSUPP, "user and group IDs that are not the same are not supported")
	}
	b.maps++
	b.o.usersBase, b.o.usersRange = host, size
	if b.o.users == usersOwner {
		b.o.users = usersFixed
	}
	return nil
}

// ownDevices are the numbers of the devices that a container has anyway, and its terminals.
var ownDevices = [...][2]uint32{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {10, 200}}

// deviceNumber reads the major or minor number of a device, which has so many bits.
func deviceNumber(to *uint32, bits int) func(*bundle, *json.Value) error {
	return func(_ *bundle, v *json.Value) error {
		if v.Uint() >= 1<<bits {
			return v.Fail(unix.ERANGE, "no device has the number %d", v.Uint())
		}
		*to = uint32(v.Uint())
		return nil
	}
}

// The bits of device numbers, and what stands for none.
const (
	majorBits = 12
	minorBits = 20
	noNumber  = math.MaxUint32
)

func (b *bundle) devices(v *json.Value) error {
	list := v.Elements()
	for i := range list {
		e := &list[i]
		n, kind, major, minor := container.DeviceNode{Mode: 0o644}, uint32(0), uint32(noNumber), uint32(noNumber)
		owner := func(to *uint32) func(*bundle, *json.Value) error {
			return func(_ *bundle, v *json.Value) (err error) {
				*to, err = id(v)
				return err
			}
		}
		err := json.Dispatch(e, []field{
			{Name: "type", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) error {
				switch v.Text() {
				case "c", "u":
					kind = unix.S_IFCHR
				case "b":
					kind = unix.S_IFBLK
				case "p":
					kind = unix.S_IFIFO
				default:
					return v.Fail(unix.EINVAL, "there is no device of the kind '%s'", v.Text())
				}
				return nil
			}},
			{Name: "path", Type: json.String, Mandatory: true, Set: func(_ *bundle, v *json.Value) (err error) {
				n.Path, err = filePath(v)
				return err
			}},
			{Name: "major", Type: json.Unsigned, Set: deviceNumber(&major, majorBits)},
			{Name: "minor", Type: json.Unsigned, Set: deviceNumber(&minor, minorBits)},
			{Name: "fileMode", Type: json.Unsigned, Set: func(_ *bundle, v *json.Value) error {
				if v.Uint() > 0o7777 {
					return v.Fail(unix.ERANGE, "this is no mode")
				}
				n.Mode = uint32(v.Uint())
				return nil
			}},
			{Name: "uid", Type: json.Unsigned, Set: owner(&n.UID)},
			{Name: "gid", Type: json.Unsigned, Set: owner(&n.GID)},
		}, b)
		if err != nil {
			return err
		}
		n.Mode |= kind
		if kind != unix.S_IFIFO {
			if major == noNumber || minor == noNumber {
				return e.Fail(unix.EINVAL, "a device has two numbers")
			}
			if kind == unix.S_IFCHR && slices.Contains(ownDevices[:], [2]uint32{major, minor}) {
				continue
			}
			n.Device = int(unix.Mkdev(major, minor))
		}
		b.o.devices = append(b.o.devices, n)
	}
	return nil
}

// sysctl looks at kernel settings, which the reference does not make.
func (b *bundle) sysctl(v *json.Value) error {
	return v.Members(func(name string, m *json.Value) error {
		wrong := func(r rune) bool { return r <= ' ' || r >= 127 || r == '/' }
		if !m.Is(json.String) || strings.ContainsFunc(name, wrong) || slices.Contains(strings.Split(name, "."), "") {
			return v.Fail(unix.EINVAL, "'%s' is no kernel setting with a text", name)
		}
		return nil
	})
}

// cgroupsPath takes the path of a slice, below the root of cgroups.
func (b *bundle) cgroupsPath(v *json.Value) error {
	slice, want := "-.slice", ""
	for name := range strings.SplitSeq(strings.Trim(v.Text(), "/"), "/") {
		if !strings.HasSuffix(name, ".slice") || !unit.Valid(name, unit.Plain) {
			break
		}
		slice = name
	}
	if prefix := strings.TrimSuffix(slice, ".slice"); prefix != "-" {
		for i, r := range prefix + "-" {
			if r == '-' {
				want = path.Join(want, prefix[:i]+".slice")
			}
		}
	}
	if want != strings.TrimRight(v.Text(), "/") || path.IsAbs(v.Text()) {
		return v.Fail(unix.EINVAL, "'%s' is the cgroup of no slice", v.Text())
	}
	b.o.slice = slice
	return nil
}
