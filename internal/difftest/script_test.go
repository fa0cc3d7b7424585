package difftest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ctl/internal/oracle"
)

// TestScript runs the scripts of testdata/script, which are there to be read, with ctl
// as systemctl, and then the same ones with the real systemctl. What the two are meant to differ
// in stands behind [ctl] and [!ctl].
func TestScript(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ctl", func(t *testing.T) { scripts(t, filepath.Dir(bin), true) })
	t.Run("reference", func(t *testing.T) {
		ref, _ := oracle.Programs(t)
		dir := t.TempDir()
		text := "#!/bin/sh\nexec"
		for _, a := range ref.Argv() {
			text += " '" + a + "'"
		}
		if err := os.WriteFile(dir+"/systemctl", []byte(text+" \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		scripts(t, dir, false)
	})
}

func scripts(t *testing.T, path string, ctl bool) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join(oracle.Repo(), "testdata/script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", path+":"+e.Getenv("PATH"))
			e.Setenv("LANG", "C.UTF-8")
			return nil
		},
		Condition: func(c string) (bool, error) { return c == "ctl" && ctl, nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"readlink": func(ts *testscript.TestScript, neg bool, args []string) {
				if len(args) != 2 || neg {
					ts.Fatalf("usage: readlink file target")
				}
				got, err := os.Readlink(ts.MkAbs(args[0]))
				if err != nil || got != args[1] {
					ts.Fatalf("%s leads to %q, %v", args[0], got, err)
				}
			},
		},
	})
}
