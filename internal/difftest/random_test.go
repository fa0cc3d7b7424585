package difftest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ctl/internal/oracle"
)

// TestRandom runs random verbs on random trees. CTL_SEED is the first seed,
// CTL_SEQUENCES how many; CTL_FUZZTIME runs for a time instead.
func TestRandom(t *testing.T) {
	t.Parallel()
	first, count := int64(oracle.Number("CTL_SEED", 1)), int64(oracle.Number("CTL_SEQUENCES", 40))
	var until time.Time
	if d, err := time.ParseDuration(os.Getenv("CTL_FUZZTIME")); err == nil {
		until = time.Now().Add(d)
		count = 1 << 40
		if os.Getenv("CTL_SEED") == "" {
			first = time.Now().UnixNano() & 0xffffffff
		}
		t.Logf("CTL_SEED=%d", first)
	}
	stages := [...]*stage{outside(t), inside(t)}
	failures, commands := 0, 0
	for seed := first; seed < first+count; seed++ {
		if !until.IsZero() && time.Now().After(until) {
			t.Logf("%d sequences", seed-first)
			break
		}
		st := stages[seed&1]
		s := generate(seed, st)
		commands += len(s.commands)
		if seed%4 < 2 && seed%8 < 4 {
			if d := s.foresees(t, st); d != "" {
				t.Errorf("seed %d\n%s\n%s", seed, s.archive(), d)
			}
		}
		if s.compare(t, st) != "" {
			s = s.shrink(t, st)
			t.Errorf("seed %d, %s (CTL_CASE=%s)\n%s\n%s", seed, st, keep(t, seed, s), s.archive(), s.compare(t, st))
			if failures++; failures == int(oracle.Number("CTL_FAILURES", 5)) {
				t.Fatal("enough")
			}
		}
	}
	t.Logf("%d commands", commands)
}

// keep saves what differs as a case that TestCases can run, and returns its name.
func keep(t *testing.T, seed int64, s *scenario) string {
	t.Helper()
	dir := filepath.Join(oracle.Cache(), "differences")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, strconv.FormatInt(seed, 10)+".txtar")
	if err := os.WriteFile(p, s.archive(), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// A generator makes a scenario from a seed. What a stage is known to show a deviation
// with is not generated for it; the cases of testdata have that.
type generator struct {
	*rand.Rand
	s  *scenario
	st *stage
	// the scope's option, if any, and directories
	scope         string
	etc, run, usr string
	presets       string
	// what the scenario has
	dropIns, generated bool
}

func generate(seed int64, st *stage) *scenario {
	g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 262)), s: &scenario{}, st: st,
		etc: etc, run: "/run/systemd/system/", usr: usr, presets: "systemd/system-preset/"}
	switch n := g.IntN(20); {
	case n == 0:
		g.scope = "--global"
	case n == 1 && st.chrooted:
		g.scope = "--user"
	}
	if g.scope != "" {
		g.etc, g.run, g.usr, g.presets = "/etc/systemd/user/", "/run/systemd/user/", "/usr/lib/systemd/user/", "systemd/user-preset/"
	}
	if g.scope == "--user" {
		g.etc, g.run = "/root/.config/systemd/user/", "/run/user/0/systemd/user/"
		g.s.env = append(g.s.env, "XDG_RUNTIME_DIR=/run/user/0")
	}
	g.tree()
	for range 3 + g.IntN(6) {
		c := g.command()
		if g.scope != "" {
			c = append([]string{g.scope}, c...)
		}
		g.s.commands = append(g.s.commands, c)
	}
	return g.s
}

const (
	etc = "/etc/systemd/system/"
	usr = "/usr/lib/systemd/system/"
)

