package control

import (
	"os"
	"strings"
	"testing"

	"ctl/detect"
	"ctl/internal/cli"
	"ctl/internal/term"
)

// FuzzArgv reads command lines, up to where a verb would run. Nothing panics, and
// what is not an option comes back in order.
func FuzzArgv(f *testing.F) {
	for _, s := range []string{"enable a", "--root=/x -qf --type=service,foo x", "--no", "-.mount", "-pId -P x", "--when=+5min -n 3", "-- -x", "--legend=no -t help", "--=", "-", "--capsule=a --kill-value=0x1"} {
		f.Add(s)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		getenv := func(string) string { return "" }
		c := &Call{Name: "systemctl", Stdin: null, Stdout: null, Stderr: null, Getenv: getenv, Where: detect.New(getenv)}
		c.env = term.Env{Getenv: getenv, LookUp: func(string) (string, bool) { return "", false }}
		c.log = term.Log{Err: null, Env: c.env}
		c.table = &cli.Table[Call]{Program: "systemctl", Verbs: Verbs[:], Options: Options[:]}
		args := strings.Split(line, " ")
		operands, err := c.table.Parse(c, args)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q fails without a word", line)
			}
			return
		}
		_ = c.Opt.check(operands)
		if len(operands) > 0 {
			c.table.Suggest(operands[0])
		}
		for i, at := 0, 0; i < len(operands); i, at = i+1, at+1 {
			for at < len(args) && args[at] != operands[i] {
				at++
			}
			if at == len(args) {
				t.Fatalf("%q gives %q", args, operands)
			}
		}
	})
}

// TestRows: each name once, and a function behind it.
func TestRows(t *testing.T) {
	table := cli.Table[Call]{Verbs: Verbs[:], Options: Options[:]}
	seen := map[string]bool{}
	for i := range Verbs {
		v := &Verbs[i]
		if table.Find(v.Name) != v || v.Run == nil || v.Max >= 0 && v.Max < v.Min || seen[v.Name] {
			t.Errorf("row %q", v.Name)
		}
		seen[v.Name] = true
	}
	for i := range Options {
		o := &Options[i]
		if seen[o.Name()] || o.Set == nil || o.Long == "" && o.Short == "" {
			t.Errorf("row %q", o.Name())
		}
		seen[o.Name()] = true
	}
}
