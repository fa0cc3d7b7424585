package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox/image"

	"ctl/internal/unit"
)

// machineDirs are where trees are found by name.
var machineDirs = [...]string{"/etc/machines", "/run/machines", "/var/lib/machines", "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines"}

// findTree finds the tree and the name of the machine.
func (c *Call) findTree() (err error) {
	o := &c.Opt
	switch {
	case o.image != "":
		err = c.findImage()
	case o.directory != "":
	case o.template != "" && o.ephemeral:
		o.directory, o.template = o.template, ""
	case o.template != "" && o.machine != "":
		o.directory = "/var/lib/machines/" + o.machine
	case o.machine != "":
		for _, d := range machineDirs {
			p := path.Join(d, o.machine)
			if isDir(p) {
				o.directory = p
			} else if v, ok := newest(p+".v", o.machine); ok {
				o.directory = v
			} else if c.imageNamed(d, o.machine) {
				break
			}
			if o.directory != "" {
				break
			}
		}
		if o.directory == "" && !c.elsewhere() {
			return cli.Usage("No image for machine '" + o.machine + "'.")
		}
	default:
		if o.directory, err = os.Getwd(); err != nil {
			return fmt.Errorf("Failed to determine path: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if o.image == "" {
		if err := c.pickVersion(); err != nil {
			return err
		}
	}
	if o.machine == "" {
		name := c.base()
		if name == "/" {
			name, _ = os.Hostname()
		}
		if o.machine = cleanName(name); o.machine == "" {
			return cli.Usage("Failed to determine machine name automatically, please use -M.")
		}
	}
	return nil
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

// pickVersion finds the newest tree of a versioned directory, systemd.v(7).
func (c *Call) pickVersion() error {
	o := &c.Opt
	p := path.Clean(o.directory)
	st, err := os.Stat(p)
	if errors.Is(err, unix.ELOOP) {
		return fmt.Errorf("Failed to pick version on path '%s': %w", p, unix.ELOOP)
	}
	dir, name := p, path.Base(p)
	if prefix, ok := strings.CutSuffix(name, "___"); ok && strings.HasSuffix(path.Dir(p), ".v") {
		dir, name = path.Dir(p), prefix
	} else if err == nil && !st.IsDir() {
		c.say(term.Warning, "No matching entries in versioned directory '"+p+"' found.")
		return nil
	} else if name, ok = strings.CutSuffix(name, ".v"); !ok {
		return nil
	}
	if found, ok := newest(dir, name); ok {
		o.directory = found
	} else if err == nil {
		c.say(term.Warning, "No matching entries in versioned directory '"+p+"' found.")
	}
	return nil
}

// newest is the directory called name_VERSION, or name_VERSION_ARCHITECTURE where it is ours, of the newest version.
func newest(dir, name string) (string, bool) { return newestOf(dir, name, "", isDir) }

// newestImage is the same of image files, whose names end in .raw.
func newestImage(dir, name string) (string, bool) {
	return newestOf(dir, strings.TrimSuffix(name, ".raw"), ".raw", func(p string) bool {
		st, err := os.Stat(p)
		return err == nil && st.Mode().IsRegular()
	})
}

func newestOf(dir, name, suffix string, fits func(string) bool) (string, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	best, version := "", ""
	for _, e := range entries {
		v, ok := strings.CutPrefix(e.Name(), name+"_")
		if ok {
			v, ok = strings.CutSuffix(v, suffix)
		}
		if !ok || !fits(path.Join(dir, e.Name())) {
			continue
		}
		v, _, _ = strings.Cut(v, "+") // the tries that are left of it
		if of, arch, ok := strings.Cut(v, "_"); ok {
			if arch != image.Architecture() {
				continue
			}
			v = of
		}
		if v != "" && (best == "" || unit.CompareVersions(v, version) > 0) {
			best, version = path.Join(dir, e.Name()), v
		}
	}
	return best, best != ""
}

// realPath is a path of the host without links.
func realPath(p string) (string, error) {
	real, err := filepath.EvalSymlinks(p)
	if err != nil {
		return "", fmt.Errorf("Failed to resolve path %s: %w", p, errno(err))
	}
	return real, nil
}

// cleanName makes of s a name that a machine can have.
func cleanName(s string) string {
	var b strings.Builder
	dot := true // none at the start, none after another
	for _, r := range s {
		switch {
		case r == '.':
			if dot {
				continue
			}
			dot = true
		case r == '-' && dot:
			continue
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			dot = false
		default:
			continue
		}
		b.WriteRune(r)
	}
	s = b.String()
	s = strings.TrimRight(s[:min(len(s), 64)], ".-")
	return s
}
