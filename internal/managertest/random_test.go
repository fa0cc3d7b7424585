package managertest

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ctl/internal/oracle"
)

// A scene is what is run on one manager by one and then by the other program, from the same state on.
type scene struct {
	env     []string
	columns int // of the terminal, 0 for none
	changes bool
	lines   []string
}

// TestRandom has both programs do the same random things. CTL_SEED is the first seed, CTL_SEQUENCES how many; CTL_FUZZTIME
// runs for a time instead. What is found belongs into the lists of testdata.
func TestRandom(t *testing.T) {
	seed, count := oracle.Number("CTL_SEED", 1), oracle.Number("CTL_SEQUENCES", 4)
	until := time.Now().Add(time.Hour)
	if d, err := time.ParseDuration(os.Getenv("CTL_FUZZTIME")); err == nil {
		until = time.Now().Add(d)
		count = 1 << 40
		if os.Getenv("CTL_SEED") == "" {
			seed = uint64(time.Now().UnixNano() & 0xffffffff)
		}
	}
	t.Logf("from seed %d on", seed)
	m := oracle.Boot(t, "testdata/files")
	m.Shell(t, units)
	lines, failures := 0, 0
	for last := seed + count; seed < last && time.Now().Before(until) && failures < 10; seed++ {
		s := newScene(seed)
		lines += len(s.lines)
		if s.differs(t, m) == "" {
			continue
		}
		s = s.shrink(t, m)
		if d := s.differs(t, m); d != "" {
			failures++
			t.Errorf("seed %d, %v, %d columns, %q: - the reference, + ctl\n%s", seed, s.env, s.columns, s.lines, d)
		}
	}
	t.Logf("up to seed %d, %d command lines", seed, lines)
}

// units gives the units states that stay; those that scenes change have the one of again.
const units = `systemctl mask --now --runtime -q apt-daily.timer apt-daily-upgrade.timer
systemctl start --no-block st-activating st-pre
systemctl start st-full st-fork st-exit st-acc.socket st-trig.socket st-trig.path st-trig.timer st-in tr.timer st-t@a st-t@b st.target wanted
systemctl start st-fail st-dump st-assert st-timeout || true`

const again = `printf '[Unit]\nDescription=edited\n' >/run/input
cd /etc/systemd/system
rm -rf ok.service.d ok2.service.d one.service.d foo.service new.service *.wants/ok* *.requires/ok* multi-user.target.wants/wanted.service
rm -rf /run/systemd/system/* /etc/systemd/system.control /run/systemd/system.control
systemctl thaw ok ok2 t@a 2>/dev/null
systemctl unmask -q ok ok2 one 2>/dev/null
systemctl daemon-reload
systemctl stop -q ok2 one fail t@a sig dep
systemctl reset-failed ok ok2 one fail t@a sig dep 2>/dev/null
systemctl start ok
`

// results runs the scene with a program: for each line its exit status and what it wrote.
func (s *scene) results(t *testing.T, m *oracle.Machine, program string) []string {
	t.Helper()
	script := "cd /etc/systemd/system\n"
	if s.changes {
		script = again
	}
	for _, e := range s.env {
		script += "export " + quoted(e) + "\n"
	}
	for _, line := range s.lines {
		if s.columns > 0 {
			script += program + " </dev/null " + line + "\nprintf 'exit %d\\1' $?\n"
		} else {
			script += program + " </dev/null " + line + " >/run/out 2>/run/err\nprintf 'exit %d, ' $?; cat /run/out; printf '\\2'; cat /run/err; printf '\\1'\n"
		}
	}
	r := m.RunOnTerminal(t, script, s.columns)
	l := strings.Split(r.Stdout, "\x01")
	if len(l) != len(s.lines)+1 {
		t.Fatalf("%d results of %q: %s%s", len(l), s.lines, r.Stdout, r.Stderr)
	}
	for i := range l {
		l[i] = settled(l[i])
	}
	return l[:len(s.lines)]
}

