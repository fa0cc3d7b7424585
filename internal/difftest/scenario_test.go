// Package difftest holds ctl against the reference: the same commands on the same
// trees, and everything that can be seen compared.
package difftest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) { oracle.Main(m) }

// A scenario is a tree and commands to be run on it one after the other. In commands,
// the environment and links $R stands for the tree.
type scenario struct {
	files    []file
	commands [][]string
	env      []string
	input    string              // what the commands read
	expected map[int]expectation // what ctl does otherwise, by the number of the command
}

// A file is what is at a path: a link if it has a target, else a file with the text, or what kind says.
type file struct {
	path, text, target string
	kind               fs.FileMode
}

func (s *scenario) file(path, text string) { s.add(file{path: path, text: text}) }

func (s *scenario) link(path, target string) { s.add(file{path: path, target: target}) }

func (s *scenario) add(f file) {
	if !slices.ContainsFunc(s.files, func(g file) bool { return g.path == f.path }) {
		s.files = append(s.files, f)
	}
}

// state is the tree as it is made for a stage; a chroot has a /dev/null.
func (s *scenario) state(st *stage) oracle.State {
	m := s.tree(st.shown())
	if st.chrooted && parents(m, "/dev") {
		m["/dev/null"] = oracle.Entry{Mode: kinds[1].kind | 0o666}
	}
	return m
}

// tree is the files of a tree at root. One that another is in the way of is left out.
func (s *scenario) tree(root string) oracle.State {
	m := make(oracle.State)
	for _, f := range s.files {
		if !parents(m, filepath.Dir(f.path)) {
			continue
		}
		if _, ok := m[f.path]; ok {
			continue
		}
		switch {
		case f.target != "":
			m[f.path] = oracle.Entry{Mode: fs.ModeSymlink, Text: strings.ReplaceAll(f.target, "$R", root)}
		case f.kind != 0:
			m[f.path] = oracle.Entry{Mode: f.kind | 0o755}
		default:
			m[f.path] = oracle.Entry{Mode: 0o644, Text: f.text}
		}
	}
	return m
}

// parents adds dir and those above it. It reports whether they are directories.
func parents(m oracle.State, dir string) bool {
	if dir == "/" {
		return true
	}
	if e, ok := m[dir]; ok {
		return e.Mode.IsDir()
	}
	if !parents(m, filepath.Dir(dir)) {
		return false
	}
	m[dir] = oracle.Entry{Mode: fs.ModeDir | 0o755}
	return true
}

// build makes the tree at root.
func (s *scenario) build(t testing.TB, root string) {
	t.Helper()
	if err := s.tree(root).Write(root); err != nil {
		t.Fatal(err)
	}
}

// A stage is where scenarios are performed: a directory in memory for the tree, and the two programs.
type stage struct {
	root     string
	ref, ctl oracle.Program
	chrooted bool         // the programs run in the tree, not with --root=
	current  oracle.State // what is at root now, as it was written, or nil
}

// outside is a stage with --root=.
func outside(t testing.TB) *stage {
	t.Helper()
	ref, ctl := oracle.Programs(t)
	return &stage{root: oracle.Scratch(t) + "/r", ref: ref, ctl: ctl}
}

// inside is a stage in a chroot.
func inside(t testing.TB) *stage {
	t.Helper()
	st := outside(t)
	l := oracle.Chroot(t, st.root, st.ref, st.ctl)
	st.ref, st.ctl, st.chrooted = l[0], l[1], true
	return st
}

// shown is the root as the programs see it.
func (st *stage) shown() string {
	if st.chrooted {
		return ""
	}
	return st.root
}

func (st *stage) String() string {
	if st.chrooted {
		return "in a chroot"
	}
	return "with --root="
}

// A step is what one command came to.
type step struct {
	oracle.Result
	tree oracle.State
}

// perform runs one command on the tree in the given state.
func (st *stage) perform(t testing.TB, p oracle.Program, s *scenario, state oracle.State, command []string) step {
	t.Helper()
	if st.current == nil || !maps.Equal(st.current, state) {
		if err := os.MkdirAll(st.root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := oracle.Clear(st.root); err != nil {
			t.Fatal(err)
		}
		if err := state.Write(st.root); err != nil {
			t.Fatal(err)
		}
	}
	expand := func(l []string) []string {
		l = slices.Clone(l)
		for i := range l {
			l[i] = strings.ReplaceAll(l[i], "$R", st.shown())
		}
		return l
	}
	args := expand(command)
	if !st.chrooted && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--root") }) {
		args = append([]string{"--root=" + st.root}, args...)
	}
	r := p.RunInput(t, "/", expand(s.env), s.input, args...)
	after := oracle.Snapshot(st.root)
	if st.current = state; !maps.Equal(after, state) {
		st.current = nil
	}
	return step{r, after}
}

