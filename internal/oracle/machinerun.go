package oracle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Command is what a machine is asked to run.
type Command struct {
	Path    string   // found in PATH if it has no slash
	Args    []string // the first one is the name
	Env     []string // besides PATH, LANG, HOME, TERM
	User    string   // "" is root
	Input   string
	Columns int // of the terminal, which has 24 lines; 0: standard input, output and error are no terminal
}

// Run runs a command in the machine. What it writes to a terminal is all in Stdout.
func (m *Machine) Run(t testing.TB, c Command) Result {
	t.Helper()
	r, err := m.run(c)
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(c.Args, " "), err)
	}
	return r
}

// Shell runs a shell command in the machine as root; the test ends if it fails.
func (m *Machine) Shell(t testing.TB, script string) string {
	t.Helper()
	r := m.Run(t, Command{Path: "sh", Args: []string{"sh", "-c", script}})
	if r.Exit != 0 {
		t.Fatalf("%s: exit %d: %s%s", script, r.Exit, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// argv is the command line that runs the command, on this side.
func (m *Machine) argv(c Command) []string {
	argv := []string{"nsenter", "-t", strconv.Itoa(m.leader), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd", "--"}
	home := "/root"
	if c.User != "" {
		argv = append(argv, "setpriv", "--reuid", c.User, "--regid", c.User, "--init-groups")
		home = "/home/" + c.User
	}
	argv = append(argv, "env", "-i", "-a", c.Args[0], "-C", "/",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME="+home, "TERM=xterm-256color")
	argv = append(append(argv, c.Env...), c.Path)
	return append(argv, c.Args[1:]...)
}

func (m *Machine) run(c Command) (Result, error) {
	argv := m.argv(c)
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// The command is a child of nsenter(1); a group of its own lets us kill both.
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(m.shell.Fd()), Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if c.Input != "" {
		cmd.Stdin = strings.NewReader(c.Input)
	}
	var r Result
	var err error
	if c.Columns > 0 {
		r, err = onTerminal(cmd, c.Columns)
	} else {
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err = cmd.Run()
		r.Stdout, r.Stderr = out.String(), errs.String()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, err
	}
	if ctx.Err() != nil {
		return r, fmt.Errorf("%w: %s%s", ctx.Err(), r.Stdout, r.Stderr)
	}
	r.Exit = cmd.ProcessState.ExitCode()
	if r.Exit < 0 {
		r.Stderr += "\n" + cmd.ProcessState.String()
	}
	return r, nil
}

// onTerminal runs a command on a terminal of its own.
func onTerminal(cmd *exec.Cmd, columns int) (Result, error) {
	master, slave, err := openTerminal(columns)
	if err != nil {
		return Result{}, err
	}
	defer master.Close()
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		return Result{}, err
	}
	slave.Close()
	var out bytes.Buffer
	// It reads EIO when nobody has the other side open any more.
	if _, err := io.Copy(&out, master); err != nil && !errors.Is(err, unix.EIO) {
		return Result{}, err
	}
	err = cmd.Wait()
	return Result{Stdout: out.String()}, err
}

func openTerminal(columns int) (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)})
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("terminal: %w", err)
	}
	return master, slave, nil
}