// differs is the difference. One that comes and goes is the time's, not the program's.
func (s *scene) differs(t *testing.T, m *oracle.Machine) string {
	t.Helper()
	var d string
	for range 3 {
		if d = cmp.Diff(s.results(t, m, "/usr/bin/systemctl"), s.results(t, m, "/ctl/systemctl")); d == "" {
			return ""
		}
	}
	return d
}

// shrink drops lines, words of them and variables as long as a difference stays.
func (s *scene) shrink(t *testing.T, m *oracle.Machine) *scene {
	t.Helper()
	try := func(c scene) bool {
		if c.differs(t, m) == "" {
			return false
		}
		s = &c
		return true
	}
	for i := len(s.lines) - 1; i >= 0 && len(s.lines) > 1; i-- {
		try(scene{s.env, s.columns, s.changes, slices.Delete(slices.Clone(s.lines), i, i+1)})
	}
	for i := len(s.env) - 1; i >= 0; i-- {
		try(scene{slices.Delete(slices.Clone(s.env), i, i+1), s.columns, s.changes, s.lines})
	}
	if s.columns > 0 {
		try(scene{s.env, 0, s.changes, s.lines})
	}
	for i := range s.lines {
		for k := strings.Count(s.lines[i], " "); k >= 0; k-- {
			words := strings.Split(s.lines[i], " ")
			if k < len(words) && len(words) > 1 {
				lines := slices.Clone(s.lines)
				lines[i] = strings.Join(slices.Delete(words, k, k+1), " ")
				try(scene{s.env, s.columns, s.changes, lines})
			}
		}
	}
	return s
}

// quoted is a word for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// A sceneMaker makes scenes from a seed.
type sceneMaker struct {
	*rand.Rand
	globs bool // The manager lists what they fit in another order after each reload.
}

func (g sceneMaker) one(l ...string) string { return l[g.IntN(len(l))] }

func (g sceneMaker) chance(percent int) bool { return g.IntN(100) < percent }

func newScene(seed uint64) *scene {
	g := sceneMaker{Rand: rand.New(rand.NewPCG(seed, 262))}
	s := &scene{columns: [...]int{0, 0, 0, 40, 80, 133}[g.IntN(6)], changes: g.chance(40)}
	g.globs = !s.changes
	for g.chance(50) {
		s.env = append(s.env, g.one("SYSTEMD_COLORS=0", "SYSTEMD_COLORS=1", "SYSTEMD_COLORS=256", "SYSTEMD_COLORS=16", "SYSTEMD_COLORS=24bit",
			"SYSTEMD_COLORS=auto-16", "SYSTEMD_COLORS=maybe", "NO_COLOR=", "NO_COLOR=1", "COLORTERM=truecolor", "COLORTERM=24bit",
			"SYSTEMD_URLIFY=0", "SYSTEMD_URLIFY=1", "TERM=dumb", "TERM=linux", "TERM=vt220", "TERM=", "COLUMNS=50", "COLUMNS=0", "LANG=C",
			"LC_ALL=C", "SYSTEMD_UTF8=0", "SYSTEMD_UTF8=1", "SYSTEMD_EMOJI=0", "SYSTEMD_EMOJI=1", "SYSTEMD_PAGER=cat", "SYSTEMD_PAGER=",
			"PAGER=cat", "SYSTEMD_LOG_LEVEL=err", "SYSTEMD_LOG_LEVEL=notice"))
	}
	if s.columns > 0 && !slices.ContainsFunc(s.env, func(e string) bool { return strings.Contains(e, "PAGER=") }) {
		s.env = append(s.env, "SYSTEMD_PAGER=")
	}
	for range 4 + g.IntN(8) {
		if s.changes && g.chance(60) {
			s.lines = append(s.lines, g.change())
		} else {
			s.lines = append(s.lines, g.question())
		}
	}
	return s
}

