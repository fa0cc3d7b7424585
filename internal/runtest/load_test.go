package runtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ctl/enable"
	"ctl/internal/oracle"
	"ctl/internal/tree"
	"ctl/internal/unit"
	"ctl/sandbox/service"
)

const unitDir = "/etc/systemd/system/"

// A loadCase is a unit that systemd and ctl load.
type loadCase struct {
	name string // of the unit
	text string // of its file
}

// listed are the cases of testdata/load: each line is a service, with ";" between the lines of its section.
func listed(t *testing.T, name string) (l []loadCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/load/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		separator := ";"
		if name == "commands" {
			separator = "ExecStart=" // what follows has ";" in it
			head, tail, _ := strings.Cut(line, separator)
			line, separator = strings.ReplaceAll(head, ";", "\n")+"ExecStart="+tail, "\n"
		}
		l = append(l, loadCase{fmt.Sprintf("%s%03d.service", name, i+1), "[Service]\n" + strings.ReplaceAll(line, separator, "\n") + "\n"})
	}
	return l
}

// probes are values that each setting gets.
var probes = [...]string{"", "@bad@bad", "-5x", "rel /abs/../x", "yes", "%9", "1:2:3:4:5:6", "/abs", "a b", "~x", "0", "\"a", "5%", "100", "infinity",
	"no", "-/abs:/b", "+/x", "auto", "%n", "a\\x41 /a/./b//c", "cpu memory", "é"}

// generated are units that give each setting of a section each value of probes. A setting that ends the reading of a file is the
// last of its unit; which ones do, ctl tells, and if it is wrong the comparison shows it.
func generated(t *testing.T, root, section string, names []string) (l []loadCase) {
	t.Helper()
	for i, value := range probes {
		if !oracle.Chosen(section+value, 0, 6) {
			continue
		}
		rest := names
		for part := 0; len(rest) > 0; part++ {
			c := loadCase{name: fmt.Sprintf("%s%02d-%d.service", strings.ToLower(section), i, part)}
			text := "[Service]\nExecStart=/bin/true\n"
			switch section {
			case "Socket":
				c.name = strings.TrimSuffix(c.name, "service") + "socket"
				text = "[Socket]\nListenStream=/run/x\n"
			case "Unit":
				text += "[Unit]\n"
			}
			first := strings.Count(text, "\n")
			for _, n := range rest {
				text += n + "=" + value + "\n"
			}
			c.text = text
			write(t, root, c)
			l = append(l, c)
			stop := stoppedAt(load(t, root, c.name))
			if stop <= first {
				break
			}
			rest = rest[stop-first:]
		}
	}
	return l
}

// stoppedAt is the line at which ctl has given up a file, 0 for none.
func stoppedAt(u *service.Unit, err error) int {
	e, ok := errors.AsType[*service.Error](err)
	if !ok {
		return 0
	}
	stop := 0
	for _, n := range e.Notices {
		if n.Line > 0 && (n.Weight == service.Fatal || strings.HasPrefix(n.Setting, "PIDFile")) {
			stop = n.Line
		}
	}
	return stop
}

