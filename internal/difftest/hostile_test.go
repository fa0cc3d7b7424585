package difftest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestHostile runs every verb on trees whose links lead outside, where the reference
// follows them (docs/deviations.md, 1). Nothing outside changes, and nothing of what is there shows.
func TestHostile(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	ctl := oracle.Installed(bin)
	for _, trap := range []struct{ name, link string }{
		{"config directory", "etc/systemd/system"},
		{"its parent", "etc/systemd"},
		{"etc", "etc"},
		{"vendor directory", "usr/lib/systemd/system"},
		{"wants", "etc/systemd/system/x.target.wants"},
		{"runtime directory", "run/systemd/system"},
		{"presets", "etc/systemd/system-preset"},
		{"machine id", "etc/machine-id"},
		{"drop-ins", "etc/systemd/system/a.service.d"},
		{"a unit", "etc/systemd/system/a.service"},
	} {
		for _, up := range []string{"", "../../../../../../../../../.."} {
			t.Run(trap.name+strings.ReplaceAll(up, "/", ""), func(t *testing.T) {
				dir := t.TempDir()
				root, outside := dir+"/r", dir+"/outside"
				var bait scenario
				bait.file("/a.service", "[Install]\nWantedBy=bait.target\n")
				bait.file("/secret.service", "[Install]\nWantedBy=bait.target\n")
				bait.link("/m.service", "/dev/null")
				bait.file("/1.preset", "enable secret.service\n")
				bait.file("/systemd/system/secret.service", "[Unit]\n")
				bait.file("/system/secret.service", "[Unit]\n")
				bait.build(t, outside)
				if err := os.MkdirAll(filepath.Dir(root+"/"+trap.link), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(up+outside, root+"/"+trap.link); err != nil {
					t.Fatal(err)
				}
				var s scenario
				s.file(usr+"b.service", "[Install]\nWantedBy=x.target\nAlias=c.service\n")
				s.file(usr+"x.target", "[Unit]\n")
				if trap.link != "usr/lib/systemd/system" {
					s.build(t, root)
				}
				before := oracle.Snapshot(outside)
				for _, c := range []string{"enable b", "-f enable b", "disable b", "reenable b", "mask m", "-f mask a", "unmask m", "--runtime enable b", "revert a b",
					"preset b", "preset-all", "set-default x", "add-wants x b", "enable a", "enable secret", "disable a", "list-unit-files", "is-enabled a b", "get-default"} {
					r := ctl.Run(t, "/", nil, append([]string{"--root=" + root}, strings.Fields(c)...)...)
					if strings.Contains(r.Stdout, "secret") || strings.Contains(r.Stdout+r.Stderr, "bait.target") {
						t.Errorf("%s shows what is outside:\n%s%s", c, r.Stdout, r.Stderr)
					}
					if r.Exit != 0 && r.Exit != 1 && r.Exit != 4 {
						t.Errorf("%s exits %d: %s", c, r.Exit, r.Stderr)
					}
					if d := oracle.Diff(before, oracle.Snapshot(outside)); d != "" {
						t.Fatalf("%s changed what is outside:\n%s", c, d)
					}
				}
			})
		}
	}
}

// TestBadFiles feeds units that are too large, binary, or no files at all.
func TestBadFiles(t *testing.T) {
	st := outside(t)
	s := scenario{}
	s.file(usr+"big.service", "[Unit]\nX="+strings.Repeat("a", 1<<20)+"\n[Install]\nWantedBy=x.target\n")
	s.file(usr+"long.service", "[Unit]\n"+strings.Repeat("X="+strings.Repeat("a", 4000)+"\\\n", 400)+"\n[Install]\nWantedBy=x.target\n")
	s.file(usr+"many.service", strings.Repeat("# a comment\n[Unit]\nA=b\n", 100000)+"[Install]\nWantedBy=x.target\n")
	s.file(usr+"wide.service", "[Install]\nWantedBy="+strings.Repeat("x.target ", 300)+"\n")
	s.file(usr+"binary.service", "\x7fELF\x00\x01\x02[Install]\x00\nWantedBy=x.target\n\xff\xfe")
	s.file(usr+"nul.service", "[Install]\x00WantedBy=x.target\x00\x00junk")
	s.file(usr+"dir.service/x", "")
	s.file(usr+"crlf.service", "[Install]\r\nWantedBy=x.target\r\n")
	s.file(usr+"cr.service", "[Install]\rWantedBy=x.target\r")
	s.file(usr+"latin.service", "[Unit]\nDescription=caf\xe9\n[Install]\nWantedBy=x.target\n")
	for _, u := range []string{"big", "long", "many", "wide", "binary", "nul", "dir", "crlf", "cr", "latin"} {
		s.commands = append(s.commands, []string{"enable", u}, []string{"is-enabled", u}, []string{"disable", u})
	}
	s.commands = append(s.commands, []string{"list-unit-files"}, []string{"enable", "caf\xe9"}, []string{"is-enabled", "\xff\xfe", "a\x01b"},
		[]string{"enable", strings.Repeat("a", 300)}, []string{"is-enabled", strings.Repeat("ä", 100)}, []string{"mask", strings.Repeat("/x", 3000)})
	for _, c := range s.commands {
		one := s
		one.commands = [][]string{c}
		if d := one.compare(t, st); d != "" {
			if len(d) > 2000 {
				d = d[:2000]
			}
			t.Error(d)
		}
	}
}

// TestFifo: the reference waits for ever for somebody to write (32).
func TestFifo(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.MkdirAll(root+usr, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mkfifo(root + usr + "f.service"); err != nil {
		t.Fatal(err)
	}
	r := oracle.Installed(bin).Run(t, "/", nil, "--root="+root, "enable", "f")
	if want := "Failed to enable unit f.service: Inappropriate ioctl for device\n"; r.Exit != 1 || r.Stderr != want {
		t.Errorf("%d %q", r.Exit, r.Stderr)
	}
}

// TestFakechroot: a static program does not load fakechroot's library, and would
// write to the host (36).
func TestFakechroot(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var s scenario
	s.file(usr+"fake.service", "[Install]\nWantedBy=x.target\n")
	s.file("/sub"+usr+"fake.service", "[Install]\nWantedBy=x.target\n")
	s.file(usr+"x.target", "[Unit]\n")
	s.build(t, root)
	env := []string{"FAKECHROOT_BASE=" + root}
	for _, c := range []struct {
		args, link, stderr string
	}{
		{"enable fake", etc + "x.target.wants/fake.service", "Created symlink '/etc/systemd/system/x.target.wants/fake.service' → '/usr/lib/systemd/system/fake.service'.\n"},
		{"--root=/ mask other", etc + "other.service", "Created symlink '/etc/systemd/system/other.service' → '/dev/null'.\n"},
		{"--root=/sub mask third", "/sub" + etc + "third.service", "Created symlink '/sub/etc/systemd/system/third.service' → '/dev/null'.\n"},
		{"start fake", "", "Running in chroot, ignoring command 'start'\n"},
	} {
		r := oracle.Installed(bin).Run(t, "/", env, strings.Fields(c.args)...)
		if r.Exit != 0 || r.Stderr != c.stderr {
			t.Errorf("%s: %d %q, want %q", c.args, r.Exit, r.Stderr, c.stderr)
		}
		if _, err := os.Lstat(root + c.link); err != nil {
			t.Error(err)
		}
	}
}
