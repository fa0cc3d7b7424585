package image

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestNewest has systemd-vpick(1) and ctl look for versions among random names.
func TestNewest(t *testing.T) {
	tree, err := oracle.Tree()
	oracle.Require(t, err)
	vpick := oracle.InTree(tree, "systemd-vpick")
	if _, err := os.Stat(tree + "/usr/bin/systemd-vpick"); err != nil {
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(1, 0))
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	for range 300 {
		dir, suffix, kind := t.TempDir(), pick("", ".raw"), Trees
		args := []string{"--type=dir"}
		if suffix != "" {
			kind, args = Images, []string{"--type=reg", "--suffix=.raw"}
		}
		versions := filepath.Join(dir, pick("t", "t"+suffix)+".v")
		if err := os.Mkdir(versions, 0o755); err != nil {
			t.Fatal(err)
		}
		var names []string
		for range r.IntN(5) {
			name := pick("t_", "t_", "t_", "t_", "u_", "t") + pick("1", "2", "10", "1.2", "1~rc1", "1^2", "", "1-2", "x", "ü", "1,2", "01") +
				pick("", "", "", "_x86-64", "_x86", "_arm64", "_foo", "_2", "_", "_1_2") + pick("", "", "", "+0", "+1", "+3", "+3-0", "+3-1", "+3-2", "+0-1", "+", "+a", "+1-", "+1+2") +
				pick(suffix, suffix, suffix, ".raw", "")
			names = append(names, name)
			p := filepath.Join(versions, name)
			switch r.IntN(12) {
			case 0:
				err = os.Symlink("nowhere", p)
			case 1:
				err = os.Symlink(pick("t_1"+suffix, "t_2"+suffix), p)
			case 2:
				err = os.WriteFile(p, nil, 0o644)
			default:
				if err = os.Mkdir(p, 0o755); suffix != "" {
					os.Remove(p)
					err = os.WriteFile(p, nil, 0o644)
				}
			}
			if err != nil && !os.IsExist(err) {
				t.Fatal(err)
			}
		}
		asked := versions + pick("", "", "/", "/t___"+suffix, "/t___", "/t_1"+suffix, "x")
		said, err := exec.Command(vpick[0], append(append(vpick[1:], args...), asked)...).Output()
		want := strings.TrimRight(string(said), "/\n")
		got, err2 := kind.Newest(asked)
		if _, missing := os.Stat(got); err2 == nil && missing != nil {
			err2 = missing
		}
		if err2 != nil {
			got = ""
		}
		if (err != nil) != (err2 != nil) || got != want {
			t.Errorf("%s among %q: %q, %v, not %q, %v", strings.TrimPrefix(asked, dir), names, got, err2, want, err)
		}
	}
}
