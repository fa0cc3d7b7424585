package service

import (
	"os"
	"os/user"
	"path"
	"strconv"
	"strings"
	"syscall"

	"ctl/internal/unit"
)

// specifier is what a letter behind "%" stands for, systemd.unit(5).
func (l *loader) specifier(letter byte) (string, error) {
	name := l.unit.Name
	if v, ok := unit.NameSpecifier(name, "", letter); ok {
		return v, nil
	}
	prefix := unit.Prefix(name)
	switch letter {
	case 'P':
		return unit.Unescape(prefix)
	case 'I':
		return unit.Unescape(unit.InstanceOf(name))
	case 'J':
		j, _ := unit.NameSpecifier(name, "", 'j')
		return unit.Unescape(j)
	case 'f':
		return l.pathSpecifier()
	case 'y':
		return l.unit.Path, nil
	case 'Y':
		return path.Dir(l.unit.Path), nil
	case 'h', 's':
		return l.ownerSpecifier(letter)
	case 'd':
		return l.directorySpecifier('t') + "/credentials/" + name, nil
	case 't', 'S', 'C', 'L', 'E', 'D':
		return l.directorySpecifier(letter), nil
	case 'T':
		return l.temporaryDirectory("/tmp"), nil
	case 'V':
		return l.temporaryDirectory("/var/tmp"), nil
	}
	return l.ix.Specifier(letter)
}

// pathSpecifier is the instance, or else the prefix, as an absolute path.
func (l *loader) pathSpecifier() (string, error) {
	s := unit.Prefix(l.unit.Name)
	if unit.KindOf(l.unit.Name) == unit.Instance {
		s = unit.InstanceOf(l.unit.Name)
	}
	p, err := unit.Unescape(s)
	if err == nil && !path.IsAbs(p) {
		p = "/" + p
	}
	return p, err
}

func (l *loader) getenv(name string) string {
	if l.options.LookUp == nil {
		return ""
	}
	v, _ := l.options.LookUp(name)
	return v
}

// ownerSpecifier is the home directory or the shell of the user that the manager runs as.
func (l *loader) ownerSpecifier(letter byte) (string, error) {
	if !l.options.User {
		home, shell := l.root()
		if letter == 'h' {
			return home, nil
		}
		return shell, nil
	}
	if letter == 's' {
		if s := l.getenv("SHELL"); s != "" {
			return s, nil
		}
		return "/bin/sh", nil
	}
	return l.home()
}

// root is what the tree says of its user root.
func (l *loader) root() (home, shell string) {
	data, _ := l.ix.ReadFile("/etc/passwd")
	for record := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(record), ":")
		if len(f) == 7 && f[2] == "0" && path.IsAbs(f[6]) {
			return "/root", f[6]
		}
	}
	return "/root", "/bin/sh"
}

func (l *loader) home() (string, error) {
	if h := l.getenv("HOME"); h != "" {
		return h, nil
	}
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		return "", syscall.ENXIO
	}
	return u.HomeDir, nil
}

// directorySpecifier is one of the directories below which a service has its own.
func (l *loader) directorySpecifier(letter byte) string {
	if !l.options.User {
		return map[byte]string{'t': "/run", 'S': "/var/lib", 'C': "/var/cache", 'L': "/var/log", 'E': "/etc", 'D': "/usr/share"}[letter]
	}
	home, _ := l.home()
	xdg := func(name, otherwise string) string {
		if d := l.getenv(name); path.IsAbs(d) {
			return d
		}
		return home + otherwise
	}
	switch letter {
	case 't':
		if d := l.getenv("XDG_RUNTIME_DIR"); d != "" {
			return d
		}
		return "/run/user/" + strconv.Itoa(os.Geteuid())
	case 'S':
		return xdg("XDG_STATE_HOME", "/.local/state")
	case 'C':
		return xdg("XDG_CACHE_HOME", "/.cache")
	case 'L':
		return xdg("XDG_STATE_HOME", "/.local/state") + "/log"
	case 'E':
		return xdg("XDG_CONFIG_HOME", "/.config")
	}
	return xdg("XDG_DATA_HOME", "/.local/share")
}

func (l *loader) temporaryDirectory(otherwise string) string {
	for _, name := range [...]string{"TMPDIR", "TEMP", "TMP"} {
		if d := l.getenv(name); path.IsAbs(d) {
			return d
		}
	}
	return otherwise
}
