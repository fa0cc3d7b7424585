// Package spawntest holds ctl, called as systemd-nspawn, against the real systemd-nspawn 262: each case of testdata is done with
// both on a machine that nobody has used (oracle.Host), with a program in the container that tells all it sees (probe).
package spawntest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/gob"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ctl/internal/oracle"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "5") // many cases wait
	oracle.Main(m)
}

// TestCases runs the lists of testdata. A line is the command line of a container, to which "--keep-unit --register=no" is added,
// for there is neither bus nor manager; after "$ " comes a shell script, in which $S is the program and $K these two options.
// Indented below it stands what belongs to the case:
//
//	setup SCRIPT       is run before, in the directory that has the tree t
//	bundle PATCH       the directory b is an OCI bundle of the tree, changed by a patch (probe)
//	env NAME=VALUE     in the environment of the program
//	tty                it runs on a terminal
//	stdin pipe|closed|=TEXT
//	full               the directory has a whole Debian tree, called full
//	expect, send, size, signal, close (oracle.Step)
//	ignore AREA        what is not compared: exit, out, err, left
//	deviates N: WHY    ctl is meant to do otherwise (docs/deviations.md), namely in the areas that follow:
//	  exit STATUS, out LINE, err LINE, left LINE
//	  -out LINE, +out LINE and so on: only in this line, as the difference is shown
//	  shows LINE         is a line of out, whose others are not compared
//
// Every eighth case is run, or all (oracle.Chosen).
//
// With CTL_SPAWN=reference the reference is compared with itself, which shows what no two runs have alike. With
// CTL_SPAWN=show the reference's answers are shown. With CTL_SPAWN_ANSWERS naming a directory, the reference's answers are kept there.
func TestCases(t *testing.T) {
	second := cmp.Or(os.Getenv("CTL_SPAWN"), "ctl")
	h := oracle.NewHost(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := parse(string(data))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			for _, c := range cases {
				if !oracle.Chosen(c.title, 0, 16) {
					continue
				}
				t.Run(strconv.Itoa(c.line), func(t *testing.T) {
					t.Parallel()
					want, err := reference(h, c.call)
					if err != nil {
						t.Fatalf("%s\n%v", c.title, err)
					}
					if second == "show" {
						t.Errorf("%s\n%s", c.title, c.compare(nil, areas(want)))
						return
					}
					got, err := h.Run(second, c.call)
					if err != nil {
						t.Fatalf("%s\n%v", c.title, err)
					}
					if d := c.compare(areas(want), areas(got)); d != "" {
						t.Errorf("%s\n%s", c.title, d)
					}
				})
			}
		})
	}
}

// A spawnCase is one line of a list with what belongs to it.
type spawnCase struct {
	line     int
	title    string
	call     oracle.HostCall
	ignore   []string
	deviates string
	expected map[string][]string // what ctl does where it deviates, by area
	patches  map[string][]string // the lines in which it deviates, as difference shows them
	shows    []string
}

func parse(text string) ([]*spawnCase, error) {
	var all []*spawnCase
	var c *spawnCase
	for i, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if line[0] != ' ' {
			c = &spawnCase{line: i + 1, title: line, expected: make(map[string][]string), patches: make(map[string][]string)}
			if script, whole := strings.CutPrefix(line, "$ "); whole {
				c.call.Script = script
			} else {
				c.call.Script = "exec $S $K " + line
			}
			all = append(all, c)
			continue
		}
		if c == nil {
			return nil, fmt.Errorf("line %d belongs to nothing", i+1)
		}
		c.title += "\n" + line
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(rest, `"`) {
			s, err := strconv.Unquote(rest)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			rest = s
		}
		switch word {
		case "setup":
			c.call.Setup += rest + "\n"
		case "bundle":
			c.call.Setup += "probe bundle b '" + rest + "'\n"
		case "env":
			c.call.Env = append(c.call.Env, rest)
		case "tty":
			c.call.TTY = true
		case "full":
			c.call.Full = true
		case "stdin":
			c.call.Stdin = rest
		case "expect", "send", "size", "signal", "close":
			c.call.Steps = append(c.call.Steps, oracle.Step{Do: word, Text: rest})
		case "ignore":
			c.ignore = append(c.ignore, strings.Fields(rest)...)
		case "deviates":
			c.deviates = rest
		case "exit", "out", "err", "left":
			c.expected[word] = append(c.expected[word], rest)
		case "-out", "+out", "-err", "+err", "-left", "+left":
			c.patches[word[1:]] = append(c.patches[word[1:]], "  "+word[:1]+" "+rest)
		case "shows":
			c.shows = append(c.shows, rest)
		default:
			return nil, fmt.Errorf("line %d: %q means nothing", i+1, word)
		}
	}
	return all, nil
}

