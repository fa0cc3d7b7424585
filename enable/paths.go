package enable

import (
	"os"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// SearchPath holds the unit directories of one scope, highest priority first,
// and which of them play a special part (systemd.unit(5), "Unit File Load
// Path"). Paths are relative to the tree and start with "/".
type SearchPath struct {
	Dirs []string

	Persistent string // where enable, mask, ... write
	Runtime    string // where they write with --runtime; "" without XDG_RUNTIME_DIR

	control    [2]string // persistent and runtime set-property
	transient  string
	generators [3]string // normal, early, late
}

// newSearchPath works out the unit directories of cfg.Scope. split says that
// /lib is a directory of its own, as in trees older than the merged /usr.
func newSearchPath(cfg Config, split bool) (*SearchPath, error) {
	sp := &SearchPath{}
	var dirs []string
	switch cfg.Scope {
	case System:
		sp.Persistent, sp.Runtime = "/etc/systemd/system", "/run/systemd/system"
		sp.control = [2]string{"/etc/systemd/system.control", "/run/systemd/system.control"}
		sp.transient = "/run/systemd/transient"
		sp.generators = [3]string{"/run/systemd/generator", "/run/systemd/generator.early", "/run/systemd/generator.late"}
		dirs = []string{
			sp.control[0], sp.control[1], sp.transient, sp.generators[1],
			sp.Persistent, "/etc/systemd/system.attached",
			sp.Runtime, "/run/systemd/system.attached",
			sp.generators[0],
			"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
		}
		if split {
			dirs = append(dirs, "/lib/systemd/system")
		}
		dirs = append(dirs, sp.generators[2])
	case Global:
		sp.Persistent, sp.Runtime = "/etc/systemd/user", "/run/systemd/user"
		dirs = []string{
			sp.Persistent, sp.Runtime,
			"/usr/local/share/systemd/user", "/usr/share/systemd/user",
			"/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
		}
	case User:
		if cfg.Tree.Prefix() != "" {
			return nil, syscall.EINVAL
		}
		var err error
		if dirs, err = sp.user(cfg.getenv); err != nil {
			return nil, err
		}
	}
	if value, set := cfg.LookUp("SYSTEMD_UNIT_PATH"); set {
		var err error
		if dirs, err = fromEnvironment(value, dirs); err != nil {
			return nil, err
		}
	}
	sp.Dirs = unique(dirs)
	return sp, nil
}

// user lists the directories of the calling user's manager. The runtime ones
// are there only when XDG_RUNTIME_DIR is set. Variables that
// name no absolute path are as if they were not set.
func (sp *SearchPath) user(getenv func(string) string) ([]string, error) {
	home := func(variable, below string) (string, error) {
		if d := getenv(variable); strings.HasPrefix(d, "/") {
			return path.Clean(d), nil
		}
		h, err := homeDir(getenv("HOME"))
		return path.Join(h, below), err
	}
	config, err := home("XDG_CONFIG_HOME", ".config")
	if err != nil {
		return nil, err
	}
	data, err := home("XDG_DATA_HOME", ".local/share")
	if err != nil {
		return nil, err
	}
	sp.Persistent = config + "/systemd/user"
	sp.control[0] = config + "/systemd/user.control"

	var dirs []string
	rt := getenv("XDG_RUNTIME_DIR")
	if !strings.HasPrefix(rt, "/") {
		rt = ""
	}
	add := func(ds ...string) { dirs = append(dirs, ds...) }
	addRuntime := func(ds ...string) {
		if rt != "" {
			add(ds...)
		}
	}
	if rt != "" {
		rt = path.Clean(rt) + "/systemd/"
		sp.Runtime = rt + "user"
		sp.control[1] = rt + "user.control"
		sp.transient = rt + "transient"
		sp.generators = [3]string{rt + "generator", rt + "generator.early", rt + "generator.late"}
	}
	add(sp.control[0])
	addRuntime(sp.control[1], sp.transient, sp.generators[1])
	add(sp.Persistent, config+"/systemd/user.attached")
	for _, d := range list(getenv("XDG_CONFIG_DIRS"), "") {
		add(d + "/systemd/user")
	}
	add("/etc/systemd/user")
	addRuntime(sp.Runtime, rt+"user.attached")
	add("/run/systemd/user")
	addRuntime(sp.generators[0])
	add(data + "/systemd/user")
	for _, d := range list(getenv("XDG_DATA_DIRS"), "/usr/local/share:/usr/share") {
		add(d + "/systemd/user")
	}
	add("/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
	addRuntime(sp.generators[2])
	return dirs, nil
}

// homeDir is the calling user's home: what HOME says if that is an absolute path, or else what passwd(5) says.
func homeDir(said string) (string, error) {
	if strings.HasPrefix(said, "/") {
		return said, nil
	}
	if os.Getuid() == 0 {
		return "/root", nil
	}
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil || !strings.HasPrefix(u.HomeDir, "/") {
		return "", syscall.ENXIO
	}
	return u.HomeDir, nil
}

// fromEnvironment applies SYSTEMD_UNIT_PATH: it replaces the list, and a
// trailing colon stands for the defaults. Another empty entry is an error; with nothing at all there are no directories.
func fromEnvironment(value string, defaults []string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	value, withDefaults := strings.CutSuffix(value, ":")
	var dirs []string
	for d := range strings.SplitSeq(value, ":") {
		if d == "" {
			if value == "" {
				continue // ":" alone: the defaults
			}
			return nil, syscall.EINVAL
		}
		dirs = append(dirs, path.Clean(absolute(d)))
	}
	if withDefaults {
		dirs = append(dirs, defaults...)
	}
	return dirs, nil
}

func list(value, fallback string) []string {
	if value == "" {
		value = fallback
	}
	var l []string
	for d := range strings.SplitSeq(value, ":") {
		if d != "" {
			l = append(l, path.Clean(absolute(d)))
		}
	}
	return l
}

// unique drops repeated entries and keeps the order.
func unique(l []string) []string {
	var out []string
	for _, s := range l {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// below reports whether p lies somewhere under dir, and what follows it.
func below(p, dir string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(p, dir)
	if !ok || !strings.HasPrefix(rest, "/") {
		return "", false
	}
	return rest[1:], true
}

func (sp *SearchPath) isSearchDir(dir string) bool { return slices.Contains(sp.Dirs, dir) }

// holding returns the first search directory that p lies under, at any depth.
func (sp *SearchPath) holding(p string) (dir, rest string, ok bool) {
	for _, d := range sp.Dirs {
		if rest, ok := below(p, d); ok {
			return d, rest, true
		}
	}
	return "", "", false
}

func (sp *SearchPath) isConfig(dir string) bool {
	return dir == sp.Persistent || dir == sp.Runtime && dir != ""
}

func (sp *SearchPath) isGenerator(dir string) bool {
	return dir != "" && (dir == sp.generators[0] || dir == sp.generators[1] || dir == sp.generators[2])
}

func (sp *SearchPath) isTransient(dir string) bool { return dir != "" && dir == sp.transient }

func (sp *SearchPath) isControl(dir string) bool {
	return dir != "" && (dir == sp.control[0] || dir == sp.control[1])
}

// isRuntime tells whether what lies in dir is gone after a reboot.
func (sp *SearchPath) isRuntime(dir string) bool {
	if _, ok := below(dir, "/run"); ok || dir == "/run" {
		return true
	}
	return dir != "" && dir == sp.Runtime || sp.isGenerator(dir) || sp.isTransient(dir) || dir != "" && dir == sp.control[1]
}

// isVendor tells whether dir belongs to the distribution, not the administrator.
func (sp *SearchPath) isVendor(dir string) bool {
	_, usr := below(dir, "/usr")
	_, lib := below(dir, "/lib")
	return usr || lib || sp.isGenerator(dir)
}
