//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Ctl works on unit files in trees and talks to systemd, in the place of systemctl.
package main

import (
	"os"
	"path"

	"ctl/control"
	"ctl/internal/sys"
	"ctl/sandbox"
	"ctl/sandbox/container"
	"ctl/sandbox/lifecycle"
	"ctl/sandbox/run"
)

func main() {
	sys.Unhurried()
	name := ""
	if len(os.Args) > 0 {
		name = path.Base(os.Args[0])
	}
	switch {
	case name == container.StubName && os.Getpid() == 1:
		os.Exit(container.Stub())
	case name == lifecycle.GuardianName:
		os.Exit(run.Bereaved(os.Args))
	case name == "systemd-nspawn":
		os.Exit(sandbox.Main(os.Args))
	case name == "ctl" && len(os.Args) > 1 && os.Args[1] == "run":
		os.Exit(run.Main(append([]string{"ctl run"}, os.Args[2:]...)))
	case name == "ctl" && len(os.Args) > 1 && os.Args[1] == "spawn":
		os.Exit(sandbox.Main(append([]string{"ctl spawn"}, os.Args[2:]...)))
	}
	os.Exit(control.Main(os.Args))
}
