package difftest

import (
	"os"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestEdit: while the editor is open others may work on the tree; what they wrote to the
// file being edited is not written over, and what was typed is not lost.
func TestEdit(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data, err := os.ReadFile(bin)
	if err == nil {
		err = os.WriteFile(dir+"/ctl", data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctl, root := oracle.Installed(dir+"/ctl").As("ctl"), dir+"/r"
	file := root + etc + "a.service.d/override.conf"
	var s scenario
	s.file(usr+"a.service", "[Unit]\n")
	s.file(etc+"a.service.d/override.conf", "[Unit]\nDescription=old\n")
	s.build(t, root)
	edit := func(meanwhile string) oracle.Result {
		script := "#!/bin/sh\nfor f; do :; done\nsed -i s/old/new/ $f\n" + meanwhile + "\n"
		if err := os.WriteFile(dir+"/editor", []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		return ctl.RunOnTerminal(t, 80, []string{"EDITOR=" + dir + "/editor", "TMPDIR=" + dir}, "--root="+root, "edit", "a", "a")
	}
	content := func(p string) string {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}

	r := edit("timeout 20 " + dir + "/ctl --root=" + root + " mask b")
	if r.Exit != 0 || !strings.Contains(r.Stdout, "b.service' → '/dev/null'") || content(file) != "[Unit]\nDescription=new\n" {
		t.Errorf("%d %s\n%s", r.Exit, r.Stdout, content(file))
	}
	r = edit("echo old >" + file)
	if r.Exit != 1 || content(file) != "old\n" {
		t.Errorf("%d %s\n%s", r.Exit, r.Stdout, content(file))
	}
	_, kept, _ := strings.Cut(r.Stdout, "is kept in '")
	kept, _, _ = strings.Cut(kept, "'")
	if !strings.Contains(content(kept), "Description=new\n") {
		t.Errorf("%s\n%s", r.Stdout, content(kept))
	}
}
