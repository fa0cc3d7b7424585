package run

import (
	"os"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
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
