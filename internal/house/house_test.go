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
	{"cmd/ctl", "internal/demo", "internal/bench", "internal/difftest", "internal/managertest", "internal/runtest", "internal/runtest/probe", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack", "internal/house", "internal/pages", "sandbox/seccomp/gen"},
	{"control", "sandbox", "sandbox/run", "internal/oracle", "testdata"},
	{"sandbox/lifecycle"},
	{"sandbox/launch"},
	{"sandbox/namespace"},
	{"sandbox/service"},
	{"control/assign", "sandbox/image"},
	{"control/manager", "enable", "sandbox/container", "sandbox/copytree"},
	{"detect", "control/journal", "sandbox/cgroup", "sandbox/console", "sandbox/dmverity", "sandbox/lock", "sandbox/mount", "sandbox/netlink", "sandbox/program", "sandbox/seccomp"},
	{"internal/cli"},
	{"internal/term"},
	{"internal/unit", "internal/tree", "internal/json"},
	{"internal/clock", "internal/sys"},
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
	{"golang.org/x/sys/unix", []string{"internal/tree", "internal/json", "internal/term", "internal/sys", "detect", "sandbox", "sandbox/run", "sandbox/lifecycle", "sandbox/launch", "sandbox/namespace", "sandbox/service", "sandbox/cgroup", "sandbox/console", "sandbox/container", "sandbox/copytree", "sandbox/dmverity", "sandbox/image", "sandbox/lock", "sandbox/mount", "sandbox/netlink", "sandbox/program", "sandbox/seccomp", "control/manager", "internal/oracle", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack"}, "system calls are wrapped once"},
	{"os.Exit", []string{"cmd/ctl", "internal/pages", "internal/demo", "internal/bench", "internal/oracle", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack", "sandbox/seccomp/gen"}, "errors travel up to main"},
	{"fmt.Print", []string{"internal/demo", "internal/bench", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack"}, "only front doors speak, through internal/term"},
	{"fmt.Println", []string{"internal/demo", "internal/bench", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack"}, "only front doors speak, through internal/term"},
	{"fmt.Printf", []string{"internal/demo", "internal/bench", "internal/runtest/mountprobe", "internal/runtest/killer", "internal/spawntest/probe", "internal/spawnguard/attack"}, "only front doors speak, through internal/term"},
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

// shipped tells whether the room is part of the program.
func shipped(dir string) bool {
	return dir == "cmd/ctl" || floor(dir) > 0 && dir != "internal/oracle" && dir != "testdata"
}

// TestStart: nothing is worked out before main. A map or a call at package level
// would be paid for by every start; errors.New is too cheap to measure.
func TestStart(t *testing.T) {
	for _, s := range sources(t) {
		if !shipped(s.dir) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s: init()", s.fset.Position(d.Pos()))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					s.checkInitialised(t, d)
				}
			}
		}
	}
}

func (s source) checkInitialised(t *testing.T, d *ast.GenDecl) {
	t.Helper()
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false // what it does, it does when it is called
		case *ast.MapType:
			t.Errorf("%s: a map made at start", s.fset.Position(n.Pos()))
		case *ast.CallExpr:
			switch name := callee(n); name {
			case "errors.New", "sync.OnceValue", "sync.OnceValues", "sync.OnceFunc", "len", "string", "byte":
			default:
				t.Errorf("%s: %s is called at start", s.fset.Position(n.Pos()), name)
			}
		}
		return true
	})
}

// callee is the name of what a call calls, as it is written.
func callee(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
	}
	return "something"
}

// TestDependencies: what is linked into the program is paid for at each start and by each reader.
func TestDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{.Module.Path}} {{end}}{{.ImportPath}}", "./cmd/ctl")
	cmd.Dir = oracle.Repo()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		n++
		switch f[len(f)-1] {
		case "regexp", "text/template", "html/template", "net/http", "crypto/tls", "encoding/gob", "log", "testing", "go/ast":
			t.Errorf("%s is linked into ctl", f[len(f)-1])
		}
		if len(f) == 2 && !slices.Contains([]string{"ctl", "golang.org/x/sys", "github.com/godbus/dbus/v5", "github.com/spf13/pflag"}, f[0]) {
			t.Errorf("%s is linked into ctl, of a module that is not agreed on (DESIGN, Dependencies)", f[1])
		}
	}
	if n < 30 {
		t.Fatalf("%d packages", n)
	}
}

// TestExportedDocs: what a room shows to others has a comment that begins with its name.
func TestExportedDocs(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && receiverExported(d) && d.Doc == nil && !standard(d.Name.Name) {
					t.Errorf("%s: %s has no comment", s.fset.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() && d.Doc == nil && ts.Doc == nil {
						t.Errorf("%s: %s has no comment", s.fset.Position(ts.Pos()), ts.Name.Name)
					}
				}
			}
		}
	}
}

func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	name, ok := t.(*ast.Ident)
	return ok && name.IsExported()
}

// standard are methods whose meaning everybody knows.
func standard(name string) bool {
	return slices.Contains([]string{"String", "Error", "Unwrap", "Is", "Close", "Len", "Less", "Swap"}, name)
}

// TestRooms: a file holds one thing, a room has a name that says what it is, and nothing is left for later.
func TestRooms(t *testing.T) {
	for _, s := range sources(t) {
		if n := s.fset.File(s.file.Pos()).LineCount(); n > 600 {
			t.Errorf("%s/%s has %d lines", s.dir, s.name, n)
		}
		switch path.Base(s.dir) {
		case "util", "utils", "common", "helpers", "misc", "base", "lib":
			t.Errorf("%s says nothing", s.dir)
		}
		for _, group := range s.file.Comments {
			for _, later := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X"} {
				if strings.Contains(group.Text(), later) {
					t.Errorf("%s: %s", s.fset.Position(group.Pos()), later)
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
