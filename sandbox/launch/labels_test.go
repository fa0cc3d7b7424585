package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ctl/sandbox/service"
)

// TestLabels: labels are for security modules that are in use, as systemd.exec(5) says.
func TestLabels(t *testing.T) {
	root := t.TempDir()
	e := &service.Exec{SELinuxContext: "u:r:t:s0", AppArmorProfile: "-profile", SmackProcessLabel: "-"}
	if l := newLabels(root, e); l != nil {
		t.Errorf("without security modules: %v", l)
	}
	for name, text := range map[string]string{"sys/fs/selinux/enforce": "0", "sys/module/apparmor/parameters/enabled": "N\n", "sys/fs/smackfs/load2": ""} {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	said := func() string { return fmt.Sprint(newLabels(root, e)) }
	if got, want := said(), "[{29 [self/attr/exec] u:r:t:s0 false}]"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if err := os.WriteFile(filepath.Join(root, "sys/module/apparmor/parameters/enabled"), []byte("Y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e.SmackProcessLabel = "label"
	want := "[{36 [self/attr/smack/current self/attr/current] label false} {29 [self/attr/exec] u:r:t:s0 false} " +
		"{31 [self/attr/apparmor/exec self/attr/exec] exec profile true}]"
	if got := said(); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}