// name is what a user may name.
func (g sceneMaker) name() string {
	if g.chance(70) {
		return g.one("ok", "ok2.service", "one", "fail", "st-full", "st-fail", "st-in", "st-dump", "st-fork.service", "st-t@a", "st-t@b", "st-t@",
			"st-trig.timer", "st-trig.socket", "st-trig.path", "st-acc.socket", "st.target", "st-masked", "st-enabled", "st-alias", "st-bad2",
			"tr.timer", "st-cond", "st-assert", "st-timeout", "bad", "wanted", "st-exit", "st-activating", "st-pre", "rich", "mix.timer", "mix.path",
			"loopa.target", "mnt-auto.automount", "st.slice", "dbus.socket", "basic.target", "default.target", "init.scope", "dep", "t@x", "sig")
	}
	if !g.globs {
		return g.one("nope", "'a b'", "''", "/home", "foo.bar", "99999", "-- -.mount", "x.y.z", "ä", "0", "a@b@c.service")
	}
	return g.one("'st-*'", "'ok*'", "'*.timer'", "'st-[a-d]*'", "'?k'", "'nope*'", "nope", "'a b'", "''", "/home", "/dev/null", "foo.bar", "99999",
		"'t@*'", "/etc/systemd/system/ok.service", "'*.socket'", "-.mount", "-- -.mount", "'mnt-*'", "x.y.z", "'[a'", "ä", "st-t@.service",
		"'*.target'", "'st-*.service' nope", "0", "dev-null.device", "a@b@c.service", "'ok{,2}.service'")
}

func (g sceneMaker) names(percent int) string {
	var b strings.Builder
	for g.chance(percent) {
		b.WriteString(" " + g.name())
	}
	return b.String()
}

func (g sceneMaker) properties() string {
	l := []string{g.property()}
	for g.chance(50) {
		l = append(l, g.property())
	}
	return strings.Join(l, ",")
}

func (g sceneMaker) property() string {
	return g.one("Id", "Names", "ActiveState", "SubState", "LoadState", "UnitFileState", "Description", "FragmentPath", "ExecStart", "Wants",
		"TimersCalendar", "Listen", "Result", "Type", "Restart", "LimitNOFILE", "UMask", "Environment", "KillMode", "KillSignal", "TasksMax", "CPUWeight",
		"CapabilityBoundingSet", "SystemCallFilter", "Bogus", "id", "Id=", "", "CanStart", "Job", "LoadError", "Conditions", "Triggers", "StatusText",
		"OOMScoreAdjust", "Slice", "ControlGroup", "DropInPaths", "Documentation", "ExecMainStatus", "TimeoutStopUSec", "Nice", "DevicePolicy",
		"ReloadSignal", "MemoryMax", "IOWeight", "StandardOutput", "SyslogLevel", "RestrictNamespaces", "NUMAPolicy", "Transient", "Markers")
}

// options are options that a question may have.
func (g sceneMaker) options() string {
	var b strings.Builder
	for g.chance(45) {
		b.WriteString(" ")
		switch g.IntN(9) {
		case 0:
			b.WriteString(g.one("-o", "--output") + " " + g.one("json", "json-pretty", "short", "cat", "json-sse", "json-seq", "bogus", "verbose", "short-iso"))
		case 1:
			b.WriteString("-t " + g.one("service", "timer,socket", "target", "slice", "automount", "service,loaded", "not-found", "path", "mount", "masked", "foo", "''"))
		case 2:
			b.WriteString("--state=" + g.one("active", "failed", "inactive", "running", "enabled", "static", "loaded,failed", "not-found", "activating", "masked", "''", "foo"))
		case 3:
			b.WriteString(g.one("-n0", "-n 0", "--lines=0", "-n1"))
		case 4:
			b.WriteString(g.one("--timestamp=", "--timestamp ") + g.one("pretty", "unix", "us", "utc", "us+utc", "bogus"))
		default:
			b.WriteString(g.one("-a", "--all", "-l", "--full", "-q", "--plain", "--no-legend", "--legend=yes", "--legend=no", "--legend=x", "--failed",
				"--reverse", "--before", "--after", "--with-dependencies", "--show-types", "--value", "--no-pager", "--no-warn", "--dry-run", "--system",
				"--no-ask-password", "-r", "--recursive", "--runtime", "-i", "--wait", "--no-block", "--now", "-f", "-T", "--job-mode=fail", "--job-mode=x",
				"--marked", "--al", "--no", "--no-leg", "--stat=active", "--bogus", "-x", "-qa", "-la", "--plain=x", "--what=all", "--kill-whom=all",
				"--signal=HUP", "--global", "--user", "--show-t", "--type", "-aq", "--preset-mode=full", "--firmware-setup", "--message=x"))
		}
	}
	return b.String()
}

