package difftest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"ctl/internal/oracle"
)

// TestCases runs the hand-made cases of testdata: an archive is a tree (a file whose
// text begins with "-> " is a link), its comment the commands, one a line after "$ ".
// "env NAME=VALUE" is for the commands after it.
func TestCases(t *testing.T) {
	ref, ctl := oracle.Programs(t)
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			s := parseCase(t, data)
			// Each command on the fresh tree, so that one difference does not hide the next,
			// then all in a row.
			for _, c := range s.commands {
				one := *s
				one.commands = [][]string{c}
				if d := one.compare(t, ref, ctl); d != "" {
					t.Error(d)
				}
			}
			if d := s.compare(t, ref, ctl); d != "" {
				t.Error(d)
			}
		})
	}
}

func parseCase(t *testing.T, data []byte) *scenario {
	t.Helper()
	a := txtar.Parse(data)
	s := &scenario{}
	for line := range strings.Lines(string(a.Comment)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "$ "):
			s.commands = append(s.commands, fields(line[2:]))
		case strings.HasPrefix(line, "env "):
			s.env = append(s.env, line[4:])
		case line == "", strings.HasPrefix(line, "#"):
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	for _, f := range a.Files {
		text := string(f.Data)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			s.link("/"+f.Name, strings.TrimSpace(target))
		} else {
			s.file("/"+f.Name, text)
		}
	}
	return s
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
