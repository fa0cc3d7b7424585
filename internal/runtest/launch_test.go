package runtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// launchSetUp makes what the units of testdata/launch need.
const launchSetUp = `set -e
mkdir -p /out /etc/tests /etc/credstore /tree/usr/bin /tree/etc /tree/proc /tree/sys /tree/dev /tree/run /tree/root /tree/tmp /tree/var/tmp
cp /usr/bin/probe /tree/usr/bin/; cp /etc/passwd /etc/group /tree/etc/
cat >/etc/tests/env <<'EOF'
# comment
A=2
B="x $A \"y\""  'z'
C = spaced
not a line
D=a\
b
1BAD=x
EOF
touch /etc/tests/users /etc/tests/others; unshare --user --map-root-user sh -c 'echo $$; exec sleep infinity >/dev/null 2>&1 </dev/null' >/run/users 2>/dev/null </dev/null & until test -s /run/users; do sleep 0.05; done
mount --bind /proc/$(cat /run/users)/ns/user /etc/tests/users
echo foo >/etc/credstore/foo.one; echo two >/etc/credstore/foo.two; echo x >/etc/tests/x
`

// launchBoth has systemd and ctl start each unit of the list U, one after the other, and shows what both saw. ctl is itself a service, so that
// both begin with the same privileges and limits.
const launchBoth = `clean() { rm -rf /run/rl* /run/a /var/lib/rl /var/lib/private/rl /var/cache/rl* /var/cache/private/rl /var/log/rl* /var/log/private/rl /etc/rl /out/here /out/err /out/pre /tree/tmp/sync; }
systemctl daemon-reload
for u in $U; do
	clean
	timeout 20 systemctl start $u.service 2>/dev/null
	for n in $(seq 50); do test -e /run/credentials/$u.service && systemctl show -P Id $u >/dev/null || break; done
	mv /out/$u /out/$u.systemd 2>/dev/null
	for f in here err pre; do test -f /out/$f && cat /out/$f >>/out/$u.systemd; done
	{ echo "after: $(ls -d /run/rl* /run/a/b /run/credentials/$u.service /tmp/systemd-private-*-$u* 2>/dev/null; ls -A /var/lib/systemd/ephemeral-trees /dev/shm 2>/dev/null; cut -c1-22 /proc/sysvipc/shm)"; systemctl show -p Result,ExecMainCode,ExecMainStatus $u.service; } >>/out/$u.systemd
	clean
	systemctl reset-failed
done
systemd-run -q --wait --collect -p StandardOutput=null -p StandardError=null sh -c '
'"$(declare -f clean)"'
for u in '"$U"'; do
	clean
	timeout 20 /ctl/ctl run $u.service 2>/out/$u.said
	code=$?
	mv /out/$u /out/$u.ctl 2>/dev/null
	for f in here err pre; do test -f /out/$f && cat /out/$f >>/out/$u.ctl; done
	{ echo "after: $(ls -d /run/rl* /run/a/b /run/credentials/$u.service /tmp/systemd-private-*-$u* 2>/dev/null; ls -A /var/lib/systemd/ephemeral-trees /dev/shm 2>/dev/null; cut -c1-22 /proc/sysvipc/shm)"; echo "exit $code"; } >>/out/$u.ctl
	clean
done'
for u in $U; do for w in systemd ctl said; do echo "==== $u $w"; cat /out/$u.$w; done; done
rm -rf /out/*
`

// launchUnit is the unit of a line of testdata/launch.
func launchUnit(name, line string) string {
	parts := "process limits signals fds environment namespaces tty try spare" // spare what is not the service's
	for _, w := range []string{"Restrict", "SystemCallF", "SystemCallE", "Protect", "Lock", "Memory", "PrivateD", "PrivateN"} {
		if strings.HasPrefix(line, w) || strings.Contains(line, ";"+w) {
			parts += " calls"
			break
		}
	}
	lines := []string{"[Service]", "Type=oneshot"}
	if !strings.Contains(line, "StandardOutput=") {
		lines = append(lines, "StandardOutput=append:/out/"+name)
	}
	lines = append(lines, "ExecStart=/usr/bin/probe "+parts)
	for _, w := range []string{"Directory=rl", "Credential=", "Dynamic"} {
		if strings.Contains(line, w) {
			lines = append(lines, `ExecStartPost=+/usr/bin/sh -c 'cd /; find run/rl* run/a var/lib/rl* var/lib/private var/cache/rl* var/cache/private var/log/rl* var/log/private etc/rl run/credentials/`+name+`.service -printf "%%p %%M %%u %%g %%l\n" 2>/dev/null | sort'`)
			break
		}
	}
	return strings.Join(append(lines, strings.Split(line, ";")...), "\n") + "\n"
}

