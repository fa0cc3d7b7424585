package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ctl/control"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox"
	"ctl/sandbox/run"
)

// TestEverywhere: each option and verb that has help is in the help, the manual page and the completions of its front door, and nothing else is.
func TestEverywhere(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	everywhere(t, dir, "ctl", "ctl", cli.Table[control.Call]{Verbs: control.Verbs[:], Options: control.Options[:]}, control.Page("ctl"))
	everywhere(t, dir, "ctl-run", "ctl run", cli.Table[run.Call]{Options: run.Options[:]}, run.Page("ctl run"))
	everywhere(t, dir, "ctl-spawn", "ctl spawn", cli.Table[sandbox.Call]{Options: sandbox.Options[:]}, sandbox.Page("ctl spawn"))
}

func everywhere[C any](t *testing.T, dir, name, called string, table cli.Table[C], p cli.Page) {
	t.Helper()
	help := strings.Fields(table.Help(p, term.Look{Width: 200}))
	page, err := os.ReadFile(dir + "/man/man1/" + name + ".1")
	if err != nil {
		t.Fatal(err)
	}
	manual := strings.ReplaceAll(string(page), `\-`, "-")
	completed := complete(t, dir, called+" -")
	n := 0
	for _, o := range table.Options {
		for _, word := range []string{"--" + o.Long, "-" + o.Short} {
			if len(word) < 2 || word == "--" {
				continue
			}
			is := func(s string) bool {
				return s == word || strings.HasPrefix(s, word+"=") || strings.HasPrefix(s, word+"[=")
			}
			in := slices.ContainsFunc(completed, is)
			if shown := o.Help != ""; slices.ContainsFunc(help, is) != shown || slices.ContainsFunc(strings.Fields(manual), is) != shown || in != shown {
				t.Errorf("%s %s: in the help %v, the manual %v, completed %v", called, word, slices.ContainsFunc(help, is), slices.ContainsFunc(strings.Fields(manual), is), in)
			}
			if in {
				n++
			}
		}
	}
	if n != len(completed) {
		t.Errorf("%s: %d of %d that are completed are options: %v", called, n, len(completed), completed)
	}
	verbs := complete(t, dir, called+" ")
	for _, v := range table.Verbs {
		if shown := v.Help != ""; slices.Contains(verbs, v.Name) != shown || strings.Contains(manual, "\n.B "+v.Name) != shown && shown && !v.Default {
			t.Errorf("%s %s: completed %v", called, v.Name, slices.Contains(verbs, v.Name))
		}
	}
	if _, err := exec.LookPath("man"); err == nil {
		cmd := exec.Command("man", "--warnings", "-l", "-E", "UTF-8", dir+"/man/man1/"+name+".1")
		var warnings strings.Builder
		cmd.Stderr = &warnings
		if err := cmd.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("%s: %v %s", name, err, warnings.String())
		}
	}
}

// complete has bash complete the last word of a line.
func complete(t *testing.T, dir, line string) []string {
	t.Helper()
	words := strings.Split(line, " ")
	cmd := exec.Command("bash", "-c", `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ctl; printf '%s\n' "${COMPREPLY[@]}"`)
	cmd.Args = append(append(cmd.Args, dir+"/bash-completion/completions/ctl"), words...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Fields(string(out))
}
