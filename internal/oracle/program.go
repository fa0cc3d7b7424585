package oracle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Ctl builds the program under test, once; CleanUp removes it.
var Ctl = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ctl-build-")
	if err != nil {
		return "", err
	}
	built = dir
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "systemctl"), "./cmd/ctl")
	build.Dir = Repo()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ctl: %w: %s", err, out)
	}
	return filepath.Join(dir, "systemctl"), nil
})

// built is where Ctl has built.
var built string

// CleanUp removes what Ctl has built.
func CleanUp() {
	if built != "" {
		os.RemoveAll(built)
	}
}

// A Program is one of the two that are compared.
type Program struct {
	Name string
	argv []string
	as   string // the name that it is called by, if not systemctl
	room *room  // where it runs, if not here
}

// Programs returns the reference and ctl, both under the name systemctl.
func Programs(t testing.TB) (reference, ctl Program) {
	t.Helper()
	tree, err := Tree()
	Require(t, err)
	bin, err := Ctl()
	if err != nil {
		t.Fatal(err)
	}
	return Reference(tree), Installed(bin)
}

// Installed is a program by its path.
func Installed(bin string) Program { return Program{Name: "ctl", argv: []string{bin}} }

// Reference is the systemctl of a tree, run through the tree's own loader.
func Reference(tree string) Program {
	return Program{Name: "systemctl", argv: InTree(tree, "systemctl")}
}

// Nspawn is the systemd-nspawn of a tree, run likewise.
func Nspawn(tree string) Program {
	return Program{Name: "systemd-nspawn", argv: InTree(tree, "systemd-nspawn"), as: "systemd-nspawn"}
}

// InTree is the command line that runs a program of a tree through the tree's own loader.
func InTree(tree, name string) []string {
	lib, _ := filepath.Glob(tree + "/usr/lib/*-linux-*/libc.so.6")
	loaders, _ := filepath.Glob(tree + "/usr/lib64/ld-linux-*.so.*")
	if len(loaders) == 0 {
		loaders, _ = filepath.Glob(tree + "/usr/lib/ld-linux-*.so.*")
	}
	if len(lib) == 0 || len(loaders) == 0 {
		return []string{tree + "/usr/bin/" + name}
	}
	dir := filepath.Dir(lib[0])
	return []string{loaders[0], "--argv0", name, "--library-path", dir + "/systemd:" + dir, tree + "/usr/bin/" + name}
}

// Argv is the command line that runs the program with args.
func (p Program) Argv(args ...string) []string { return append(slices.Clone(p.argv), args...) }

// CopyReference copies the reference with its loader and libraries to where any user may run it.
func CopyReference(p Program, dir string) (Program, error) {
	if len(p.argv) < 6 {
		return p, errors.New("the reference does not run through its loader")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return p, err
	}
	loader, libraries, bin := p.argv[0], p.argv[4], p.argv[5]
	out, err := exec.Command(loader, "--library-path", libraries, "--list", bin).Output()
	if err != nil {
		return p, fmt.Errorf("list libraries: %w", err)
	}
	files := [][2]string{{"ld.so", loader}, {"systemctl", bin}}
	for line := range strings.Lines(string(out)) {
		// NAME => PATH (ADDRESS)
		if f := strings.Fields(line); len(f) > 2 && f[1] == "=>" && !strings.Contains(f[0], "/") {
			files = append(files, [2]string{f[0], f[2]})
		}
	}
	for _, f := range files {
		if err := copyFile(dir+"/"+f[0], f[1]); err != nil {
			return p, err
		}
	}
	return Program{Name: "systemctl", argv: []string{dir + "/ld.so", "--argv0", "systemctl", "--library-path", dir, dir + "/systemctl"}}, nil
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// As is the program called by another name.
func (p Program) As(name string) Program {
	p.as = name
	return p
}

// named is Argv with the name that the program is called by.
func (p Program) named(args []string) []string {
	argv, as := p.Argv(args...), cmp.Or(p.as, "systemctl")
	if p.Name == "ctl" {
		argv[0] = as
	} else if i := slices.Index(argv, "--argv0"); i > 0 {
		argv[i+1] = as
	}
	return argv
}

// A Result is what a call came to.
type Result struct {
	Exit           int
	Stdout, Stderr string
}

// longest is how long a call may take; the reference hangs on some trees.
const longest = 30 * time.Second

// longestScript is how long a command in a machine may take; apt-get takes half a minute.
const longestScript = 4 * time.Minute

// Run calls the program in dir with a clean environment and env added. Its standard input is empty.
func (p Program) Run(t testing.TB, dir string, env []string, args ...string) Result {
	t.Helper()
	return p.RunInput(t, dir, env, "", args...)
}

// RunInput is Run with a text on the standard input.
func (p Program) RunInput(t testing.TB, dir string, env []string, input string, args ...string) Result {
	t.Helper()
	c := call{Path: p.argv[0], Args: p.named(args), Dir: dir, Input: input,
		Env: append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root", "TERM=dumb"}, env...)}
	var r Result
	var err error
	if p.room != nil {
		r, err = p.room.run(c)
	} else {
		r, err = run(c, "")
	}
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	return r
}

// run runs a command, in the root directory given if it is not "".
func run(c call, root string) (Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path)
	cmd.Args, cmd.Dir, cmd.Env = c.Args, c.Dir, c.Env
	if root != "" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	}
	if c.Input != "" {
		cmd.Stdin = strings.NewReader(c.Input)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Result{}, err
	}
	r := Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if r.Exit < 0 {
		r.Stderr += "\n" + cmd.ProcessState.String()
	}
	return r, nil
}
