// Package difftest holds ctl against the reference: the same commands on the same
// trees, and everything that can be seen compared.
package difftest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) { oracle.Main(m) }

// A scenario is a tree and commands to be run on it one after the other.
type scenario struct {
	files    []file
	commands [][]string
	env      []string
	noRoot   bool // the commands name their own --root=
}

type file struct {
	path, text, target string
}

func (s *scenario) file(path, text string) { s.add(file{path: path, text: text}) }

func (s *scenario) link(path, target string) { s.add(file{path: path, target: target}) }

func (s *scenario) add(f file) {
	if !slices.ContainsFunc(s.files, func(g file) bool { return g.path == f.path }) {
		s.files = append(s.files, f)
	}
}

// String is the scenario as a shell script.
func (s *scenario) String() string {
	var b strings.Builder
	for _, f := range s.files {
		fmt.Fprintf(&b, "mkdir -p $R%s; ", filepath.Dir(f.path))
		if f.target != "" {
			fmt.Fprintf(&b, "ln -s '%s' '%s'\n", f.target, "$R"+f.path)
		} else {
			fmt.Fprintf(&b, "printf %%s %q > '%s'\n", f.text, "$R"+f.path)
		}
	}
	for _, c := range s.commands {
		fmt.Fprintf(&b, "systemctl --root=$R %s\n", strings.Join(c, " "))
	}
	return b.String()
}

// build makes the tree at root.
func (s *scenario) build(t testing.TB, root string) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(root, 0o755))
	for _, f := range s.files {
		p := root + f.path
		if os.MkdirAll(filepath.Dir(p), 0o755) != nil {
			continue // something is in the way; it is for both
		}
		if f.target != "" {
			_ = os.Symlink(f.target, p)
		} else {
			_ = os.WriteFile(p, []byte(f.text), 0o644)
		}
	}
}

// A step is what one command came to.
type step struct {
	oracle.Result
	tree map[string]string
}

// run builds the tree at root, runs all commands and removes it again.
func (s *scenario) run(t testing.TB, p oracle.Program, root string) []step {
	t.Helper()
	defer os.RemoveAll(root)
	s.build(t, root)
	var steps []step
	for _, c := range s.commands {
		args := c
		if !s.noRoot {
			args = append([]string{"--root=" + root}, c...)
		}
		r := p.Run(t, "/", s.env, args...)
		steps = append(steps, step{r, oracle.Snapshot(root)})
	}
	return steps
}

// foresees runs each command of ctl with --dry-run first: that changes nothing, and
// exits as the real run does; what it says would be made and removed is.
func (s *scenario) foresees(t testing.TB, ctl oracle.Program) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "difftest-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root := dir + "/r"
	s.build(t, root)
	for _, c := range s.commands {
		before := oracle.Snapshot(root)
		dry := ctl.Run(t, "/", s.env, append([]string{"--root=" + root, "--dry-run"}, c...)...)
		json := ctl.Run(t, "/", s.env, append([]string{"--root=" + root, "--dry-run", "--output=json"}, c...)...)
		if d := oracle.Diff(before, oracle.Snapshot(root)); d != "" {
			return strings.Join(c, " ") + ": a dry run changed the tree:\n" + d
		}
		real := ctl.Run(t, "/", s.env, append([]string{"--root=" + root}, c...)...)
		after := oracle.Snapshot(root)
		if dry.Exit != real.Exit || json.Exit != real.Exit {
			return fmt.Sprintf("%s: exits %d, dry %d, as JSON %d\n%s%s", strings.Join(c, " "), real.Exit, dry.Exit, json.Exit, dry.Stdout, dry.Stderr)
		}
		for line := range strings.Lines(dry.Stdout) {
			f := strings.SplitN(line, "'", 3)
			if len(f) < 3 {
				continue
			}
			_, there := after[strings.TrimPrefix(f[1], root)]
			if (f[0] == "create " || f[0] == "replace ") && !there {
				return strings.Join(c, " ") + ": was not made: " + line
			}
		}
	}
	return ""
}

// compare runs both programs, each on its own copy at the same path, and
// returns the first difference that is none of the deviations.
func (s *scenario) compare(t testing.TB, ref, ctl oracle.Program) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "difftest-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root := dir + "/r"
	a, b := s.run(t, ref, root), s.run(t, ctl, root)
	for i, c := range s.commands {
		d, diverged := differ(c, a[i], b[i])
		if d != "" {
			return fmt.Sprintf("systemctl %s\n%s", strings.Join(c, " "), strings.ReplaceAll(d, root, "$R"))
		}
		if diverged {
			return ""
		}
	}
	return ""
}