// compare performs every command with both programs, each on the tree that the reference
// left the command before. It returns the first difference that is none of the deviations.
func (s *scenario) compare(t testing.TB, st *stage) string {
	t.Helper()
	state := s.state(st)
	for i, c := range s.commands {
		a := st.perform(t, st.ref, s, state, c)
		b := st.perform(t, st.ctl, s, state, c)
		var d string
		if e, ok := s.expected[i]; ok && e.on(st) {
			d = e.check(st, a, b)
		} else {
			d = differ(st, c, a, b)
		}
		if d != "" {
			if st.root != "" {
				d = strings.ReplaceAll(d, st.root, "$R")
			}
			return fmt.Sprintf("%s: systemctl %s\n%s", st, strings.Join(c, " "), d)
		}
		state = a.tree
	}
	return ""
}

// differ compares what one command came to.
func differ(st *stage, command []string, a, b step) string {
	verb := verbOf(command)
	a.Stderr, b.Stderr = once(verb, a.Stderr, b.Stderr)
	a.Stderr, b.Stderr = sortedRemovals(a.Stderr), sortedRemovals(b.Stderr)
	if !st.chrooted && leftovers(verb, a, &b) {
		a.tree = b.tree
	}
	var l []string
	add := func(what, x, y string) {
		if x != y {
			l = append(l, fmt.Sprintf("%s: the reference:\n%s\nctl:\n%s", what, x, y))
		}
	}
	add("exit", fmt.Sprint(a.Exit), fmt.Sprint(b.Exit))
	add("stdout", a.Stdout, b.Stdout)
	add("stderr", a.Stderr, b.Stderr)
	if d := oracle.Diff(a.tree, b.tree); d != "" {
		l = append(l, "tree: - the reference, + ctl:\n"+d)
	}
	return strings.Join(l, "\n")
}

func verbOf(command []string) string {
	for _, w := range command {
		if !strings.HasPrefix(w, "-") {
			return w
		}
	}
	return ""
}

// once leaves out what a says a second time: a failure, and what is wrong with a file each
// time that the reference reads it (docs/deviations.md, 14). What b repeats more often than a stays.
func once(verb, a, b string) (string, string) {
	repeats := func(line string) bool {
		if aboutFile.MatchString(line) {
			return true
		}
		switch verb {
		case "disable", "reenable", "preset", "preset-all", "unmask", "revert":
			return strings.HasPrefix(line, "Failed to ")
		}
		return false
	}
	drop := func(s string, spared func(string) bool) string {
		var kept strings.Builder
		said := make(map[string]bool)
		for line := range strings.Lines(s) {
			if !said[line] || !repeats(line) || spared(line) {
				kept.WriteString(line)
			}
			said[line] = true
		}
		return kept.String()
	}
	more := func(line string) bool { return strings.Count(b, line) > strings.Count(a, line) }
	return drop(a, more), drop(b, more)
}

// aboutFile is how the reference begins to say what is wrong with a unit's file, or the link to it.
var aboutFile = regexp.MustCompile(`^(/[^ ]+(:[0-9]+)?: |[^ ]+: symlink|[^ ]+ points to )`)

// sortedRemovals sorts what is said on the walk through the links: removals that follow each
// other, and links that cannot be followed. The reference walks several times (15).
func sortedRemovals(stderr string) string {
	lines := strings.SplitAfter(stderr, "\n")
	from := 0
	for i, line := range lines {
		if !strings.HasPrefix(line, "Removed ") && !strings.Contains(line, " unit: Refusing to operate on linked unit file /") {
			slices.Sort(lines[from:i])
			from = i + 1
		}
	}
	return strings.Join(lines, "")
}

