package control

import (
	"strings"

	"ctl/internal/cli"
	"ctl/internal/term"
)

// bindMount mounts a path of the host in the mount namespace of a running unit.
func bindMount(c *Call) error {
	args, err := c.mountArgs()
	if err != nil {
		return err
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	if _, err := m.Manager("BindMountUnit", args...); err != nil {
		return Failure{"bind mount", err}
	}
	return nil
}

// mountImage mounts a disk image in the mount namespace of a running unit.
func mountImage(c *Call) error {
	args, err := c.mountArgs()
	if err != nil {
		return err
	}
	options := [][]any{}
	if len(c.Args) > 3 {
		if options, err = imageOptions(c.Args[3]); err != nil {
			return err
		}
	}
	m, err := c.manager()
	if err != nil {
		return err
	}
	if err := m.MountImage(args, options); err != nil {
		return Failure{"mount image", err}
	}
	return nil
}

// mountArgs are the unit, the source, the destination and the options of the manager's methods.
func (c *Call) mountArgs() ([]any, error) {
	if strings.ContainsAny(c.Args[0], "*?[") && !c.Opt.Quiet {
		c.Log(term.Notice, "Glob pattern passed, but globs are not supported for this.")
	}
	name, err := c.mangleName("", c.Args[0], ".service")
	if err != nil {
		return nil, Failure{"mangle unit name", err}
	}
	destination := ""
	if len(c.Args) > 2 {
		destination = c.Args[2]
	}
	return []any{name, c.Args[1], destination, c.Opt.ReadOnly, c.Opt.Mkdir}, nil
}

// imageOptions reads mount options of a partition, "root:ro,noexec"; without a partition they are those of the root.
func imageOptions(s string) ([][]any, error) {
	partition, options, given := strings.Cut(s, ":")
	if !given {
		return [][]any{{"root", s}}, nil
	}
	if !isPartition(partition) {
		return nil, cli.Usage("Failed to create bus message: Invalid argument")
	}
	options, _, _ = strings.Cut(options, ":")
	return [][]any{{partition, options}}, nil
}

// isPartition tells whether partitions of an image are called so, systemd.exec(5), RootImageOptions=.
func isPartition(s string) bool {
	switch s {
	case "root", "usr", "home", "srv", "esp", "xbootldr", "tmp", "var":
		return true
	}
	return false
}
