package control

import (
	"strings"
	"syscall"

	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// cat prints the files that make up units.
func cat(c *Call) error {
	if c.Opt.Transport == "host" {
		return cli.Usage("Cannot remotely cat units.")
	}
	if c.Mode() == ByManager {
		return c.noManager()
	}
	names, err := c.mangle("to cat", c.Args, ".service")
	if err != nil {
		return err
	}
	t, ix, err := c.open()
	if err != nil {
		return Failure{"cat units", err}
	}
	defer t.Close()
	var out strings.Builder
	missing, shown := false, false
	for _, name := range names {
		s, err := ix.Source(name)
		if err != nil {
			c.page(out.String())
			return Failure{"find fragment for '" + name + "'", err}
		}
		if s.Fragment == "" && len(s.DropIns) == 0 {
			if c.Opt.Force == 0 {
				c.Log(term.Err, "No files found for "+name+".")
				missing = true
			}
			continue
		}
		if s.Masked {
			out.WriteString("# Unit " + s.Name + " is masked.\n")
			continue
		}
		if shown {
			out.WriteByte('\n')
		}
		shown = true
		if err := c.catSource(&out, ix, s); err != nil {
			c.page(out.String())
			return err
		}
	}
	c.page(out.String())
	if missing {
		return Exit(1)
	}
	return nil
}

// catSource writes one unit's files, each under its path.
func (c *Call) catSource(out *strings.Builder, ix *enable.Index, s *enable.Source) error {
	if s.Fragment != "" {
		if err := c.catFile(out, ix, s.Fragment); err != nil {
			return err
		}
	}
	for i, d := range s.DropIns {
		if i > 0 || s.Fragment != "" {
			out.WriteByte('\n')
		}
		if d.Mask {
			out.WriteString("# " + c.shown(d.Path) + " is a mask.\n")
			continue
		}
		if err := c.catFile(out, ix, d.Path); err != nil {
			return err
		}
	}
	return nil
}

func (c *Call) catFile(out *strings.Builder, ix *enable.Index, p string) error {
	data, err := ix.ReadFile(p)
	if isErrno(err, syscall.ENOENT) {
		return nil
	}
	if err != nil {
		return Failure{"cat " + c.shown(p), err}
	}
	out.WriteString("# " + c.shown(p) + "\n")
	out.Write(data)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		out.WriteByte('\n')
	}
	return nil
}