// leftovers tells whether the two differ in what 31 says: with --root= the reference leaves
// links that lead to a link it removed. It then takes their removal out of what ctl said.
func leftovers(verb string, a step, b *step) bool {
	switch verb {
	case "disable", "unmask", "revert", "reenable":
	default:
		return false
	}
	more := false
	stderr := b.Stderr
	for p, e := range b.tree {
		if a.tree[p] != e {
			return false
		}
	}
	for p, e := range a.tree {
		if _, ok := b.tree[p]; ok || e.Mode.IsDir() {
			continue
		}
		if e.Mode&fs.ModeSymlink == 0 {
			return false
		}
		target := e.Text
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(p), target)
		}
		if _, ok := b.tree[target]; ok && verb != "reenable" { // which makes it anew
			return false
		}
		more = true
		var kept strings.Builder
		for line := range strings.Lines(stderr) {
			if !strings.HasPrefix(line, "Removed ") || !strings.HasSuffix(line, p+"'.\n") {
				kept.WriteString(line)
			}
		}
		if kept.Len() == len(stderr) && stderr != "" {
			return false
		}
		stderr = kept.String()
	}
	if more {
		b.Stderr = stderr
	}
	return more
}

// foresees runs each command of ctl with --dry-run first: that changes nothing, and
// exits as the real run does; what it says would be made and removed is.
func (s *scenario) foresees(t testing.TB, st *stage) string {
	t.Helper()
	state := s.state(st)
	for _, c := range s.commands {
		dry := st.perform(t, st.ctl, s, state, append([]string{"--dry-run"}, c...))
		json := st.perform(t, st.ctl, s, state, append([]string{"--dry-run", "--output=json"}, c...))
		name := strings.Join(c, " ")
		if d := oracle.Diff(state, dry.tree) + oracle.Diff(state, json.tree); d != "" {
			return name + ": a dry run changed the tree:\n" + d
		}
		real := st.perform(t, st.ctl, s, state, c)
		if dry.Exit != real.Exit || json.Exit != real.Exit {
			return fmt.Sprintf("%s: exits %d, dry %d, as JSON %d\n%s%s", name, real.Exit, dry.Exit, json.Exit, dry.Stdout, dry.Stderr)
		}
		for line := range strings.Lines(dry.Stdout) {
			f := strings.SplitN(line, "'", 3)
			if len(f) < 3 {
				continue
			}
			there := has(real.tree, strings.TrimPrefix(f[1], st.shown()))
			if (f[0] == "create " || f[0] == "replace ") && !there {
				return name + ": was not made: " + line
			}
			if f[0] == "remove " && there && !strings.Contains(dry.Stdout, "create '"+f[1]+"'") {
				return name + ": was not removed: " + line
			}
		}
		state = real.tree
	}
	return ""
}

// has tells whether p is there, also if its directory is a link.
func has(tree oracle.State, p string) bool {
	dir, name := filepath.Split(p)
	dir = filepath.Clean(dir)
	for range 10 {
		e, ok := tree[dir]
		if !ok || e.Mode&fs.ModeSymlink == 0 {
			break
		}
		dir = filepath.Join(filepath.Dir(dir), e.Text)
	}
	_, ok := tree[filepath.Join(dir, name)]
	return ok
}

// shrink drops files and commands as long as the difference stays.
func (s *scenario) shrink(t testing.TB, st *stage) *scenario {
	t.Helper()
	for again := true; again; {
		again = false
		for i := len(s.commands) - 1; i >= 0 && len(s.commands) > 1; i-- {
			c := *s
			c.commands = slices.Delete(slices.Clone(s.commands), i, i+1)
			if c.compare(t, st) != "" {
				s, again = &c, true
			}
		}
		for i := len(s.files) - 1; i >= 0; i-- {
			c := *s
			c.files = slices.Delete(slices.Clone(s.files), i, i+1)
			if c.compare(t, st) != "" {
				s, again = &c, true
			}
		}
		for i := range s.files {
			for _, f := range s.files[i].smaller() {
				c := *s
				c.files = slices.Clone(s.files)
				c.files[i] = f
				if c.compare(t, st) != "" {
					s, again = &c, true
					break
				}
			}
		}
	}
	return s
}

// smaller returns the file with each of its lines left out in turn.
func (f file) smaller() []file {
	var l []file
	lines := strings.SplitAfter(f.text, "\n")
	for i := range lines {
		if lines[i] != "" {
			g := f
			g.text = strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")
			l = append(l, g)
		}
	}
	return l
}
