package control

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// whoamiFailed is why it is not known what unit a process belongs to.
func whoamiFailed(pid string, err error) string {
	if path, ok := errors.AsType[manager.PathError](err); ok {
		return "Failed to extract unit name from D-Bus object path '" + string(path) + "': Invalid argument"
	}
	return Failure{"get unit that PID " + pid + " belongs to", err}.Error()
}

// whoami prints the units that processes belong to: those given, or the caller's.
func whoami(c *Call) error {
	m, err := c.connect(true)
	if err != nil {
		return err
	}
	pids := c.Args
	switch {
	case len(pids) == 0 && c.Opt.Transport != "":
		return cli.Usage("Refusing to look up our local PID on remote host.")
	case len(pids) == 0:
		pids = []string{strconv.Itoa(os.Getpid())}
	}
	var status error
	for _, arg := range pids {
		pid, err := strconv.ParseUint(arg, 10, 31)
		if err != nil || pid == 0 {
			return cli.Usage("Invalid PID specified: " + arg)
		}
		name, err := m.UnitOf(uint32(pid))
		switch {
		case err == nil:
			c.Print(name + "\n")
			continue
		case c.unitless(arg, err):
		default:
			c.Log(term.Err, whoamiFailed(arg, err))
		}
		status = Exit(1)
	}
	return status
}

// unitless tells, and says, that a process has no unit or is none.
func (c *Call) unitless(pid string, err error) bool {
	switch {
	case manager.IsName(err, "NoUnitForPID"):
		c.Log(term.Err, "PID "+pid+" does not belong to any loaded unit.")
	case errors.Is(err, syscall.ESRCH):
		c.Log(term.Err, "PID "+pid+" doesn't exist or is already gone.")
	default:
		return false
	}
	return true
}
