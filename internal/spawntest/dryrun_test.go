package spawntest

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestDryRun: --dry-run changes nothing and ends as the start does, when that starts nothing that fails by itself.
func TestDryRun(t *testing.T) {
	if os.Getenv("CTL_SPAWN") == "" {
		t.Skip("see TestCases")
	}
	h := oracle.NewHost(t)
	const prepare = "cp -a t template; mkdir none\n"
	for _, args := range []string{
		"-D t true",
		"-D t -x true",
		"-D t -U true",
		"-D t -a --hardened --pipe true",
		"-D t --private-network --bind=/etc:/mnt --tmpfs=/x --inaccessible=/srv/data true",
		"-D t --overlay=/etc::/mnt --bind=:/new true",
		"--template=template -D new true",
		"--template=template -D t true",
		"-M new --template=template true",
		"-D t nosuch",
		"-D t --chdir=/nosuch true",
		"-D t --bind=/nosuch:/x true",
		"-D none true",
		"-D nowhere true",
		"-D t -u nobody-of-that-name true",
		"-D t -b -a",
		"-D / true",
		"--template=nowhere -D new true",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			run := func(options string) oracle.HostResult {
				r, err := h.Run("ctl", oracle.HostCall{Setup: prepare, Script: "exec /ctl/ctl spawn " + options + args})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			got, want := run("--dry-run "), run("-q ")
			if len(got.Left) > 0 {
				t.Errorf("it changes\n%s", strings.Join(got.Left, "\n"))
			}
			if got.Exit != want.Exit || want.Exit != 0 && got.Stderr != want.Stderr && want.Stderr != "" {
				t.Errorf("it ends with %d %q; the start with %d %q", got.Exit, got.Stderr, want.Exit, want.Stderr)
			}
			if got.Exit == 0 && !strings.Contains(got.Stdout, "Capabilities:") {
				t.Errorf("it shows no plan but %q", got.Stdout)
			}
		})
	}
}

// TestPlanIsTrue: the mounts of a plan are those that there are.
func TestPlanIsTrue(t *testing.T) {
	if os.Getenv("CTL_SPAWN") == "" {
		t.Skip("see TestCases")
	}
	h := oracle.NewHost(t)
	for _, options := range []string{"", "--private-network", "-U", "--volatile=state", "--hardened"} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			run := func(more, command string) string {
				r, err := h.Run("ctl", oracle.HostCall{Script: "exec /ctl/ctl spawn -D t --pipe " + more + " " + options + command})
				if err != nil || r.Exit != 0 {
					t.Fatal(err, r)
				}
				return r.Stdout
			}
			type step struct {
				Do, Target, Type, Attributes string
				Optional                     bool
			}
			var plan struct{ Outside, Inside []step }
			if err := json.Unmarshal([]byte(run("--dry-run -o json", " true")), &plan); err != nil {
				t.Fatal(err)
			}
			is := make(map[string]bool)
			for line := range strings.Lines(run("", " cat /proc/self/mountinfo")) {
				f := strings.Fields(line)
				is[f[4]] = true
				for i := range f {
					if f[i] == "-" {
						is[f[4]+" "+f[i+1]] = true
					}
				}
				for _, a := range strings.Split(f[5], ",") {
					is[f[4]+" "+a] = true
				}
			}
			known := map[string]bool{"/": true, "/dev/console": true}
			for _, s := range append(plan.Outside, plan.Inside...) {
				if s.Do == "mkdir" || s.Do == "symlink" || s.Do == "write" || s.Do == "node" {
					continue
				}
				known[s.Target] = true
				if !is[s.Target] {
					if !s.Optional && s.Do != "device" {
						t.Errorf("%s is not mounted", s.Target)
					}
					continue
				}
				if s.Type != "" && !is[s.Target+" "+s.Type] && s.Target != "/sys" { // whose file system holds parts of the planned one
					t.Errorf("%s is no %s", s.Target, s.Type)
				}
				for _, a := range strings.Split(s.Attributes, ",") {
					// mountinfo does not write strictatime.
					if a != "" && a != "strictatime" && !is[s.Target+" "+a] {
						t.Errorf("%s is not %s", s.Target, a)
					}
				}
			}
			for m := range is {
				if !strings.Contains(m, " ") && !known[m] && !strings.HasPrefix(m, "/sys/") && m != "/etc/resolv.conf" && m != "/etc/localtime" {
					t.Errorf("%s is mounted, and not planned", m)
				}
			}
		})
	}
}
