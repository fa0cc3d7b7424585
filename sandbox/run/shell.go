package run

import (
	"os"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox/console"
	"ctl/sandbox/service"
)

// shell has a shell run in the surroundings of the service's first command instead of what the service runs.
func (c *Call) shell(s *set) error {
	if len(s.services) != 1 || len(s.sockets) > 0 {
		return cli.Usage("--shell takes one service.")
	}
	v := s.services[0]
	flags := service.CommandFlags(0)
	if len(v.Start) > 0 {
		flags = v.Start[0].Flags & (service.FullyPrivileged | service.NoSetUID)
	}
	argv := []string{"sh"}
	if term.IsTerminal(os.Stdin) {
		argv = append(argv, "-i")
	}
	v.Condition, v.StartPre, v.StartPost, v.Reload, v.ReloadPost, v.Stop, v.StopPost = nil, nil, nil, nil, nil, nil, nil
	v.Start = []service.Command{{Path: "/bin/sh", Argv: argv, Flags: flags | service.NoExpansion}}
	v.Type, v.Restart, v.RemainAfterExit, v.Watchdog, v.RuntimeMax = service.Simple, service.RestartNo, false, 0, service.Forever
	v.Conditions, v.Sockets = nil, nil
	v.KillSignal = unix.SIGHUP // which ends a shell that waits for input
	v.Stdin, v.Stdout, v.Stderr = service.Stdio{Kind: "inherit"}, service.Stdio{Kind: "journal"}, service.Stdio{Kind: "journal"}
	return nil
}

// A terminal is a pseudo terminal that the shell has for its own, so that it has job control, and that is carried to and from the caller's. Nil is none.
type terminal struct {
	master, slave *os.File
	console       *console.Console
	ended, over   chan struct{}
}

// openTerminal makes one; nil if we are not on a terminal, or none can be had here, where the shell is on what we are on, without job control.
func openTerminal() *terminal {
	if !term.IsTerminal(os.Stdin) || !term.IsTerminal(os.Stdout) {
		return nil
	}
	pts, err := os.Open("/dev/pts")
	if err != nil {
		return nil
	}
	defer pts.Close()
	t := &terminal{ended: make(chan struct{}), over: make(chan struct{})}
	if t.master, t.slave, err = console.NewPair(int(pts.Fd()), -1, -1); err != nil {
		return nil
	}
	if t.console, err = console.Open(console.Config{Mode: console.Interactive, Master: t.master, In: os.Stdin, Out: os.Stdout, Getenv: os.Getenv}); err != nil {
		t.master.Close()
		t.slave.Close()
		return nil
	}
	go func() {
		defer close(t.over)
		if reason, _ := t.console.Run(t.ended); reason != console.Ended {
			_ = unix.Kill(os.Getpid(), unix.SIGTERM)
		}
	}()
	return t
}

// end is what is written before a line ends, for the caller's terminal is raw.
func (t *terminal) end() string {
	if t == nil {
		return ""
	}
	return "\r"
}

// close gives the caller its terminal back, when all that the shell has written is there.
func (t *terminal) close() {
	if t == nil {
		return
	}
	t.slave.Close()
	close(t.ended)
	<-t.over
	t.master.Close()
}