// TestLaunch has systemd and ctl start the same programs with each setting of systemd.exec(5), which tell all that they see.
func TestLaunch(t *testing.T) {
	only := os.Getenv("CTL_LAUNCH") // a word that the settings have in common
	m := machine(t)
	putProbe(t, m)
	m.Shell(t, launchSetUp)
	list, err := os.ReadFile("testdata/launch/settings.txt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	lines := make(map[string]string)
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || !strings.Contains(line, only) || only == "" && !oracle.Chosen(line, 0, 12) {
			continue
		}
		name := fmt.Sprintf("launch%03d", len(names))
		names = append(names, name)
		lines[name] = line
		put(t, m, "/etc/systemd/system/"+name+".service", launchUnit(name, line))
	}
	seen := make(map[string]string)
	for some := range slices.Chunk(names, 20) {
		r := m.Run(t, "U='"+strings.Join(some, " ")+"'; export U; exec bash -c '"+strings.ReplaceAll(launchBoth, "'", `'\''`)+"'")
		for _, part := range strings.Split("\n"+r.Stdout, "\n==== ")[1:] {
			head, body, _ := strings.Cut(part, "\n")
			seen[head] = body
		}
	}
	for _, name := range names {
		t.Run(lines[name], func(t *testing.T) {
			want, got := launchSeen(seen[name+" systemd"]), launchSeen(seen[name+" ctl"])
			if want == "" {
				t.Fatal("nothing seen")
			}
			if d := differing(want, got); d != "" {
				t.Errorf("systemd -, ctl +:\n%s%s", d, seen[name+" said"])
			}
		})
	}
}

// differing are the lines that only one has.
func differing(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for _, l := range w {
		if !slices.Contains(g, l) {
			b.WriteString("-" + l + "\n")
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			b.WriteString("+" + l + "\n")
		}
	}
	if b.Len() == 0 && want != got {
		return want + "\n/\n" + got
	}
	return b.String()
}

// launchSeen is what a run saw without what is another each time.
func launchSeen(text string) string {
	var l []string
	code, result, main := "", "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		key, value, _ := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "environment INVOCATION_ID: "), strings.HasPrefix(line, "environment SYSTEMD_EXEC_PID: "),
			strings.HasPrefix(line, "environment LISTEN_PID"):
			line = line[:strings.IndexByte(line, ':')]
		case strings.HasPrefix(line, "process ids:"), strings.HasPrefix(line, "process cgroup:"), strings.HasPrefix(line, "process NS"),
			strings.HasPrefix(line, "environment MEMORY_PRESSURE"), strings.HasPrefix(line, "signals SigPnd:"),
			strings.HasPrefix(line, "try open_by_handle_at:"),   // as it was opened before or not
			strings.HasPrefix(line, "process Seccomp_filters:"): // one of ours does what several of systemd's do
			continue
		case key == "Result":
			result = value
			continue
		case key == "ExecMainCode":
			code = value
			continue
		case key == "ExecMainStatus":
			main = value
			continue
		}
		if strings.HasPrefix(line, "calls others:") { // msgget(2) makes a queue that the next finds
			line = strings.Replace(line, " 68=EEXIST", " 68=", 1)
		}
		l = append(l, line)
	}
	switch {
	case result == "":
	case result == "success":
		l = append(l, "exit 0")
	case code == "1":
		l = append(l, "exit "+main)
	case result == "signal":
		n, _ := strconv.Atoi(main)
		l = append(l, "exit "+strconv.Itoa(128+n))
	case result == "resources": // there was no process
		l = append(l, "exit 1")
	default:
		l = append(l, "exit of "+result+" "+code+" "+main)
	}
	return strings.Join(l, "\n")
}

// putProbe puts the program into the machine that tells all that it sees.
func putProbe(t *testing.T, m *oracle.Machine) {
	t.Helper()
	probe := filepath.Join(t.TempDir(), "probe")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", probe, "./internal/spawntest/probe")
	build.Dir, build.Env = oracle.Repo(), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v: %s", err, out)
	}
	data, err := os.ReadFile(probe)
	if err != nil {
		t.Fatal(err)
	}
	put(t, m, "/usr/bin/probe", string(data))
	m.Shell(t, "chmod 755 /usr/bin/probe")
}
