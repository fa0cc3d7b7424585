package runtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

const (
	refusedNote = "Not everything that its files ask for can be had, and --strict is given."
	notEnforced = "= cannot be enforced here. Use --allow-degraded to start without."
)

// stricts are units, and what --strict says of them: the exit status, the line of the file with what is wrong, and why it is not started.
var stricts = []struct {
	args, text string // of the unit below [Service]; "!" before one that has all of it
	exit       int
	line, why  string
}{
	{text: "ExecStart=/bin/true"},
	{text: "ExecStart=/bin/false", exit: 1},
	{text: "ExecStart=/nonexistent/program", exit: 203},
	{text: "User=nosuch\nExecStart=/bin/true", exit: 217},
	{text: "EnvironmentFile=/nonexistent\nExecStart=/bin/true", exit: 1},
	{text: "EnvironmentFile=-/nonexistent\nExecStart=/bin/true"},
	{text: "X-Other=1\nExecStart=/bin/true\n[X-Other]\nA=b"},
	{text: "AppArmorProfile=nosuch\nSELinuxContext=nosuch\nSmackProcessLabel=nosuch\nExecStart=/bin/true"}, // which the kernel has not, and systemd passes over
	{text: "SyslogIdentifier=x\nUtmpIdentifier=x\nExecStart=/bin/true"},
	// What is unknown, and what is wrong.
	{text: "Nonsense=yes\nExecStart=/bin/true", exit: 1, line: "2: Unknown key 'Nonsense' in section [Service], ignoring.", why: refusedNote},
	{text: "ExecStart=/bin/true\n[Nonsense]\nA=b", exit: 1, line: "3: Unknown section 'Nonsense'. Ignoring.", why: refusedNote},
	{text: "ExecStart=/bin/true\nnonsense", exit: 1, line: "3: Missing '=', ignoring line.", why: refusedNote},
	{text: "PrivateTmp=maybe\nExecStart=/bin/true", exit: 1, line: "2: Failed to parse PrivateTmp=maybe, ignoring: Invalid argument", why: refusedNote},
	{text: "LimitNOFILE=9:1\nExecStart=/bin/true", exit: 1, line: "2: Soft resource limit chosen higher than hard limit, ignoring: 9:1", why: refusedNote},
	{text: "RootHash=abc\nExecStart=/bin/true", exit: 1, line: "2: Failed to decode RootHash=, ignoring: abc", why: refusedNote},
	{text: "CPUShares=5\nExecStart=/bin/true", exit: 1, line: "2: Support for option CPUShares= has been removed and it is ignored", why: refusedNote},
	{text: "StandardOutput=syslog\nExecStart=/bin/true", exit: 1, why: refusedNote},
	{text: "PIDFile=/var/run/x\nExecStart=/bin/true", exit: 1, why: refusedNote},
	{text: "KillMode=none\nExecStart=/bin/true", exit: 1, why: refusedNote},
	{text: "ExecStart=!!/bin/true", exit: 1, why: refusedNote},
	{text: "ExecStart=bin/true", exit: 1},
	{text: "Type=simple", exit: 1},
	{text: "Type=forking\nRestart=no\nExecStart=/bin/true\nExecStart=/bin/true", exit: 1},
	// What cannot be had.
	{text: "PAMName=login\nExecStart=/bin/true", exit: 1, line: "2: Setting PAMName= is not applied.", why: refusedNote},
	{text: "LogNamespace=x\nExecStart=/bin/true", exit: 1, line: "2: Setting LogNamespace= is not applied.", why: refusedNote},
	{text: "NFTSet=cgroup:inet:filter:set\nExecStart=/bin/true", exit: 1, line: "2: Setting NFTSet= is not applied.", why: refusedNote},
	{text: "RootMStack=/srv/x.mstack\nExecStart=/bin/true", exit: 1, line: "2: Setting RootMStack= is not applied.", why: "RootMStack" + notEnforced},
	{text: "RestrictFileSystems=ext4\nRootMStack=/x\nExecStart=/bin/true", exit: 1, why: "RestrictFileSystems=, RootMStack" + notEnforced},
	{args: "--allow-degraded", text: "RestrictFileSystems=ext4\nExecStart=/bin/true", exit: 1, why: refusedNote},
	{text: "SetCredentialEncrypted=a:AAAA\nExecStart=/bin/true", exit: 243},
	// Units.
	{args: "nosuch.service", exit: 5, why: "Unit nosuch.service not found."},
	{text: "!\n", exit: 1},
	{args: "--with-dependencies", text: "!Wants=nosuch.service\n[Service]\nExecStart=/bin/true"},
	{args: "--with-dependencies", text: "!Requires=nosuch.service\n[Service]\nExecStart=/bin/true", exit: 5},
	{args: "--with-dependencies", text: "!Requires=odd.service\n[Service]\nExecStart=/bin/true", exit: 1},
	{text: "!Requires=nosuch.service\n[Service]\nExecStart=/bin/true"}, // which ctl runs only if it is told to
	{text: "!RefuseManualStart=yes\n[Service]\nExecStart=/bin/true", exit: 1},
	{text: "!ConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/true"},
	{text: "!ConditionNonsense=x\n[Service]\nExecStart=/bin/true", exit: 1, line: "2: Unknown key 'ConditionNonsense' in section [Unit], ignoring.", why: refusedNote},
}

