// Package managertest holds ctl against the real systemctl, both asking the manager of one
// booted container: each list of testdata is run with one and then with the other.
package managertest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// TestVerbs runs the lists of testdata. A line is a command line without the program's name; one that begins
// with "! " is run by a shell, to prepare what comes next.
func TestVerbs(t *testing.T) {
	m := oracle.Boot(t, "testdata/files")
	lists, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(lists) == 0 {
		t.Fatal(lists, err)
	}
	for _, list := range lists {
		data, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(list), ".txt"), func(t *testing.T) {
			lines := strings.Split(strings.TrimSpace(string(data)), "\n")
			want := transcript(t, m, "/usr/bin/systemctl", lines)
			got := transcript(t, m, "/ctl/systemctl", lines)
			for i, line := range lines {
				if d := cmp.Diff(want[i], got[i]); d != "" {
					t.Errorf("systemctl %s: - the reference, + ctl\n%s", line, d)
				}
			}
		})
	}
}

// volatile are the numbers of jobs, which no two runs have alike.
var volatile = regexp.MustCompile(`job [0-9]+ `)

func transcript(t *testing.T, m *oracle.Machine, program string, lines []string) []oracle.Result {
	t.Helper()
	var all []oracle.Result
	for _, line := range lines {
		script, prepares := strings.CutPrefix(line, "! ")
		if prepares {
			m.Shell(t, script)
			all = append(all, oracle.Result{})
			continue
		}
		r := m.Run(t, program+" "+line)
		r.Stderr = volatile.ReplaceAllString(r.Stderr, "job N ")
		all = append(all, r)
	}
	return all
}