// differ compares what one command came to. diverged: by a known deviation the
// trees are no longer the same, and what follows says nothing.
func differ(command []string, a, b step) (difference string, diverged bool) {
	verb := verbOf(command)
	if known, diverged := deviation(verb, a, b); known {
		return "", diverged
	}
	ae, be := a.Stderr, b.Stderr
	if verb == "preset-all" {
		// A unit that an earlier one has in its Also= is not looked at again: 15.
		ae, be = refused.ReplaceAllString(ae, ""), refused.ReplaceAllString(be, "")
	}
	if walks(verb) {
		ae, be = sortedLines(ae), sortedLines(be)
	}
	var l []string
	add := func(what, x, y string) {
		if x != y {
			l = append(l, fmt.Sprintf("%s: the reference:\n%s\nctl:\n%s", what, x, y))
		}
	}
	add("exit", fmt.Sprint(a.Exit), fmt.Sprint(b.Exit))
	add("stdout", a.Stdout, b.Stdout)
	add("stderr", ae, be)
	if d := oracle.Diff(a.tree, b.tree); d != "" {
		l = append(l, "tree: - the reference, + ctl:\n"+d)
	}
	return strings.Join(l, "\n"), false
}

func verbOf(command []string) string {
	for _, w := range command {
		if !strings.HasPrefix(w, "-") {
			return w
		}
	}
	return ""
}

// walks tells whether the reference's output has the order of directories, or says
// an error several times (docs/deviations.md, 14 and 15).
func walks(verb string) bool {
	switch verb {
	case "disable", "reenable", "preset", "preset-all", "unmask", "revert", "list-unit-files":
		return true
	}
	return false
}

// sortedLines sorts the lines, and keeps one of equal ones.
func sortedLines(s string) string {
	l := strings.Split(s, "\n")
	slices.Sort(l)
	return strings.Join(slices.Compact(l), "\n")
}

var refused = regexp.MustCompile(`(?m)^Failed to preset all unit: Unit .* is (masked|transient or generated)\n`)

var aborted = regexp.MustCompile(`(?m)^Failed to preset(?: all)? unit [^:]+: `)

// deviation recognises what the two are known and meant to differ in.
func deviation(verb string, a, b step) (known, diverged bool) {
	same := oracle.Diff(a.tree, b.tree) == ""
	switch verb {
	case "preset-all", "preset":
		// The order of directories decides what comes before the unit that ends it all,
		// and which of two units gets a name that both want.
		if a.Exit == b.Exit && (aborted.MatchString(a.Stderr) && aborted.MatchString(b.Stderr) ||
			strings.Contains(a.Stderr, "already exists and is a symlink") ||
			strings.Contains(a.Stderr, "Invalid specifier") || strings.Contains(b.Stderr, "already exists and is a symlink")) {
			return true, !same
		}
	case "disable", "unmask", "revert", "reenable":
		// With --root= the reference leaves links that lead to a link it removed.
		if !same && leftovers(a.tree, b.tree) {
			return true, true
		}
	}
	return false, false
}

// leftovers tells whether all that a has more than b are links to nothing, and their directories.
func leftovers(a, b map[string]string) bool {
	for p, v := range b {
		if a[p] != v {
			return false
		}
	}
	for p, v := range a {
		if _, ok := b[p]; ok {
			continue
		}
		if strings.HasPrefix(v, "d") {
			continue
		}
		target, isLink := strings.CutPrefix(v, "→ ")
		if !isLink {
			return false
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(p), target)
		}
		if _, ok := b[target]; ok {
			return false
		}
	}
	return true
}

// shrink drops files and commands as long as the difference stays.
func (s *scenario) shrink(t testing.TB, ref, ctl oracle.Program) *scenario {
	for again := true; again; {
		again = false
		for i := range s.commands {
			c := *s
			c.commands = slices.Delete(slices.Clone(s.commands), i, i+1)
			if c.compare(t, ref, ctl) != "" {
				s, again = &c, true
				break
			}
		}
		for i := range s.files {
			c := *s
			c.files = slices.Delete(slices.Clone(s.files), i, i+1)
			if c.compare(t, ref, ctl) != "" {
				s, again = &c, true
				break
			}
		}
	}
	return s
}
