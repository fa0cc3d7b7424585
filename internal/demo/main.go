// Demo shows what ctl is for on a copy of the sample tree: the unit-file work of
// an image build. It needs neither root nor systemd.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ctl/testdata"
)

// The steps of the demonstration; %s is the tree.
var steps = [...][2]string{
	{"What the distribution's presets want after installation", "--root=%s preset-all"},
	{"Enable one more service; Also= brings its socket", "--root=%s enable web"},
	{"See first what a call would do", "--root=%s --dry-run disable ssh"},
	{"An instance of a template, and a mask", "--root=%s enable getty@ttyS0"},
	{"", "--root=%s mask debug"},
	{"The states, as scripts ask for them", "--root=%s is-enabled ssh web.socket debug"},
	{"and for people", "--root=%s list-unit-files"},
	{"A drop-in from standard input", "--root=%s edit --stdin ssh"},
	{"", "--root=%s cat ssh"},
	{"What needs a running manager is refused with --root=, and ignored in a chroot", "--root=%s start ssh"},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run() error {
	bin, err := filepath.Abs("bin/ctl")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ctl-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sample, err := fs.Sub(testdata.Demo, "demo")
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, sample); err != nil {
		return err
	}
	// A link, which cannot be embedded.
	if err := os.Symlink("multi-user.target", dir+"/usr/lib/systemd/system/default.target"); err != nil {
		return err
	}
	for _, s := range steps {
		if s[0] != "" {
			fmt.Printf("\n# %s\n", s[0])
		}
		line := fmt.Sprintf(s[1], dir)
		fmt.Println("$ ctl", line)
		cmd := exec.Command(bin, strings.Fields(line)...)
		cmd.Stdin = strings.NewReader("[Service]\nRestart=always\n")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
		if err := cmd.Run(); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("\n# The links that came of it")
	return filepath.WalkDir(dir+"/etc", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSymlink {
			target, _ := os.Readlink(p)
			fmt.Println(strings.TrimPrefix(p, dir), "→", target)
		}
		return err
	})
}
