package runtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// execBoth has systemd and ctl start each of systemd's own units for its test of systemd.exec(5), and says how each ended.
const execBoth = `clean() { rm -rf /run/test-exec_* /run/private/test-exec_* /var/lib/test-exec_* /var/lib/private/test-exec_* /var/lib/test-dynamicuser-migrate* /var/lib/private/test-dynamicuser-migrate* /var/lib/private/waldo /var/lib/quux /var/lib/waldo /var/lib/private/quux /tmp/test-exec-standardoutput* /tmp/thisisasimpletest; mkdir -p /tmp/test-exec_workdir; printf '%s\n' a b c >/tmp/test-exec-standardoutput-output; }
systemctl daemon-reload
for u in $U; do
	clean
	timeout 20 systemctl start --wait "$u" 2>/dev/null
	rc=$?
	r=$(systemctl show -P Result "$u"); s=$(systemctl show -P ExecMainStatus "$u"); c=$(systemctl show -P ExecMainCode "$u")
	[ $c = 1 ] && r="$r $s"
	[ $c = 2 ] && r="$r $((128+s))"
	[ $c = 3 ] && r="$r $((128+s))"
	[ $rc = 0 ] || [ "$r" != success ] || r=refused
	echo "$u systemd $r"
	systemctl stop "$u" 2>/dev/null
	clean
	timeout 20 /ctl/ctl run "$u" >/tmp/said 2>&1
	echo "$u ctl $?"
	sed "s/^/$u said /" /tmp/said
done
systemctl reset-failed
clean
rm -f /tmp/said
`

// unlike are units that do not end alike: systemd refuses one that requires var.mount, which it knows for a unit that could be. Here, as in
// most containers, there is none, and ctl has the service wait for nothing that is not there.
var unlike = [...]string{"exec-privatetmp-disconnected-after-and-requires-for-var"}

// TestExecUnits has systemd and ctl start systemd's own units for its test.
func TestExecUnits(t *testing.T) {
	dir, err := oracle.ExecUnits()
	oracle.Require(t, err)
	m := machine(t)
	files, err := filepath.Glob(dir + "/exec-*.service")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		name := filepath.Base(f)
		if slices.Contains(unlike[:], strings.TrimSuffix(name, ".service")) {
			continue
		}
		only := os.Getenv("CTL_LAUNCH")
		if only == "" && !oracle.Chosen(name, 0, 16) || !strings.Contains(name, only) {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		put(t, m, "/etc/systemd/system/"+name, string(data))
		if strings.HasSuffix(name, "@.service") {
			name = strings.TrimSuffix(name, ".service") + "test.service"
		}
		names = append(names, name)
	}
	compareEnds(t, m, names)
}

// compareEnds has systemd and ctl start units and compares how they end.
func compareEnds(t *testing.T, m *oracle.Machine, names []string) {
	t.Helper()
	ended := make(map[string]string)
	for len(names) > 0 {
		n := min(20, len(names))
		r := m.Run(t, "U='"+strings.Join(names[:n], " ")+"'\n"+execBoth)
		for line := range strings.Lines(r.Stdout) {
			f := strings.SplitN(strings.TrimSpace(line), " ", 3)
			if len(f) == 3 {
				ended[f[0]+" "+f[1]] += f[2] + "\n"
			}
		}
		for _, name := range names[:n] {
			t.Run(name, func(t *testing.T) {
				result, status, _ := strings.Cut(strings.TrimSpace(ended[name+" systemd"]), " ")
				got := strings.TrimSpace(ended[name+" ctl"])
				if result == "success" || result == "exec-condition" {
					status = "0"
				}
				if (status == "" || result == "exit-code" && status == "0") && got != "0" { // no main process
					status = got
				}
				if status == "" || got != status {
					t.Errorf("systemd: %s %s, ctl: %s\n%s", result, status, got, ended[name+" said"])
				}
			})
		}
		names = names[n:]
	}
}
