package runtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// waits are commands that a mutated unit might run for longer than somebody wants to wait, or forget to stop.
var waits = regexp.MustCompile(`sleep|infinity|Restart|Timeout|RuntimeMax|Type=(notify|dbus|forking)`)

// mutate changes lines of a unit file in ways that people and programs get them wrong.
func mutate(r *rand.Rand, lines []string, others []string) []string {
	l := append([]string{}, lines...)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(l))
		key, value, setting := strings.Cut(l[i], "=")
		switch k := r.IntN(9); {
		case k == 0:
			l = append(l[:i:i], l[i+1:]...)
		case k == 1:
			l = append(l[:i:i], append([]string{l[i]}, l[i:]...)...)
		case k == 2 && setting:
			l[i] = key + "="
		case k == 3 && setting && value != "":
			at := r.IntN(len(value))
			l[i] = key + "=" + value[:at] + []string{"%", "\\", "\"", "'", "$", ":", "/..", " ", "\t", "%%", "é", "-", "~", "9999999999999999999999"}[r.IntN(14)] + value[at:]
		case k == 4 && setting && len(value) > 1:
			at := r.IntN(len(value))
			l[i] = key + "=" + value[:at] + value[at+1:]
		case k == 5 && setting:
			l[i] = key + "=" + []string{"yes", "no", "0", "-1", "infinity", "/", "nonsense", "/nonexistent", "~", "%i", "18446744073709551616"}[r.IntN(11)]
		case k == 6:
			l = append(l[:i:i], append([]string{others[r.IntN(len(others))]}, l[i:]...)...)
		case k == 7 && l[i] != "":
			at := r.IntN(len(l[i]))
			l[i] = l[i][:at] + "\\\n" + l[i][at:]
		case k == 8 && setting:
			l[i] = strings.ToLower(key[:1]) + key[1:] + " = " + value
		}
		if len(l) == 0 {
			return lines
		}
	}
	return l
}

// TestMutations has systemd and ctl start units that were made from systemd's own by changes at random, CTL_RANDOM of them: they end alike, and ctl neither
// hangs nor panics nor leaves anything.
func TestMutations(t *testing.T) {
	dir, err := oracle.ExecUnits()
	oracle.Require(t, err)
	files, err := filepath.Glob(dir + "/exec-*.service")
	if err != nil {
		t.Fatal(err)
	}
	var units [][]string
	var settings []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if waits.Match(data) || strings.Contains(f, "@") || slices.Contains(unlike[:], strings.TrimSuffix(filepath.Base(f), ".service")) {
			continue
		}
		l := strings.Split(strings.TrimSpace(string(data)), "\n")
		units = append(units, l)
		for _, s := range l {
			if !strings.HasPrefix(s, "Exec") && !strings.HasPrefix(s, "[") && strings.Contains(s, "=") {
				settings = append(settings, s)
			}
		}
	}
	m := machine(t)
	seed, n := oracle.Number("CTL_SEED", 1), oracle.Number("CTL_RANDOM", 15)
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var names []string
	for i := range n {
		text := strings.Join(mutate(r, units[r.IntN(len(units))], settings), "\n") + "\n"
		names = append(names, fmt.Sprintf("exec-mutation-%d.service", i))
		put(t, m, "/etc/systemd/system/"+names[i], text)
	}
	t.Cleanup(func() {
		for _, name := range names {
			if t.Failed() {
				t.Log(name + ":\n" + m.Run(t, "cat /etc/systemd/system/"+name).Stdout)
			}
		}
		m.Shell(t, "rm -f /etc/systemd/system/exec-mutation-*")
	})
	compareEnds(t, m, names)
	if left := m.Run(t, "ls -d /run/ctl/* /tmp/systemd-private-*mutation* /run/credentials/*mutation* 2>/dev/null").Stdout; left != "" {
		t.Errorf("left: %s", left)
	}
}
