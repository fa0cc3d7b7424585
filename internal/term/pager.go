package term

import (
	"os"
	"os/exec"
	"strconv"
	"strings"

	"ctl/internal/unit"
)

// Pager returns the program and arguments that long output for out goes through, nil
// when it goes straight out: no terminal, or not wanted. A program without a name is the place of one that is
// not installed: what is written for it is as wide as for any. SYSTEMD_PAGER and PAGER can switch
// it off; what else they say is trusted only if SYSTEMD_PAGERSECURE is set. In secure mode it is less(1),
// which LESSSECURE keeps from running other programs.
func (e Env) Pager(out *os.File) []string {
	if !IsTerminal(out) || e.Dumb() {
		return nil
	}
	_, trusted := unit.Boolean(e.Getenv("SYSTEMD_PAGERSECURE"))
	for _, v := range [...]string{"SYSTEMD_PAGER", "PAGER"} {
		p, set := e.LookUp(v)
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
		if p != "less" && e.securePager() {
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
func (e Env) securePager() bool {
	if v, set := e.LookUp("SYSTEMD_PAGERSECURE"); set {
		secure, ok := unit.Boolean(v)
		return secure || !ok
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	return err != nil || !strings.Contains(string(groups), "/user-"+strconv.Itoa(os.Geteuid())+".slice/")
}

// Page writes text to out through the pager p that Pager has found.
func (e Env) Page(p []string, text string, out, errs *os.File, say func(Level, string)) {
	if v, set := e.LookUp("SYSTEMD_PAGERSECURE"); set && p != nil {
		if _, ok := unit.Boolean(v); !ok {
			say(Warning, "Unable to parse $SYSTEMD_PAGERSECURE, assuming true: Invalid argument")
		}
	}
	if p == nil || p[0] == "" {
		_, _ = out.WriteString(text)
		return
	}
	cmd := exec.Command(p[0], p[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), out, errs
	less := e.Getenv("SYSTEMD_LESS")
	if less == "" {
		less = "FRSXMK"
	}
	charset := e.Getenv("SYSTEMD_LESSCHARSET")
	if charset == "" && e.UTF8() {
		charset = "utf-8"
	}
	cmd.Env = append(os.Environ(), "LESS="+less)
	if e.securePager() {
		cmd.Env = append(cmd.Env, "LESSSECURE=1")
	}
	if charset != "" {
		cmd.Env = append(cmd.Env, "LESSCHARSET="+charset)
	}
	if cmd.Run() != nil {
		_, _ = out.WriteString(text)
	}
}
