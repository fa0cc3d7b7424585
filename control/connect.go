package control

import (
	"errors"
	"runtime/debug"
	"syscall"
	"time"

	"ctl/control/manager"
	"ctl/enable"
	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/term"
)

// manager connects to the service manager, once. The error is what the user is told.
func (c *Call) manager() (*manager.Conn, error) { return c.connect(false) }

// connect connects, full to the bus on which the service manager and the others are.
func (c *Call) connect(full bool) (*manager.Conn, error) {
	if err := c.beforeManager(); err != nil {
		return nil, err
	}
	return c.dial(full)
}

// dial connects, whatever the verb.
func (c *Call) dial(full bool) (*manager.Conn, error) {
	if c.Getenv("SYSTEMCTL_FORCE_BUS") == "1" {
		full = true
	}
	for _, have := range c.conns {
		if have.full == full {
			return have.Conn, nil
		}
	}
	if c.Opt.Transport == "" && c.Opt.Scope != enable.User && !c.Where.RuntimeDirectory() {
		c.Log(term.Err, "System has not been booted with systemd as init system (PID 1). Can't operate.")
		return nil, c.connectFailed(syscall.EHOSTDOWN)
	}
	debug.SetGCPercent(collectPercent)
	conn, err := manager.Dial(manager.Target{User: c.Opt.Scope == enable.User, Transport: c.Opt.Transport, Remote: c.Opt.Remote,
		Full: full, Getenv: c.Getenv})
	if err != nil {
		return nil, c.connectFailed(err)
	}
	conn.Interactive = !c.Opt.NoAskPassword && c.Opt.Scope == enable.System
	if usec, err := clock.ParseSpan(c.Getenv("SYSTEMD_BUS_TIMEOUT"), clock.Second); err == nil && usec > 0 {
		conn.Timeout = time.Duration(usec) * time.Microsecond
	}
	c.conns = append(c.conns, connection{conn, full})
	if c.privileged {
		c.askForAuthorization()
	}
	return conn, nil
}

// collectPercent lets 16 MiB of replies come together before the garbage collector starts: most calls are over before.
const collectPercent = 400

// A connection is one that a call has made.
type connection struct {
	*manager.Conn
	full bool
}

// connectFailed words why there is no connection.
func (c *Call) connectFailed(err error) error {
	transport := c.Opt.Transport
	if transport == "" {
		transport = "local"
	}
	if transport == "host" {
		transport = "remote"
	}
	text := strerror(err)
	const otherUser = " (consider using --machine=<user>@.host --user to connect to bus of other user)"
	switch {
	case errors.Is(err, manager.ErrNoUserBus):
		text = err.Error() + otherUser
	case c.Opt.Transport == "" && isErrno(err, syscall.EACCES), isErrno(err, syscall.EPERM):
		text = strerror(syscall.EPERM) + otherUser
	}
	return cli.Usage("Failed to connect to " + c.scopeName() + " scope bus via " + transport + " transport: " + text)
}