// question is a command line that changes nothing.
func (g sceneMaker) question() string {
	switch g.IntN(12) {
	case 0, 1:
		return g.one("list-units", "list-units", "list-unit-files", "") + g.options() + g.names(40)
	case 2:
		return g.one("list-timers", "list-sockets", "list-paths", "list-automounts", "list-jobs", "list-machines") + g.options() + g.names(30)
	case 3, 4:
		return "status -n0" + g.options() + " " + g.name() + g.names(30)
	case 5, 6:
		return g.one("show -p ", "show -P ", "show --property=", "show -a -p ", "show --value -p ") + quoted(g.properties()) + g.options() + g.names(70)
	case 7:
		return "list-dependencies" + g.options() + " " + g.name() + g.names(20)
	case 8:
		return g.one("is-active", "is-failed", "is-enabled", "is-enabled --full", "is-active -q") + g.options() + g.names(80)
	case 9:
		return "cat" + g.options() + g.names(70)
	case 10:
		return g.one("get-default", "is-system-running", "log-level", "log-target", "service-watchdogs", "whoami 1", "show-environment", "whoami 0",
			"list-jobs", "default x", "help", "get-default x", "strat", "list-unit", "show 1", "cancel 77", "log-level x", "whoami x",
			"set-environment X", "unset-environment", "service-log-level ok", "service-log-target dbus", "reset-failed nope", "kill nope") + g.options()
	}
	return g.options() + " " + g.one("list-units", "is-active", "status -n0 ok", "show -p Id", "list-timers") + g.names(50)
}

// change is a command line that changes units that may be changed.
func (g sceneMaker) change() string {
	unit := func() string {
		return g.one("ok", "ok", "ok2", "ok2.service", "one", "fail", "t@a", "sig", "dep", "nope", "st-masked", "bad", "'nope*'")
	}
	l := unit()
	for g.chance(30) {
		l += " " + unit()
	}
	options := ""
	for g.chance(40) {
		options += " " + g.one("-q", "--runtime", "--now", "-T", "--wait", "--job-mode=fail", "--job-mode=ignore-dependencies", "--job-mode=flush",
			"--job-mode=replace-irreversibly", "--no-reload", "-f", "--no-warn", "--dry-run", "--show-transaction", "--no-ask-password", "--system")
	}
	switch g.IntN(8) {
	case 0, 1:
		return g.one("start", "stop", "restart", "try-restart", "reload", "reload-or-restart", "try-reload-or-restart", "condstop", "condrestart",
			"force-reload") + options + " " + l
	case 2:
		return g.one("enable", "disable", "reenable", "mask", "unmask", "preset", "revert", "is-enabled") + options + " " + l
	case 3:
		return g.one("kill -s TERM", "kill -s 0", "kill --kill-whom=main -s CONT", "kill --kill-whom=control", "kill -s FOO", "kill --kill-value=5 -s RTMIN",
			"kill -s HUP --kill-whom=x") + options + " " + l
	case 4:
		return "set-property --runtime " + unit() + " " + g.one("CPUWeight=50", "TasksMax=10%", "Description='a b'", "CPUWeight=x", "Foo=1", "Foo", "MemoryMax=1G",
			"User=x", "CPUWeight=", "IPAddressDeny=any", "CPUQuota=20%")
	case 5:
		return g.one("freeze", "thaw", "clean", "reset-failed", "clean --what=cache", "clean --what=bogus") + options + " " + l
	case 6:
		return g.one("add-wants multi-user.target", "add-requires ok.service", "add-wants nope.target", "set-default graphical.target --dry-run",
			"link /etc/systemd/system/ok.service", "link /nope.service", "link nope") + options + " " + l
	}
	return "edit --stdin " + g.one("", "--full", "--runtime", "--drop-in=x.conf", "--force", "--drop-in=x") + " " + unit() +
		g.one(" </run/input", " </run/input", "")
}
