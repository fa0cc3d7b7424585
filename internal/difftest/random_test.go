package difftest

import (
	"fmt"
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
	first, count := number("CTL_SEED", 1), number("CTL_SEQUENCES", 400)
	var until time.Time
	if d, err := time.ParseDuration(os.Getenv("CTL_FUZZTIME")); err == nil {
		until = time.Now().Add(d)
		count = 1 << 40
		if os.Getenv("CTL_SEED") == "" {
			first = time.Now().UnixNano() & 0xffffffff
		}
		t.Logf("CTL_SEED=%d", first)
	}
	ref, ctl := oracle.Programs(t)
	failures, commands := 0, 0
	for seed := first; seed < first+count; seed++ {
		if !until.IsZero() && time.Now().After(until) {
			t.Logf("%d sequences", seed-first)
			break
		}
		s := generate(seed)
		commands += len(s.commands)
		if seed%4 == 0 {
			if d := s.foresees(t, ctl); d != "" {
				t.Errorf("seed %d\n%s\n%s", seed, s, d)
			}
		}
		if d := s.compare(t, ref, ctl); d != "" {
			s = s.shrink(t, ref, ctl)
			t.Errorf("seed %d\n%s\n%s", seed, s, s.compare(t, ref, ctl))
			if failures++; failures == 5 {
				t.Fatal("enough")
			}
		}
	}
	t.Logf("%d commands", commands)
}

func number(name string, fallback int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 0, 64); err == nil {
		return n
	}
	return fallback
}

// A generator makes a scenario from a seed.
type generator struct {
	*rand.Rand
	s *scenario
	// what the scenario has that the two are known to differ in, so that verbs
	// that would show it are left out
	dropIns, generated bool
}

func generate(seed int64) *scenario {
	g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 262)), s: &scenario{}}
	g.tree()
	for range 3 + g.IntN(6) {
		g.s.commands = append(g.s.commands, g.command())
	}
	return g.s
}