func write(t *testing.T, root string, c loadCase) {
	t.Helper()
	p := root + unitDir + c.name
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(c.text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// load has ctl load a unit of the tree at root.
func load(t *testing.T, root, name string) (*service.Unit, error) {
	t.Helper()
	if unit.Type(name) == "socket" {
		s, err := service.LoadSocket(indexOf(t, root), name, service.Options{})
		if err != nil {
			return nil, err
		}
		return &s.Unit, nil
	}
	s, err := loadService(t, root, name)
	if err != nil {
		return nil, err
	}
	return &s.Unit, nil
}

func loadService(t *testing.T, root, name string) (*service.Service, error) {
	t.Helper()
	return service.Load(indexOf(t, root), name, service.Options{})
}

func indexOf(t *testing.T, root string) *enable.Index {
	t.Helper()
	tr, err := tree.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	tr.ShowAs("")
	ix, err := enable.Open(enable.Config{Tree: tr, LookUp: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// said is what ctl says of a unit.
func said(u *service.Unit, err error) []string {
	var l []string
	var notices []service.Notice
	e, failed := errors.AsType[*service.Error](err)
	if failed {
		notices = e.Notices
	} else {
		notices = u.Notices
	}
	for _, n := range notices {
		if n.Weight != service.Lacking && n.Weight != service.Unsafe {
			l = append(l, n.String())
		}
	}
	if failed {
		l = append(l, e.Error())
	}
	return l
}

// settingsOf are the settings of a section that systemd has.
func settingsOf(t *testing.T, m *oracle.Machine, section string) (l []string) {
	t.Helper()
	within := false
	for line := range strings.Lines(m.Run(t, "/usr/lib/systemd/systemd --dump-configuration-items").Stdout) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			within = line == "["+section+"]"
		} else if name, _, ok := strings.Cut(line, "="); ok && within && !slices.Contains(l, name) && !strings.HasPrefix(name, "Exec") {
			l = append(l, name)
		}
	}
	return l
}

// loadTree is a tree that says of itself what the machine does.
func loadTree(t *testing.T, m *oracle.Machine) string {
	t.Helper()
	root := t.TempDir()
	for _, p := range []string{"/etc/machine-id", "/etc/os-release", "/etc/passwd"} {
		if err := os.MkdirAll(filepath.Dir(root+p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+p, []byte(m.Run(t, "cat "+p).Stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestLoadMessages: of each unit file ctl says what systemd says of it.
func TestLoadMessages(t *testing.T) {
	m := machine(t)
	root := loadTree(t, m)
	cases := slices.Concat(listed(t, "services"), listed(t, "commands"))
	for _, c := range cases {
		write(t, root, c)
	}
	for _, section := range []string{"Unit", "Service", "Socket"} {
		cases = append(cases, generated(t, root, section, settingsOf(t, m, section))...)
	}
	install(t, m, cases)
	want := make(map[string][]string)
	r := m.Run(t, "cd "+unitDir+"; systemd-analyze verify --recursive-errors=no --man=no services*.service commands*.service unit*.service service*.service socket*.socket")
	for line := range strings.Lines(r.Stderr) {
		line = strings.TrimSuffix(line, "\n")
		name := unitOf(line)
		// What systemd-analyze says of its own is no matter of loading.
		if name != "" && !strings.Contains(line, " is not executable: ") && !strings.HasSuffix(line, " not loaded, socket cannot be started.") {
			want[name] = append(want[name], line)
		}
	}
	for name := range want {
		want[name] = slices.Compact(want[name])
	}
	for _, c := range cases {
		got := slices.DeleteFunc(said(load(t, root, c.name)), func(s string) bool { return unitOf(s) == "" })
		if d := lineDiff(want[c.name], got); d != "" {
			t.Errorf("%s: - systemd, + ctl\n%s\n%s", c.name, c.text[:min(len(c.text), 200)], d)
		}
	}
}

// lineDiff are the lines that only one of two lists has, "" if they are equal.
func lineDiff(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	var b strings.Builder
	for _, l := range want {
		if !slices.Contains(got, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	if b.Len() == 0 {
		return "another order or number:\n" + cmp.Diff(want, got)
	}
	return b.String()
}

// install writes the unit files in the machine, in pieces that are short enough to be an argument.
func install(t *testing.T, m *oracle.Machine, cases []loadCase) {
	t.Helper()
	var script strings.Builder
	for i, c := range cases {
		fmt.Fprintf(&script, "cat >'%s%s' <<'End'\n%sEnd\n", unitDir, c.name, c.text)
		if script.Len() > 60000 || i == len(cases)-1 {
			m.Shell(t, script.String())
			script.Reset()
		}
	}
}

// unitOf is the unit that a line of systemd-analyze is about, "" if that cannot be told.
func unitOf(line string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(line, "Unit "), unitDir)
	i := strings.IndexAny(rest, ": ")
	if i < 0 || unit.Type(rest[:i]) == "" {
		return ""
	}
	return rest[:i]
}
