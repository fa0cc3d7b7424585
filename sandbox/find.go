package sandbox

import (
	"cmp"
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
			} else if v, err := image.Trees.Newest(p + ".v"); err == nil {
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
	found, err := c.newest(image.Trees, c.Opt.directory)
	if err == nil && found != path.Clean(c.Opt.directory) {
		c.Opt.directory = found
	}
	if _, said := errors.AsType[Exit](err); said {
		return nil // and take it as it is
	}
	return err
}

// newest is the newest version of what a path names, or that itself; what is not there is said when it is opened.
func (c *Call) newest(k image.Sought, p string) (string, error) {
	p = path.Clean(p)
	found, err := k.Newest(p)
	if err == nil && found == p {
		var st os.FileInfo
		if st, err = os.Stat(p); err == nil && !k.Fits(st) {
			err = image.ErrNoVersion
		}
	}
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return cmp.Or(found, p), nil
	case errors.Is(err, image.ErrNoVersion):
		c.say(term.Warning, "No matching entries in versioned directory '"+p+"' found.")
		return p, Exit(1)
	}
	return p, fmt.Errorf("Failed to pick version on path '%s': %w", p, errno(err))
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
