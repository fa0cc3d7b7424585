package control

import (
	"os"
	"os/exec"
	"syscall"

	"ctl/internal/term"
)

// followJournal shows what units log from now on, until the returned function is called.
func (c *Call) followJournal(units []string) (stop func()) {
	args := []string{"-q", "--follow", "--no-pager", "--lines=0", "--synchronize-on-exit=yes"}
	kind := "--unit="
	if c.scopeName() == "user" {
		kind = "--user-unit="
	}
	for _, u := range units {
		args = append(args, kind+u)
	}
	output := c.Opt.Output
	if output == "" {
		output = "short"
	}
	cmd := exec.Command("journalctl", append(args, "--output="+output)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = c.Stdout, c.Stderr, os.Environ()
	if err := cmd.Start(); err != nil {
		c.Log(term.Err, Failure{"start journalctl", err}.Error())
		return func() {}
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
}
