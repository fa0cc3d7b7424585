package main

import (
	"fmt"

	"ctl/internal/oracle"
)

// hardened is a service like trivial in a sandbox such as Debian's daemons have.
const hardened = trivial + `User=daemon
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
NoNewPrivileges=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_UNIX
SystemCallFilter=@system-service
SystemCallArchitectures=native
RuntimeDirectory=hardened
`

// runServices measures what `ctl run` adds to the time of what it runs, in a booted container, where the manager starts the same.
func runServices() error {
	fmt.Println("a service that runs /bin/true; milliseconds, medians of 60 interleaved runs")
	calls := [...]struct {
		name    string
		program oracle.Program
		args    []string
	}{
		{"/bin/true", oracle.Installed("/bin/true"), nil},
		{"ctl run", oracle.Installed("/ctl/ctl"), []string{"run", "-q", "trivial.service"}},
		{"ctl run, hardened", oracle.Installed("/ctl/ctl"), []string{"run", "-q", "hardened.service"}},
		{"start", oracle.Installed("/usr/bin/systemctl"), []string{"start", "trivial.service"}},
		{"start, hardened", oracle.Installed("/usr/bin/systemctl"), []string{"start", "hardened.service"}},
	}
	var times [len(calls)][]float64
	for range 60 {
		for i := range calls {
			d, err := once(calls[i].program, calls[i].args)
			if err != nil {
				return err
			}
			times[i] = append(times[i], d)
		}
	}
	own := median(times[0])
	for i := range calls {
		m := median(times[i])
		fmt.Printf("  %-18s %8.2f", calls[i].name, m)
		switch i {
		case 1:
			fmt.Printf("   %.2f more than what it runs (at most 5)", m-own)
		case 2, 3, 4:
			fmt.Printf("   %.2f more", m-own)
		}
		fmt.Println()
	}
	return nil
}
