package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// made are what a service may leave behind, besides what is new in the fixture.
var made = [...]string{"/dev/shm/m", "/usr/m", "/usr/lib/x", "/new", "/srv/root", "/etc/foo", "/run/foo", "/var/lib/foo", "/var/lib/bar", "/var/lib/private", "/var/cache/foo", "/var/cache/private", "/var/log/foo", "/var/log/private"}

// loop starts units, m0, m1 and so on, one after the other, with a command in which %s stands for the name, and says of each what it
// said and what it has left behind. A byte 1 ends each.
func loop(first, last int, command string) error {
	before := found()
	for i := first; i < last; i++ {
		for _, p := range made {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
		}
		if err := os.Mkdir("/new", 0o755); err != nil {
			return err
		}
		if err := copyTree("/srv/orig", "/srv/root"); err != nil {
			return err
		}
		name := "m" + strconv.Itoa(i)
		out := "/run/out/" + name
		f, err := os.OpenFile(out, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		cmd := exec.Command("sh", "-c", "exec "+strings.ReplaceAll(command, "%s", name))
		cmd.Stdout = f
		err = cmd.Run()
		f.Close()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return err
		}
		said, err := os.ReadFile(out)
		if err != nil {
			return err
		}
		fmt.Printf("%sexit %d\n", said, cmd.ProcessState.ExitCode())
		for _, p := range append(made[:], "/fix") {
			l := list(p)
			var paths []string
			for p := range l {
				paths = append(paths, p)
			}
			slices.Sort(paths)
			for _, p := range paths {
				fmt.Println("left", p, l[p])
			}
		}
		fmt.Print("\x01")
		for p := range found() {
			if _, ok := before[p]; !ok {
				_ = os.RemoveAll(p)
			}
		}
	}
	return nil
}

// found are the fixture and the directories that a source of a mount may be, in which targets are made.
func found() map[string]bool {
	l := map[string]bool{}
	for p := range list("/fix") {
		l[p] = true
	}
	for _, dir := range []string{"/etc", "/usr", "/usr/lib", "/home", "/root", "/dev", "/dev/shm"} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			l[dir+"/"+e.Name()] = true
		}
	}
	return l
}

// list is what is at and below a path.
func list(top string) map[string]string {
	l := map[string]string{}
	_ = filepath.WalkDir(top, func(p string, _ os.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && unix.Lstat(p, &st) == nil {
			l[p] = kind(p, &st)
		}
		return nil
	})
	return l
}

// copyTree copies directories and links, and has other files twice.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := to + strings.TrimPrefix(p, from)
		switch {
		case d.IsDir():
			return os.Mkdir(at, 0o755)
		case d.Type() == os.ModeSymlink:
			link, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(link, at)
		}
		return os.Link(p, at)
	})
}
