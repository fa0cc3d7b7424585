//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Ctl works on unit files in trees and talks to systemd, in the place of systemctl.
package main

import (
	"os"

	"ctl/control"
)

func main() { os.Exit(control.Main(os.Args)) }
