package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs a command on a terminal of its own and keeps what it writes there.
func onTerminal(cmd *exec.Cmd, out *bytes.Buffer, columns int) error {
	master, slave, err := openTerminal(columns)
	if err != nil {
		return err
	}
	defer master.Close()
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		return err
	}
	slave.Close()
	// It reads EIO when nobody has the other side open any more.
	if _, err := io.Copy(out, master); err != nil && !errors.Is(err, unix.EIO) {
		return err
	}
	return cmd.Wait()
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

// RunOnTerminal calls the program on a terminal with so many columns. What comes out of it is all in Stdout.
func (p Program) RunOnTerminal(t testing.TB, columns int, env []string, args ...string) Result {
	t.Helper()
	cmd := exec.Command(p.argv[0])
	cmd.Args = p.named(args)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=dumb"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var out bytes.Buffer
	err := onTerminal(cmd, &out, columns)
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return Result{Exit: cmd.ProcessState.ExitCode(), Stdout: out.String()}
}
