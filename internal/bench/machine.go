package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"ctl/internal/oracle"
)

// trivial is a service that does next to nothing.
const trivial = `[Unit]
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart=/bin/true
`

// runBooted boots a container and has a copy of this program measure there: through a door such as nsenter(1) each run
// would take longer than what is measured.
func runBooted() (err error) {
	tree, err := oracle.Tree()
	if err != nil {
		return err
	}
	files, err := os.MkdirTemp("", "ctl-bench-files-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	units := files + "/etc/systemd/system"
	if err := os.MkdirAll(units, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(files+"/bench", self, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{"trivial": trivial, "hardened": hardened} {
		if err := os.WriteFile(units+"/"+name+".service", []byte(text), 0o644); err != nil {
			return err
		}
	}
	m, err := oracle.Start(tree, files)
	if err != nil {
		return fmt.Errorf("boot: %w", err)
	}
	defer func() { err = errors.Join(err, m.End()) }()
	cmd := m.Command("exec /bench -inside")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// many makes and starts 5,000 units, which have no processes.
const many = `cd /run/systemd/system
printf '[Unit]\nDescription=No. %%i\n' >many@.target
{ echo '[Unit]'; seq 5000 | sed 's/.*/Wants=many@&.target/'; } >many.target
systemctl daemon-reload
exec systemctl start many.target`

// runInside measures the verbs that ask the manager, in a container.
func runInside() error {
	b := bench{ref: oracle.Installed("/usr/bin/systemctl"), ctl: oracle.Installed("/ctl/systemctl")}
	fmt.Println("a booted container")
	err := b.rows([]row{
		{"is-active", []string{"is-active", "shell.service"}, nil, 100, 1},
		{"show", []string{"show", "shell.service"}, nil, 100, 1},
		{"list-units", []string{"list-units"}, nil, 100, 1},
		{"status", []string{"status", "shell.service"}, nil, 100, 1},
		{"start", []string{"start", "trivial.service"}, nil, 50, 1},
		{"show '*'", []string{"show", "*"}, nil, 30, 0.7},
		{"list-units --all", []string{"list-units", "--all"}, nil, 100, 0.7},
		{"status --all", []string{"status", "--all"}, nil, 30, 0},
	})
	if err != nil {
		return err
	}
	if err := runServices(); err != nil {
		return err
	}
	fmt.Println("5,000 units more")
	if out, err := exec.Command("sh", "-c", many).CombinedOutput(); err != nil {
		return fmt.Errorf("make many units: %w: %s", err, out)
	}
	return b.rows([]row{
		{"list-units --all", []string{"list-units", "--all"}, nil, 30, 0.7},
	})
}

// rows compares each.
func (b *bench) rows(l []row) error {
	for _, r := range l {
		if _, err := b.compare(r); err != nil {
			return err
		}
	}
	return nil
}