func pick[T any](g *generator, l ...T) T { return l[g.IntN(len(l))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// argument is what a user may name: mostly something there is.
func (g *generator) argument() string {
	if g.chance(70) && len(g.s.files) > 0 {
		f := g.s.files[g.IntN(len(g.s.files))]
		n := filepath.Base(f.path)
		if !strings.ContainsAny(n, " ") && (strings.HasPrefix(f.path, g.etc) || strings.HasPrefix(f.path, g.usr) || strings.HasPrefix(f.path, g.run)) {
			return n
		}
	}
	if g.chance(6) {
		return pick(g, "foo", "a b", "a*", "foo.bar", "@x.service", "nope.service", "x@.mount", "", "ä", "a..service", ".service", "-.mount", "default.target")
	}
	return g.unit()
}

func (g *generator) arguments() []string {
	l := []string{g.argument()}
	for g.chance(25) {
		l = append(l, g.argument())
	}
	return l
}

func (g *generator) command() []string {
	var c []string
	for _, o := range []struct {
		option  string
		percent int
	}{{"--runtime", 8}, {"-f", 10}, {"-q", 6}, {"--no-warn", 4}, {"--now", 3}, {"--no-reload", 3}, {"--root=/", 10},
		{"--system", 2}, {"--no-block", 1}, {"--machine=foo", 1}, {"--all", 2}, {"--value", 1}, {"--no-ask-password", 1}} {
		if o.option == "--root=/" && (!g.st.chrooted || g.scope == "--user") {
			continue
		}
		if g.chance(o.percent) {
			c = append(c, o.option)
		}
	}
	verbs := []string{"enable", "enable", "enable", "disable", "disable", "mask", "unmask", "is-enabled", "is-enabled", "revert",
		"add-wants", "add-requires", "set-default", "get-default", "list-unit-files", "list-unit-files", "link", "link"}
	if !g.dropIns || g.st.chrooted { // 6
		verbs = append(verbs, "reenable", "reenable")
	}
	if !g.generated { // 11
		verbs = append(verbs, "preset", "preset", "preset-all", "preset-all")
	}
	verb := pick(g, verbs...)
	c = append(c, verb)
	switch verb {
	case "preset", "preset-all":
		if g.chance(30) {
			c = append(c, "--preset-mode="+pick(g, "full", "enable-only", "disable-only"))
		}
		if verb == "preset" {
			c = append(c, g.arguments()...)
		}
	case "get-default":
	case "list-unit-files":
		for g.chance(20) {
			c = append(c, pick(g, "a*", "*.service", "[ab]*", "?@*", "nope", "*@i*", "", g.unit(), g.unit()))
		}
		if g.chance(30) {
			c = append(c, pick(g, []string{"--state=enabled"}, []string{"-t", "service,target"}, []string{"--output=json"}, []string{"-ojson-pretty"},
				[]string{"--no-legend"}, []string{"--state=bad,disabled"}, []string{"--full", "--plain", "-a"}, []string{"--legend=yes", "-q"}, []string{"--state=masked,linked,alias,indirect,static"},
				[]string{"--type=timer", "--type=path,mount"}, []string{"--state=enabled-runtime,linked-runtime,masked-runtime"},
				[]string{"--state=generated,transient"}, []string{"--output=json-sse"}, []string{"-t", "help"}, []string{"--state="}, []string{"-t", "bogus"}, []string{"--value"})...)
		}
	case "set-default":
		c = append(c, pick(g, "multi-user", "t.target", "t@i.target", g.unit(), "default.target"))
	case "add-wants", "add-requires":
		c = append(c, pick(g, "multi-user.target", "t", "t@.target", "t@i.target", "c.service", "gone.target", "d.slice", "a b"))
		c = append(c, g.arguments()...)
	case "link":
		c = append(c, pick(g, "/opt/", "/opt/", "/opt/", "/opt/", "/opt/../opt/", "/srv/", "//opt//")+g.unit())
		if g.chance(10) {
			c = append(c, pick(g, "/opt/"+g.unit(), "/opt", "/opt/foo", "/", "opt.service", g.etc+"sub/"+g.unit()))
		}
	case "is-enabled":
		if g.chance(15) && g.st.chrooted { // 8
			c = append(c, "--full")
		}
		c = append(c, g.arguments()...)
	case "enable", "reenable":
		switch {
		case g.chance(8) && !g.dropIns: // 6
			c = append(c, "/opt/"+g.unit())
		case g.chance(5) && g.st.chrooted && !g.dropIns: // 5, 6
			c = append(c, g.usr+g.unit())
		default:
			c = append(c, g.arguments()...)
		}
	default:
		c = append(c, g.arguments()...)
	}
	return c
}
