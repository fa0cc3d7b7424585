package spawntest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// helpOption is a line of the help with its short option, its long one and what that takes.
var helpOption = regexp.MustCompile(`(?m)^ +(?:(-\w)(?:,| |=)[^\S\n]*)?(?:(--[\w-]+)(\[?=\S+)?)?`)

// TestHelp: ctl knows each option of the reference's help, and each key of its .nspawn files, and does something about it.
func TestHelp(t *testing.T) {
	tree, err := oracle.SpawnTree()
	oracle.Require(t, err)
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	ctl := oracle.Installed(bin).As("systemd-nspawn")
	reference := oracle.Nspawn(tree)
	known := func(args ...string) {
		t.Helper()
		// What comes after the option is not looked at before it.
		r := ctl.Run(t, t.TempDir(), nil, append(args, "--directory=/nosuch", "--nosuch")...)
		for _, wrong := range []string{"implemented", "unrecognized option '" + args[0], "invalid option -- '" + strings.TrimLeft(args[0], "-")} {
			if strings.Contains(r.Stderr, wrong) {
				t.Errorf("%q: %s", args, r.Stderr)
			}
		}
	}
	n := 0
	for _, m := range helpOption.FindAllStringSubmatch(reference.Run(t, "/", nil, "--help").Stdout, -1) {
		if m[1] == "" && m[2] == "" {
			continue
		}
		n++
		if m[1] != "" {
			known(m[1], "help")
		}
		switch {
		case m[2] == "":
		case m[3] == "" || strings.HasPrefix(m[3], "["):
			known(m[2])
		default:
			known(m[2], "no")
		}
	}
	if n < 70 {
		t.Errorf("%d options", n)
	}
	data, err := os.ReadFile(tree + "/usr/bin/systemd-nspawn")
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile(`\x00(Exec|Files|Network)\.(\w+)\x00`)
	sections := make(map[string][]string)
	for rest := data; ; {
		m := keys.FindSubmatchIndex(rest)
		if m == nil {
			break
		}
		section := string(rest[m[2]:m[3]])
		sections[section] = append(sections[section], string(rest[m[4]:m[5]]))
		rest = rest[m[1]-1:] // the next begins with where this ends
	}
	var file strings.Builder
	for section, names := range sections {
		slices.Sort(names)
		file.WriteString("[" + section + "]\n")
		for _, name := range names {
			file.WriteString(name + "=\n")
		}
	}
	if n := strings.Count(file.String(), "="); n < 60 {
		t.Errorf("%d keys", n)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/t.nspawn", []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := ctl.Run(t, dir, nil, "-D", "t", "--settings=trusted", "true")
	if strings.Contains(r.Stderr, "Unknown key") || strings.Contains(r.Stderr, "implemented") || !strings.Contains(r.Stderr, "t.nspawn:") {
		t.Errorf("%s\n%s", file.String(), r.Stderr)
	}
}