// TestStrict: what --strict refuses to start, and that --show says the same.
func TestStrict(t *testing.T) {
	m := machine(t)
	t.Cleanup(func() { m.Shell(t, "rm -rf /run/strict") })
	script := "mkdir -p /run/strict; cd /run/strict; printf '[Service]\nOdd=1\nExecStart=/bin/true\n' >odd.service\n"
	for i, s := range stricts {
		text, unit := "[Service]\n"+s.text, fmt.Sprintf("./s%d.service", i)
		if whole, ok := strings.CutPrefix(s.text, "!"); ok {
			text = "[Unit]\n" + whole
		}
		if s.text != "" {
			script += fmt.Sprintf("cat >%s <<'END'\n%s\nEND\n", unit, text)
		} else {
			unit = ""
		}
		script += fmt.Sprintf("/ctl/ctl run --strict --show %s %s >/dev/null 2>&1; echo $?; /ctl/ctl run --strict %[1]s %[2]s 2>&1; printf '%%d\\001' $?\n", s.args, unit)
	}
	said := strings.Split(m.Run(t, script).Stdout, "\x01")
	if len(said) != len(stricts)+1 {
		t.Fatalf("%d answers: %q", len(said), said)
	}
	for i, s := range stricts {
		show, got, _ := strings.Cut(said[i], "\n")
		if !strings.HasSuffix("\n"+got, fmt.Sprintf("\n%d", s.exit)) || !strings.Contains(got, s.line) || !strings.Contains(got, s.why) {
			t.Errorf("%s %s\n%s\nwant %d, %s, %s", s.args, s.text, got, s.exit, s.line, s.why)
		}
		if s.why != "" && show != fmt.Sprint(s.exit) {
			t.Errorf("%s %s: --show ends with %s", s.args, s.text, show)
		}
		if strings.Contains(got, refusedNote) && strings.Contains(got, "Starting") {
			t.Errorf("%s %s is started: %s", s.args, s.text, got)
		}
	}
}

// excuses are how what is said of Debian's units ends: they are not to be started so, are not for a tree that was never booted, or ask for what
// docs/run.md says cannot be had here.
var excuses = []string{"is masked.", "(it is configured to refuse manual start/stop).", "Setting PAMName= is not applied.", "Setting TasksMax= is not applied.",
	"Setting OOMPolicy= is not applied.", "Unit syslog.service not found.", "No medium found", "Failed at step USER: No such process", "The !! modifier for ExecStart= lines is no longer supported and is now ignored. Please update your unit files and remove the modifier."}

// TestStrictDebian: --strict refuses no other of Debian's own units, of all the trees that tests use.
func TestStrictDebian(t *testing.T) {
	_, err := oracle.Tree()
	oracle.Require(t, err)
	ctl, err := oracle.Ctl()
	oracle.Require(t, err)
	run := filepath.Join(t.TempDir(), "ctl")
	if err := os.Symlink(ctl, run); err != nil {
		t.Fatal(err)
	}
	units, seen := 0, make(map[string]bool)
	files, err := filepath.Glob(oracle.Cache() + "/*/usr/lib/systemd/system/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, text := filepath.Base(file), ""
		if data, err := os.ReadFile(file); err == nil {
			text = string(data)
		}
		if ext := filepath.Ext(name); ext != ".service" && ext != ".socket" || text == "" || seen[name+text] {
			continue
		}
		seen[name+text] = true
		units++
		root, _, _ := strings.Cut(file, "/usr/lib/systemd/system/")
		var said strings.Builder
		cmd := exec.Command(run, "run", "--strict", "--show", "--no-pager", "--root="+root, strings.Replace(name, "@.", "@x.", 1))
		cmd.Stderr = &said
		_ = cmd.Run()
		excused := false
		for line := range strings.Lines(said.String()) {
			line = strings.TrimSuffix(line, "\n")
			ends := func(s string) bool { return strings.HasSuffix(line, s) }
			if excused = excused && ends(refusedNote) || slices.ContainsFunc(excuses, ends); !excused {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
	if units < 100 {
		t.Errorf("%d units", units)
	}
	t.Logf("%d units", units)
}