// answersKey is what the reference's answers depend on besides the case: how it is asked.
var answersKey = sync.OnceValue(func() []byte {
	hash := sha256.New()
	hosts, _ := filepath.Glob("../oracle/host*.go")
	probes, _ := filepath.Glob("probe/*.go")
	for _, f := range append(hosts, probes...) {
		data, _ := os.ReadFile(f)
		hash.Write(data)
	}
	return hash.Sum(nil)
})

// reference does a call with the reference, or finds the answer that was kept.
func reference(h *oracle.Host, c oracle.HostCall) (oracle.HostResult, error) {
	dir := os.Getenv("CTL_SPAWN_ANSWERS")
	if dir == "" {
		return h.Run("reference", c)
	}
	file := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(answersKey(), "%#v", c))))
	var r oracle.HostResult
	if data, err := os.ReadFile(file); err == nil && gob.NewDecoder(bytes.NewReader(data)).Decode(&r) == nil {
		return r, nil
	}
	r, err := h.Run("reference", c)
	if err != nil {
		return r, err
	}
	var data bytes.Buffer
	if err := gob.NewEncoder(&data).Encode(r); err != nil {
		return r, err
	}
	return r, os.WriteFile(file, data.Bytes(), 0o600)
}

// volatile are what no two runs have alike.
var volatile = [...]struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "ID"},
	{regexp.MustCompile(`nspawn-root-\w{6}`), "nspawn-root-RANDOM"},
	{regexp.MustCompile(`nspawn-temp-\w+`), "nspawn-temp-RANDOM"},
	{regexp.MustCompile(`\b(t|full|host|machine\.\w+)-?[0-9a-f]{16}\b`), "$1-RANDOM"},
	{regexp.MustCompile(`(\.#[\w.]*?)[0-9a-f]{16,17}\b`), "${1}RANDOM"},
	{regexp.MustCompile(`Parent died too early\n?`), ""}, // a child may have the time to say it
	{regexp.MustCompile(`inode-[0-9a-f]+:[0-9a-f]+:[0-9]+|inode-[0-9]+:[0-9]+`), "inode-N"},
	{regexp.MustCompile(`/usr/bin/systemd-nspawn|/ctl/systemd-nspawn`), "systemd-nspawn"},
	{regexp.MustCompile(`((PID|pid)[ =])[0-9]+`), "${1}N"},
	{regexp.MustCompile(`pidfdid=[0-9]+`), "pidfdid=N"},
	{regexp.MustCompile(`(SYSTEMD_EXEC_PID: )[0-9]+`), "${1}N"},
	{regexp.MustCompile(`nr_inodes=[0-9]+k?`), "nr_inodes=N"},
	{regexp.MustCompile(`size=[0-9]{6,}k`), "size=N"}, // a part of this machine's memory
	{regexp.MustCompile(`\x1b\[6n`), ""},              // what a shell asks its terminal, if it gets to it
	// On a terminal it comes whenever the reference's child gets to it.
	{regexp.MustCompile(`\x1b\[0;1;33m\x1b\[0;1;38:5:185mSome capabilities will not be set because they are not in the current bounding set\.\x1b\[0m\r?\n`), ""},
	{regexp.MustCompile(`(Seccomp_filters: )[1-9][0-9]*`), "${1}N"}, // deviation 52
	// What the host could see, deviation 51.
	{regexp.MustCompile(`(?m)^mounts (groups of several: .*|/run/host/incoming: .*|/proc/sys/(kernel/random/boot_id|net): on /proc root .*)\n`), ""},
	{regexp.MustCompile(`(?m)^masks open /run/host/incoming/x to write: .*\n`), ""},
	{regexp.MustCompile(`(/run/host/unix-export: .*shared) master`), "$1"},
	{regexp.MustCompile(`(?m)^run /run/host/incoming: .*\n`), ""},
	{regexp.MustCompile(`(/run/host/unix-export: .*mode=755),uid=[0-9]+,gid=[0-9]+`), "$1"},
	{regexp.MustCompile(`(dev /dev/char/\S+ 120777 )(65534:65534|0:0)`), "${1}"},                                                  // deviation 58
	{regexp.MustCompile(`(run /run/host/(?:container-manager|container-uuid|inaccessible\S*): \d+ )(?:65534:65534|0:0)`), "${1}"}, // deviation 58
	{regexp.MustCompile(`try user keyring: (OK|EPERM)`), "try user keyring"},                                                      // the caller's keys are not the container's
	{regexp.MustCompile(`→ (?:/tmp/nspawn-root-RANDOM|/var/lib/machines/(?:t/inner|t|new))/var/log/journal`), "→ TREE/var/log/journal"},
	{regexp.MustCompile(`(?m)^etc /work: .*\n`), ""},                                       // the machine's
	{regexp.MustCompile(`(?m)^(mounts /sys/fs/cgroup: on )\? (root / ro)`), "${1}/sys $2"}, // of mounts that are listed in the order in which they are made
	// Messages about the tree name paths in it, deviation 53 (and temporary).
	{regexp.MustCompile(`(?m)^Failed to copy \S+ to \S*/etc/resolv\.conf`), "Failed to copy"},
	{regexp.MustCompile(`(?m)^Failed to remove '?\S*?/etc/(\S+?)'?,`), "Failed to remove $1,"},
}

