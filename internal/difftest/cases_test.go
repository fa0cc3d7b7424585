package difftest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"ctl/internal/oracle"
)

// TestCases runs the hand-made cases of testdata, or CTL_CASE. Such an archive is a tree,
// and its comment has the commands, each after "$ ", and "env NAME=VALUE" and "input TEXT" for all of them.
//
// A file whose text begins with "-> " is a link, one whose text is "=fifo", "=null" or "=dir"
// what that says.
//
// Where ctl is meant to do otherwise, "deviates NUMBER" stands below the command, and
// below that, indented, all that ctl does: "exit STATUS", each line of "out" and "err", and
// "tree", what its tree differs in from the reference's. NUMBER is that of docs/deviations.md. After
// the number "root" or "chroot" says that it is so only in one of the two ways to work on a tree.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if f := os.Getenv("CTL_CASE"); f != "" {
		files = []string{f}
	}
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	oracle.Programs(t)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseCase(data)
			if err != nil {
				t.Fatal(err)
			}
			out, in := outside(t), inside(t)
			for i, c := range s.commands {
				// Each on the fresh tree, so that one difference does not hide the next.
				one := *s
				one.commands, one.expected = [][]string{c}, nil
				if e, ok := s.expected[i]; ok {
					one.expected = map[int]expectation{0: e}
				}
				for n, st := range []*stage{out, in} {
					if one.expected == nil && !oracle.Chosen(strings.Join(c, " "), uint32(n), 10) {
						continue
					}
					if d := one.compare(t, st); d != "" {
						t.Error(d)
					}
				}
			}
			// Then in a row. What was expected of the fresh tree need not be so now.
			row := *s
			row.commands, row.expected = nil, nil
			for i, c := range s.commands {
				if _, ok := s.expected[i]; !ok {
					row.commands = append(row.commands, c)
				}
			}
			if d := row.compare(t, out); d != "" {
				t.Errorf("after the commands before: %s", d)
			}
			if d := row.foresees(t, out); d != "" {
				t.Error(d)
			}
		})
	}
}

// An expectation is what ctl does where it is meant not to do as the reference does.
type expectation struct {
	where    string // "root", "chroot" or both
	exit     int
	out, err string
	tree     string // oracle.Diff
}

func (e expectation) on(st *stage) bool {
	return e.where == "" || (e.where == "chroot") == st.chrooted
}

// check returns what is not as expected, also that the reference does the same as ctl.
func (e expectation) check(st *stage, a, b step) string {
	if differ(st, nil, a, b) == "" {
		return "is said to deviate, and does not"
	}
	var l []string
	add := func(what, x, y string) {
		if x != y {
			l = append(l, fmt.Sprintf("%s: expected:\n%s\nctl:\n%s", what, x, y))
		}
	}
	expand := func(s string) string { return strings.ReplaceAll(s, "$R", st.shown()) }
	add("exit", strconv.Itoa(e.exit), strconv.Itoa(b.Exit))
	add("stdout", expand(e.out), b.Stdout)
	add("stderr", expand(e.err), b.Stderr)
	add("tree", strings.TrimSuffix(expand(e.tree), "\n"), oracle.Diff(a.tree, b.tree))
	return strings.Join(l, "\n")
}

var kinds = [...]struct {
	name string
	kind fs.FileMode
}{{"=fifo", fs.ModeNamedPipe}, {"=null", fs.ModeDevice | fs.ModeCharDevice}, {"=dir", fs.ModeDir}}

func parseCase(data []byte) (*scenario, error) {
	a := txtar.Parse(data)
	s := &scenario{expected: make(map[int]expectation)}
	for line := range strings.Lines(string(a.Comment)) {
		if err := s.parseLine(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	for _, f := range a.Files {
		text := string(f.Data)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			s.link("/"+f.Name, strings.TrimSpace(target))
			continue
		}
		g := file{path: "/" + f.Name, text: text}
		for _, k := range kinds {
			if strings.TrimSpace(text) == k.name {
				g = file{path: g.path, kind: k.kind}
			}
		}
		s.add(g)
	}
	return s, nil
}

func (s *scenario) parseLine(line string) error {
	last := len(s.commands) - 1
	word, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	e, expecting := s.expected[last]
	switch {
	case word == "" || word == "#":
	case word == "$":
		s.commands = append(s.commands, fields(rest))
	case word == "env":
		s.env = append(s.env, rest)
	case word == "input":
		s.input += rest + "\n"
	case word == "deviates" && last >= 0:
		f := strings.Fields(rest)
		if len(f) > 1 && (f[1] == "root:" || f[1] == "chroot:") {
			e.where = strings.TrimSuffix(f[1], ":")
		}
		s.expected[last] = e
	case strings.HasPrefix(line, " ") && expecting:
		var err error
		switch word {
		case "exit":
			e.exit, err = strconv.Atoi(rest)
		case "out":
			e.out += rest + "\n"
		case "err":
			e.err += rest + "\n"
		case "tree":
			e.tree += rest + "\n"
		default:
			err = fs.ErrInvalid
		}
		s.expected[last] = e
		return err
	default:
		return fs.ErrInvalid
	}
	return nil
}

// fields splits a command; quotes hold words with blanks together.
func fields(s string) []string {
	var words []string
	word, quoted, any := "", false, false
	for _, r := range s {
		switch {
		case r == '\'':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+string(r), true
		}
	}
	if any {
		words = append(words, word)
	}
	return words
}

// archive is the scenario as a case of testdata.
func (s *scenario) archive() []byte {
	a := &txtar.Archive{}
	for _, e := range s.env {
		a.Comment = append(a.Comment, "env "+e+"\n"...)
	}
	for line := range strings.Lines(s.input) {
		a.Comment = append(a.Comment, "input "+strings.TrimSuffix(line, "\n")+"\n"...)
	}
	for _, c := range s.commands {
		a.Comment = append(a.Comment, '$')
		for _, w := range c {
			if w == "" || strings.Contains(w, " ") {
				w = "'" + w + "'"
			}
			a.Comment = append(a.Comment, " "+w...)
		}
		a.Comment = append(a.Comment, '\n')
	}
	for _, f := range s.files {
		text := f.text
		if f.target != "" {
			text = "-> " + f.target
		}
		for _, k := range kinds {
			if f.kind == k.kind {
				text = k.name
			}
		}
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		a.Files = append(a.Files, txtar.File{Name: strings.TrimPrefix(f.path, "/"), Data: []byte(text)})
	}
	return txtar.Format(a)
}
