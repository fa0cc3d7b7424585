// Package house holds the rules of the house as tests: which room may know which,
// what is banned and why, and what a start may cost.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// A source is one Go file that is no test.
type source struct {
	dir, name string // below the top
	file      *ast.File
	fset      *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var l []source
	err := filepath.WalkDir(oracle.Repo(), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin") && p != oracle.Repo() {
			return fs.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(oracle.Repo(), p)
		l = append(l, source{path.Dir(rel), path.Base(rel), f, fset})
		return nil
	})
	if err != nil || len(l) < 20 {
		t.Fatalf("%d files, %v", len(l), err)
	}
	return l
}

// floors from the top down: a room knows only rooms below it.
var floors = [][]string{
	{"cmd/ctl", "internal/demo", "internal/bench", "internal/difftest", "internal/house"},
	{"control", "sandbox", "internal/oracle", "testdata"},
	{"enable"},
	{"detect"},
	{"internal/cli"},
	{"internal/term"},
	{"internal/unit", "internal/tree", "internal/sys"},
}

func floor(dir string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, dir) })
}

func TestArrowsPointDown(t *testing.T) {
	for _, s := range sources(t) {
		if floor(s.dir) < 0 {
			t.Errorf("%s: %s is on no floor", s.name, s.dir)
		}
		for _, i := range s.file.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			room, ours := strings.CutPrefix(name, "ctl/")
			if ours && floor(room) <= floor(s.dir) {
				t.Errorf("%s/%s imports %s, which is no floor below", s.dir, s.name, room)
			}
		}
	}
}

// bans are calls and imports with the rooms that may have them, and why others may not.
var bans = []struct {
	what  string
	rooms []string
	why   string
}{
	{"golang.org/x/sys/unix", []string{"internal/tree", "internal/term", "internal/sys", "detect", "sandbox"}, "system calls are wrapped once"},
	{"os.Exit", []string{"cmd/ctl", "internal/demo", "internal/bench", "internal/oracle"}, "errors travel up to main"},
	{"fmt.Print", []string{"internal/demo", "internal/bench"}, "only front doors speak, through internal/term"},
	{"fmt.Println", []string{"internal/demo", "internal/bench"}, "only front doors speak, through internal/term"},
	{"fmt.Printf", []string{"internal/demo", "internal/bench"}, "only front doors speak, through internal/term"},
	{"os.Create", nil, "it follows links and truncates what is there"},
	{"os.IsNotExist", []string{"detect"}, "it misses wrapped errors"},
	{"log", nil, "messages are internal/term's"},
	{"regexp", nil, "it costs every start"},
	{"text/template", nil, "it costs every start"},
}

func TestBans(t *testing.T) {
	for _, s := range sources(t) {
		allowed := func(rooms []string) bool { return slices.Contains(rooms, s.dir) }
		for _, i := range s.file.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			for _, b := range bans {
				if name == b.what && !allowed(b.rooms) {
					t.Errorf("%s/%s imports %s: %s", s.dir, s.name, name, b.why)
				}
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil {
				for _, b := range bans {
					if x.Name+"."+sel.Sel.Name == b.what && !allowed(b.rooms) {
						t.Errorf("%s: %s: %s", s.fset.Position(n.Pos()), b.what, b.why)
					}
				}
			}
			return true
		})
	}
}

// TestStart: nothing is worked out before main. A map or a function that runs at
// start would be paid for by every call.
func TestStart(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains([]string{"cmd/ctl", "control", "enable", "detect", "sandbox"}, s.dir) && !strings.HasPrefix(s.dir, "internal/") || floor(s.dir) == 0 && s.dir != "cmd/ctl" || s.dir == "internal/oracle" {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s: init()", s.fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					v, ok := spec.(*ast.ValueSpec)
					if !ok || d.Tok != token.VAR {
						continue
					}
					for _, e := range v.Values {
						ast.Inspect(e, func(n ast.Node) bool {
							if l, ok := n.(*ast.CompositeLit); ok {
								if _, isMap := l.Type.(*ast.MapType); isMap {
									t.Errorf("%s: a map made at start", s.fset.Position(n.Pos()))
								}
							}
							return true
						})
					}
				}
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	docs := make(map[string]int)
	for _, s := range sources(t) {
		if s.file.Doc != nil {
			docs[s.dir]++
		} else {
			docs[s.dir] += 0
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("%s has %d package comments", dir, n)
		}
	}
}

// TestBudget bounds what the packages' initialisation allocates, in bytes.
func TestBudget(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(filepath.Dir(bin))
	cmd := exec.Command(bin, "--version")
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	total, lines := 0, 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 8 || f[0] != "init" {
			continue
		}
		lines++
		n, err := strconv.Atoi(f[7])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if total += n; strings.HasPrefix(f[1], "ctl/") && n > 0 {
			t.Errorf("our own: %s", line)
		}
	}
	if lines < 5 || total > 20<<10 {
		t.Errorf("%d packages allocate %d bytes before main", lines, total)
	}
}
