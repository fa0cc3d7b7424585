// Package managertest holds ctl against the real systemctl, both asking the manager of one
// booted container: each list of testdata is run with one and then with the other.
package managertest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// TestVerbs runs the lists of testdata. A line is a command line without the program's name; one that begins
// with "! " is run by a shell, to prepare what comes next, one that begins with "$ " by a shell in which $S is the program, one that begins with "tty:80 " on a terminal with 80 columns,
// one that begins with "as:halt " under that name.
func TestVerbs(t *testing.T) {
	compareLists(t, oracle.Boot(t, "testdata/files"), "testdata/*.txt")
}

// long are lists a share of which is run. Their lines leave nothing behind that the next program would find.
var long = [...]string{"more.txt", "oddnames.txt", "ssh.txt", "unitfilenotes.txt", "unitfiles.txt", "user.txt"}

// compareLists runs lists with the one and then with the other program.
func compareLists(t *testing.T, m *oracle.Machine, pattern string) {
	t.Helper()
	lists, err := filepath.Glob(pattern)
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
			if slices.Contains(long[:], filepath.Base(list)) {
				lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "! ") && !oracle.Chosen(line, 0, 3) })
			}
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

// volatile are what no two runs have alike, and what is written in its place: numbers of jobs, points in time,
// identifiers, processes, what a service has used up.
var volatile = [...]struct {
	what *regexp.Regexp
	as   string
}{

	{regexp.MustCompile(`[A-Z][a-z]{2} [0-9-]{10} [0-9:]{8}(\.[0-9]{6})? UTC`), "TIME$1"},
	{regexp.MustCompile(`@[0-9]{10}\b`), "@TIME"},
	{regexp.MustCompile(`TIME\.[0-9]{6}`), "TIME.USEC"},
	{regexp.MustCompile(`(?m)^((\w*TimestampMonotonic|NextElapseUSecMonotonic|InvocationID|ControlGroupId)=).*`), "${1}N"},
	{regexp.MustCompile(`(?m)^((Memory(Current|Peak|Available)|CPUUsageNSec|\w*PID|ReloadCount|NNames|NInstalledJobs|NFailedJobs)=)[0-9]+`), "${1}N"},
	{regexp.MustCompile(`("(next|left|last|passed)" : )[1-9][0-9]*`), "${1}N"},
	{regexp.MustCompile(`(?m)^[0-9]+ +`), "N "},
	{regexp.MustCompile(`JOB *(\x1b\[0m)?`), "JOB$1"},
	{regexp.MustCompile(`job [0-9]+ `), "job N "},
	{regexp.MustCompile(`\(PID [0-9]+`), "(PID N"},
	{regexp.MustCompile(`pid=[0-9]+`), "pid=N"},
	{regexp.MustCompile(`(Main PID: |Process: |(Control|Cntrl) PID: |Job: |TIME\S*; |TIME\S* UTC; |@TIME; )[0-9]+`), "${1}N"},
	{regexp.MustCompile(`N(min|s|ms|us|h)( [0-9]+(min|s|ms|us|h))? (ago|left)`), "SPAN $4"},
	{regexp.MustCompile(`(Invocation: )[0-9a-f]{32}`), "${1}ID"},
	{regexp.MustCompile(`((CPU|Duration): )([0-9]+(h|min) )*[0-9.]+(ms|s|us)`), "${1}SPAN"},
	{regexp.MustCompile(`([├└]─(\x1b\[[0-9;:]*m)*) *[0-9]+ `), "${1}N "},
	{regexp.MustCompile(`[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} `), "STAMP "},
	{regexp.MustCompile(`([a-z-]+\)?)\[[0-9]+\]: `), "$1[N]: "},
	{regexp.MustCompile(`(/usr/bin|/ctl)/systemctl`), "systemctl"},
	{regexp.MustCompile(`("jobs":)[0-9]+|((?:running|degraded)(?:\x1b\[0m)? +[0-9]+ +)[0-9]+`), "${1}${2}N"},
	{regexp.MustCompile(`--deserialize=[0-9]+`), "--deserialize=N"},
	{regexp.MustCompile(`Units: [0-9]+ loaded`), "Units: N loaded"},
}

// unordered are lists that the manager has in another order whenever it loads the unit anew.
var unordered = regexp.MustCompile(`(?m)^(Requires|Wants|After|Before|Conflicts|RequiresMountsFor|WantsMountsFor|TriggeredBy|Triggers)=.*`)

func settled(s string) string {
	for _, v := range volatile {
		s = v.what.ReplaceAllString(s, v.as)
	}
	return unordered.ReplaceAllStringFunc(s, func(line string) string {
		name, list, _ := strings.Cut(line, "=")
		words := strings.Fields(list)
		slices.Sort(words)
		return name + "=" + strings.Join(words, " ")
	})
}

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
		columns := 0
		if rest, onTerminal := strings.CutPrefix(line, "tty:"); onTerminal {
			width, args, _ := strings.Cut(rest, " ")
			var err error
			if columns, err = strconv.Atoi(width); err != nil {
				t.Fatal(err)
			}
			line = args
		}
		command := program + " " + line
		if rest, whole := strings.CutPrefix(line, "$ "); whole {
			command = "export S=" + program + "; " + rest
		} else if rest, other := strings.CutPrefix(line, "as:"); other {
			name, args, _ := strings.Cut(rest, " ")
			command = "SYSTEMD_INVOKED_AS=" + name + " " + program + " " + args
		}
		r := m.RunOnTerminal(t, command, columns)
		r.Stdout, r.Stderr = settled(r.Stdout), settled(r.Stderr)
		all = append(all, r)
	}
	return all
}
