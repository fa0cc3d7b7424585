package oracle

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// Run runs a shell command in the machine as root, away from any terminal.
func (m *Machine) Run(t testing.TB, script string) Result {
	t.Helper()
	return m.RunOnTerminal(t, script, 0)
}

// RunOnTerminal is Run on a terminal with so many columns, 0 for none. What comes out of it is all in Stdout.
func (m *Machine) RunOnTerminal(t testing.TB, script string, columns int) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longestScript)
	defer cancel()
	cmd := m.command(ctx, script)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var err error
	if columns > 0 {
		err = onTerminal(cmd, &out, columns)
	} else {
		err = cmd.Run()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v %v: %s%s", script, err, ctx.Err(), out.String(), errs.String())
	}
	r := Result{Exit: cmd.ProcessState.ExitCode(), Stdout: out.String(), Stderr: errs.String()}
	if r.Exit < 0 {
		r.Stderr += "\n" + cmd.ProcessState.String()
	}
	return r
}

// Command is a shell command that is to be run in the machine as root.
func (m *Machine) Command(script string) *exec.Cmd { return m.command(context.Background(), script) }

func (m *Machine) command(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(m.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd", "--",
		"env", "-i", "-C", "/", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root",
		"TERM=xterm-256color", "sh", "-c", script)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// The command is a child of nsenter(1); a group of its own lets us kill both.
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(m.shell.Fd()), Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// Shell is Run for what has to succeed.
func (m *Machine) Shell(t testing.TB, script string) {
	t.Helper()
	if r := m.Run(t, script); r.Exit != 0 {
		t.Fatalf("%s: exit %d: %s%s", script, r.Exit, r.Stdout, r.Stderr)
	}
}
