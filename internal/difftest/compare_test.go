package difftest

import (
	"os"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestReferenceAgrees compares the reference with itself: what TestRandom finds is
// then none of the reference's moods.
func TestReferenceAgrees(t *testing.T) {
	for _, st := range []*stage{outside(t), inside(t)} {
		st.ctl = st.ref
		for seed := range int64(40) {
			if s := generate(seed, st); s.compare(t, st) != "" {
				t.Errorf("seed %d, %s\n%s\n%s", seed, st, s.archive(), s.compare(t, st))
			}
		}
	}
}

// TestComparison has programs that differ from the reference in one thing each.
func TestComparison(t *testing.T) {
	st := outside(t)
	argv := "'" + strings.Join(st.ref.Argv(), "' '") + "' \"$@\""
	s := &scenario{commands: [][]string{{"enable", "a"}}}
	s.file(usr+"a.service", "[Install]\nWantedBy=x.target\n")
	for _, c := range []struct {
		script string
		differ bool
	}{
		{argv, false},
		{argv + "; exit 1", true},
		{argv + "; echo", true},
		{argv + "; echo >&2", true},
		{argv + " 2>&1 | tac >&2", true},
		{argv + " 2>&1 | sed 's/Created/Made/' >&2", true},
		{argv + " && r=${1#--root=} && ln -s a $r/etc/b", true},
		{argv + " && r=${1#--root=} && rm $r" + etc + "x.target.wants/a.service", true},
		{argv + " && r=${1#--root=} && ln -sfn /elsewhere $r" + etc + "x.target.wants/a.service", true},
		{argv + " && r=${1#--root=} && chmod 700 $r/etc", true},
		{argv + " && r=${1#--root=} && echo >>$r" + usr + "a.service", true},
	} {
		p := oracle.Scratch(t) + "/systemctl"
		if err := os.WriteFile(p, []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		st.ctl = oracle.Installed(p)
		if d := s.compare(t, st); (d != "") != c.differ {
			t.Errorf("%s: %q", c.script, d)
		}
	}
}
