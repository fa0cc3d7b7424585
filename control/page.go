package control

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"ctl/internal/term"
	"ctl/internal/unit"
)

// pager returns the program and arguments that long output goes through, nil
// when it goes straight out: no terminal, or not wanted. A program without a name is the place of one that is
// not installed: what is written for it is as wide as for any. SYSTEMD_PAGER and PAGER can switch
// it off; what else they say is trusted only if SYSTEMD_PAGERSECURE is set. In secure mode it is less(1),
// which LESSSECURE keeps from running other programs.
func (c *Call) pager() []string {
	if c.Opt.NoPager || !term.IsTerminal(c.Stdout) || c.env.Dumb() {
		return nil
	}
	_, trusted := unit.Boolean(c.Getenv("SYSTEMD_PAGERSECURE"))
	for _, v := range [...]string{"SYSTEMD_PAGER", "PAGER"} {
		p, set := c.env.LookUp(v)
		if !set {
			continue
		}
		words := strings.Fields(p)
		if len(words) == 0 || words[0] == "cat" {
			return nil
		}
		if trusted {
			return words
		}
		break
	}
	for _, p := range [...]string{"pager", "less", "more"} {
		if p != "less" && c.securePager() {
			continue
		}
		if _, err := exec.LookPath(p); err == nil {
			return []string{p}
		}
	}
	return []string{""}
}

// securePager tells whether the pager must not give its user more rights than they have: SYSTEMD_PAGERSECURE says so,
// or something that is not understood, or the session that we run in is not that of the user whose rights we have.
func (c *Call) securePager() bool {
	if v, set := c.env.LookUp("SYSTEMD_PAGERSECURE"); set {
		secure, ok := unit.Boolean(v)
		return secure || !ok
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	return err != nil || !strings.Contains(string(groups), "/user-"+strconv.Itoa(os.Geteuid())+".slice/")
}

// A paper is what a verb prints, which the pager shows as a whole at the end. Where there is no pager, what is said on
// standard error meanwhile comes where it belongs.
type paper struct {
	c *Call
	strings.Builder
}

// log says something on standard error.
func (p *paper) log(level term.Level, text string) {
	p.flush()
	p.c.Log(level, text)
}

func (p *paper) flush() {
	if p.c.pager() == nil {
		p.c.Print(p.String())
		p.Reset()
	}
}

// print shows what is left.
func (p *paper) print() {
	if p.Len() > 0 {
		p.c.page(p.String())
	}
}

// page prints text, through a pager on a terminal.
func (c *Call) page(text string) {
	p := c.pager()
	if v, set := c.env.LookUp("SYSTEMD_PAGERSECURE"); set && p != nil {
		if _, ok := unit.Boolean(v); !ok {
			c.Log(term.Warning, "Unable to parse $SYSTEMD_PAGERSECURE, assuming true: Invalid argument")
		}
	}
	if p == nil || p[0] == "" {
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
	cmd.Env = append(os.Environ(), "LESS="+less)
	if c.securePager() {
		cmd.Env = append(cmd.Env, "LESSSECURE=1")
	}
	if charset != "" {
		cmd.Env = append(cmd.Env, "LESSCHARSET="+charset)
	}
	if cmd.Run() != nil {
		c.Print(text)
	}
}