func settled(s string) []string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	for _, v := range volatile {
		s = v.what.ReplaceAllString(s, v.as)
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// litter is what the reference leaves on the host and in the tree after each container, and ctl does not (deviation 50). Where locks are
// is made by both, but not always.
var litter = regexp.MustCompile(`^(/run/systemd/nspawn/propagate|/run/systemd/nspawn(/locks)?: new|/run/systemd: new|/\S*/var/log/journal: new|(mount )?/run/systemd/nspawn/(t|machines)\b|/tmp/nspawn-root-RANDOM: new|/run/systemd/nspawn-uid: new|cgroup /sys/fs/cgroup/caller/(payload|supervisor): new|/etc/\.pwd\.lock: new|/etc: new)`)

// ofStub is what can be seen of the first process where that is the stub, deviation 75.
var ofStub = regexp.MustCompile(`(?m)^first (environ|exe|cwd|root|SigBlk|CapPrm|CapEff|descriptors): .*\n`)

// temporary is where the reference mounts the tree.
var temporary = regexp.MustCompile(`/tmp/nspawn-root-\w{6}/*`)

// areas are the things that are compared, by name.
func areas(r oracle.HostResult) map[string][]string {
	if strings.Contains(r.Stdout, `first comm: ["(sd-stubinit)"]`) {
		r.Stdout = ofStub.ReplaceAllString(r.Stdout, "")
	}
	left := settled(strings.Join(r.Left, "\n"))
	left = slices.DeleteFunc(left, func(l string) bool { return l == "" || litter.MatchString(l) })
	slices.Sort(left)
	return map[string][]string{"exit": {strconv.Itoa(r.Exit)}, "out": settled(r.Stdout), "err": settled(temporary.ReplaceAllString(r.Stderr, "/")), "left": left}
}

// compare tells what ctl does otherwise than it should.
func (c *spawnCase) compare(want, got map[string][]string) string {
	var said strings.Builder
	differs := false
	for _, area := range []string{"exit", "out", "err", "left"} {
		if slices.Contains(c.ignore, area) || area == "out" && c.shows != nil {
			continue
		}
		expected := want[area]
		if e, ok := c.expected[area]; ok {
			expected = e
			differs = differs || !slices.Equal(e, want[area])
		}
		var further []string
		for line := range strings.Lines(difference(expected, got[area])) {
			line = strings.TrimSuffix(line, "\n")
			// A start that fails has changed less, deviation 50.
			if area == "left" && line[2] == '-' && got["exit"][0] == "1" && want["exit"][0] == "1" {
				continue
			}
			if i := slices.Index(c.patches[area], line); i >= 0 {
				c.patches[area] = slices.Delete(c.patches[area], i, i+1)
				differs = true
				continue
			}
			further = append(further, line)
		}
		for _, p := range c.patches[area] {
			further = append(further, p+" (which is not so)")
		}
		if len(further) > 0 {
			fmt.Fprintf(&said, "%s:\n%s\n", area, strings.Join(further, "\n"))
		}
	}
	for _, s := range c.shows {
		if !slices.Contains(got["out"], s) {
			fmt.Fprintf(&said, "out:\n  - %s\n", s)
		}
	}
	if c.deviates != "" && !differs {
		said.WriteString("is said to deviate, and does not\n")
	}
	return said.String()
}

// difference shows the lines that only one side has, "" if there are none.
func difference(a, b []string) string {
	// The longest common subsequence, by its length from each pair of positions on.
	n := make([][]int, len(a)+1)
	for i := range n {
		n[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				n[i][j] = n[i+1][j+1] + 1
			} else {
				n[i][j] = max(n[i+1][j], n[i][j+1])
			}
		}
	}
	var s strings.Builder
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && n[i+1][j] >= n[i][j+1]:
			fmt.Fprintf(&s, "  - %s\n", a[i])
			i++
		default:
			fmt.Fprintf(&s, "  + %s\n", b[j])
			j++
		}
	}
	return s.String()
}