func pick[T any](g *generator, l ...T) T { return l[g.IntN(len(l))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// stems and suffixes are few, so that names meet.
func (g *generator) unit() string {
	stem := pick(g, "a", "b", "c", "d", "e-f", "x")
	if g.chance(25) {
		stem += pick(g, "@", "@", "@i", "@j-k", "@i")
	}
	return stem + pick(g, ".service", ".service", ".service", ".socket", ".target", ".timer", ".path", ".service", ".mount", ".slice")
}

func (g *generator) target() string {
	return pick(g, "multi-user.target", "t.target", "t@.target", "t@i.target", "c.service", "gone.target", "%i.target", "%p.target", "d.slice",
		"bad name", "%z.target", "x%j.target", "t@%i.target", "multi-user.target", "multi-user.target")
}

func (g *generator) install(name string) string {
	var b strings.Builder
	b.WriteString("[Unit]\nDescription=x\n")
	if g.chance(15) {
		return b.String()
	}
	b.WriteString("[Install]\n")
	for range g.IntN(4) {
		switch g.IntN(9) {
		case 0, 1, 2:
			fmt.Fprintf(&b, "WantedBy=%s\n", g.words(g.target))
		case 3:
			fmt.Fprintf(&b, "RequiredBy=%s\n", g.words(g.target))
		case 4:
			fmt.Fprintf(&b, "UpheldBy=%s\n", g.words(g.target))
		case 5:
			fmt.Fprintf(&b, "Alias=%s\n", g.words(g.alias))
		case 6:
			fmt.Fprintf(&b, "Also=%s\n", g.words(g.unit))
		case 7:
			fmt.Fprintf(&b, "DefaultInstance=%s\n", pick(g, "i", "q", "%p", "", "i", "a/b"))
		case 8:
			b.WriteString(pick(g, "WantedBy=\n", "Alias=\n", "Foo=bar\n", "junk\n", "X-Foo=1\n", "# c\n", "[Foo]\n", "[X-Y]\nA=b\n", "=x\n", "RequiredBy=\n", "WantedBy=\"q\n", "Also=\n"))
		}
	}
	return b.String()
}

func (g *generator) words(word func() string) string {
	l := []string{word()}
	for g.chance(25) {
		l = append(l, word())
	}
	return strings.Join(l, " ")
}

func (g *generator) alias() string {
	return pick(g, g.unit(), g.unit(), "al.service", "al2.service", "al@.service", "al.socket", "t.target.wants/"+g.unit(), "../x.service", "%p-x.service",
		"u.target.requires/a.service", "a/b", "al@i.service")
}

const (
	etc = "/etc/systemd/system/"
	usr = "/usr/lib/systemd/system/"
)

func (g *generator) tree() {
	g.s.file(usr+"multi-user.target", "[Unit]\n")
	if g.chance(50) {
		g.s.file(usr+"t.target", "[Unit]\n")
	}
	if g.chance(30) {
		g.s.file(usr+"t@.target", "[Unit]\n")
	}
	if g.chance(40) {
		g.s.link(usr+"default.target", "multi-user.target")
	}
	for range 2 + g.IntN(6) {
		n := g.unit()
		g.s.file(pick(g, usr, usr, usr, usr, etc, "/run/systemd/system/", "/usr/local/lib/systemd/system/", "/opt/")+n, g.install(n))
	}
	if g.chance(12) {
		g.generated = true
		g.s.file(pick(g, "/run/systemd/generator/", "/run/systemd/transient/", "/run/systemd/generator.late/")+g.unit(), "[Install]\nWantedBy=multi-user.target\n")
	}
	for range g.IntN(4) {
		dir := pick(g, etc, etc, etc, usr, "/run/systemd/system/")
		switch g.IntN(6) {
		case 0:
			g.s.link(dir+g.unit(), "/dev/null")
		case 1:
			g.s.link(dir+g.unit(), usr+g.unit())
		case 2:
			g.s.link(dir+g.unit(), "/opt/"+g.unit())
		case 3:
			g.s.link(dir+pick(g, "multi-user.target", "t.target", "t@i.target", "gone.target")+pick(g, ".wants/", ".requires/", ".upholds/")+g.unit(), pick(g, usr, "../", "/opt/")+g.unit())
		case 4:
			g.s.file(dir+g.unit(), "")
		case 5:
			g.s.link(dir+g.unit(), pick(g, g.unit(), "sub/"+g.unit(), "../../../opt/"+g.unit(), "foo.txt"))
		}
	}
	if g.chance(20) {
		g.dropIns = true
		for range 1 + g.IntN(2) {
			g.s.file(pick(g, etc, usr, "/run/systemd/system/")+g.unit()+".d/"+pick(g, "10-a.conf", "20-b.conf", "x.txt"), g.install("x"))
		}
	}
	for range g.IntN(3) {
		var b strings.Builder
		for range 1 + g.IntN(4) {
			b.WriteString(pick(g, "enable ", "disable ", "disable ", "ignore ", "bogus ", "# ") + pick(g, g.unit(), "*.service", "a*", "[ab].*", "*", g.unit()+" i j") + "\n")
		}
		g.s.file(pick(g, "/usr/lib/systemd/system-preset/", "/etc/systemd/system-preset/")+pick(g, "10-a", "50-b", "90-c")+".preset", b.String())
	}
}

// argument is what a user may name: mostly something there is.
func (g *generator) argument() string {
	if g.chance(70) && len(g.s.files) > 0 {
		f := g.s.files[g.IntN(len(g.s.files))]
		if n := filepath.Base(f.path); !strings.ContainsAny(n, " ") && strings.Contains(f.path, "systemd/system/") {
			return n
		}
	}
	if g.chance(6) {
		return pick(g, "foo", "a b", "a*", "foo.bar", "@x.service", "nope.service", "x@.mount")
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
	}{{"--runtime", 8}, {"-f", 10}, {"-q", 6}, {"--no-warn", 4}, {"--now", 3}, {"--no-reload", 3}} {
		if g.chance(o.percent) {
			c = append(c, o.option)
		}
	}
	verbs := []string{"enable", "enable", "enable", "disable", "disable", "mask", "unmask", "is-enabled", "is-enabled", "revert",
		"add-wants", "add-requires", "set-default", "get-default", "list-unit-files", "list-unit-files", "link"}
	if !g.dropIns {
		verbs = append(verbs, "reenable")
	}
	if !g.generated {
		verbs = append(verbs, "preset", "preset", "preset-all", "preset-all")
	}
	verb := pick(g, verbs...)
	c = append(c, verb)
	switch verb {
	case "get-default", "preset-all":
		if verb == "preset-all" && g.chance(30) {
			c = append(c, "--preset-mode="+pick(g, "full", "enable-only", "disable-only"))
		}
	case "list-unit-files":
		if g.chance(20) {
			c = append(c, pick(g, "a*", "*.service", g.unit()))
		}
		if g.chance(20) {
			c = append(c, pick(g, "--state=enabled", "-t", "--output=json", "-ojson-pretty", "--no-legend", "--state=bad,disabled"))
			if c[len(c)-1] == "-t" {
				c = append(c, "service,target")
			}
		}
	case "set-default":
		c = append(c, pick(g, "multi-user", "t.target", "t@i.target", g.unit()))
	case "add-wants", "add-requires":
		c = append(c, pick(g, "multi-user.target", "t", "t@.target", "t@i.target", "c.service", "gone.target"))
		c = append(c, g.arguments()...)
	case "link":
		c = append(c, "/opt/"+g.unit())
	case "enable":
		if g.chance(8) && !g.dropIns {
			c = append(c, "/opt/"+g.unit())
		} else {
			c = append(c, g.arguments()...)
		}
	default:
		c = append(c, g.arguments()...)
	}
	return c
}
