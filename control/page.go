package control

import (
	"os"
	"os/exec"
	"strings"

	"ctl/internal/term"
)

// pager returns the program and arguments that long output goes through, nil
// when it goes straight out: no terminal, not wanted, or none installed.
func (c *Call) pager() []string {
	if c.Opt.NoPager || !term.IsTerminal(c.Stdout) || c.Getenv("TERM") == "dumb" {
		return nil
	}
	for _, v := range [...]string{"SYSTEMD_PAGER", "PAGER"} {
		if p, set := c.env.LookUp(v); set {
			if words := strings.Fields(p); len(words) > 0 && words[0] != "cat" {
				return words
			}
			return nil
		}
	}
	for _, p := range [...]string{"pager", "less", "more"} {
		if _, err := exec.LookPath(p); err == nil {
			return []string{p}
		}
	}
	return nil
}

// page prints text, through a pager on a terminal.
func (c *Call) page(text string) {
	p := c.pager()
	if p == nil {
		c.Print(text)
		return
	}
	cmd := exec.Command(p[0], p[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), c.Stdout, c.Stderr
	less := c.Getenv("SYSTEMD_LESS")
	if less == "" {
		less = "FRSXMK"
	}
	charset := c.Getenv("SYSTEMD_LESSCHARSET")
	if charset == "" && c.env.UTF8() {
		charset = "utf-8"
	}
	cmd.Env = append(os.Environ(), "LESS="+less, "LESSSECURE=1")
	if charset != "" {
		cmd.Env = append(cmd.Env, "LESSCHARSET="+charset)
	}
	if cmd.Run() != nil {
		c.Print(text)
	}
}
