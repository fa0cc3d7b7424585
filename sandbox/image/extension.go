package image

import (
	"errors"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/tree"
	"ctl/internal/unit"
)

// ErrNoExtension is a tree that extends nothing, or another system.
var ErrNoExtension = errors.New("it does not say that it extends this system, os-release(5)")

// extensionKinds are the kinds of extensions: where they say what they extend, and the level of the system that they need.
var extensionKinds = [...]struct{ dir, level string }{{"/usr/lib/extension-release.d", "SYSEXT_LEVEL"}, {"/etc/extension-release.d", "CONFEXT_LEVEL"}}

// Extended are the directories that extensions can extend; those of services all of them, of whatever kind they are.
var Extended = [...]string{"/etc", "/opt", "/usr"}

// Extension lists the directories of a tree that extend those of a system, whose os-release is given and says which it is. The tree has to say
// that it fits, in a file with its name, or what of that is before "_" and a version, systemd-sysext(8); relaxed, in any file of the kind.
func Extension(t *tree.Tree, name string, system func(variable string) string, relaxed bool) (dirs []string, err error) {
	found := false
	for _, k := range extensionKinds {
		data, err := release(t, k.dir, name, relaxed)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, err
		}
		own := func(variable string) string { return unit.EnvFile(data, variable) }
		if system("ID") == "" || !fits(own, system, k.level) {
			return nil, ErrNoExtension
		}
		found = true
	}
	if !found {
		return nil, ErrNoExtension
	}
	for _, d := range Extended {
		if st, err := t.Stat(d); err == nil && st.Kind == tree.Directory {
			dirs = append(dirs, d)
		}
	}
	return dirs, nil
}

// release is what an extension says of itself. A file of another name counts if it is the only one, and says that its name does not matter.
func release(t *tree.Tree, dir, name string, relaxed bool) ([]byte, error) {
	const most = 1 << 20
	unversioned, _, _ := strings.Cut(name, "_")
	for _, n := range [...]string{name, unversioned} {
		if data, _, err := t.ReadFile(dir+"/extension-release."+n, most); !errors.Is(err, unix.ENOENT) {
			return data, err
		}
	}
	d, err := t.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.Entries()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "extension-release.") {
			names = append(names, e.Name)
		}
	}
	if len(names) != 1 {
		return nil, unix.ENOENT
	}
	if !relaxed {
		fd, err := t.Handle(path.Join(dir, names[0]), unix.O_RDONLY)
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
		var value [8]byte
		n, err := unix.Fgetxattr(fd, "user.extension-release.strict", value[:])
		if strict, ok := unit.Boolean(string(value[:max(n, 0)])); err != nil || !ok || strict {
			return nil, unix.ENOENT
		}
	}
	data, _, err := t.ReadFile(path.Join(dir, names[0]), most)
	return data, err
}

// fits tells whether an extension is for a system: the same architecture, the same system or any, and of it the same level or, where
// there are no levels, the same version.
func fits(own, system func(variable string) string, level string) bool {
	if a := own("ARCHITECTURE"); a != "" && a != "_any" && a != Architecture() {
		return false
	}
	id := own("ID")
	switch {
	case id == "_any":
		return true
	case id == "" || id != system("ID") && !slices.Contains(strings.Fields(system("ID_LIKE")), id):
		return false
	}
	version := system("VERSION_ID")
	if system(level) != "" && own(level) != "" {
		return system(level) == own(level)
	}
	return version == "" || version == own("VERSION_ID") // those that are always the newest have none
}

// Architecture is what systemd calls the architecture that we are built for.
func Architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	case "ppc64le":
		return "ppc64-le"
	case "loong64":
		return "loongarch64"
	}
	return runtime.GOARCH
}
