package difftest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// A place is where systemctl is called in the tree, and what it makes of that.
type place struct {
	name  string
	shell string // enters $T and runs /commands there
	env   string
	// noRuntime leaves --runtime out: by making /run/systemd/system it has the
	// reference believe that systemd is running (docs/deviations.md, 2).
	noRuntime bool
}

// places are the rows of ../shared/reference/users.md 2.1 that need no privilege
// of the first process to be hidden. PID 1 of the new PID namespace is outside the
// tree in a chroot and inside in a container.
var places = []place{
	{name: "chroot", shell: "mount -t proc proc $T/proc; chroot $T $RUN; true"},
	{name: "chroot without proc", shell: "chroot $T $RUN; true"},
	{name: "container", shell: "mount -t proc proc $T/proc; exec chroot $T $RUN", noRuntime: true},
	{name: "offline", shell: "mount -t proc proc $T/proc; exec chroot $T $RUN", env: "SYSTEMD_OFFLINE=1", noRuntime: true},
	{name: "chroot told to be none", shell: "mount -t proc proc $T/proc; chroot $T $RUN; true", env: "SYSTEMD_OFFLINE=0", noRuntime: true},
	{name: "ignored chroot", shell: "mount -t proc proc $T/proc; chroot $T $RUN; true", env: "SYSTEMD_IGNORE_CHROOT=1", noRuntime: true},
	{name: "said to be a chroot", shell: "mount -t proc proc $T/proc; exec chroot $T $RUN", env: "SYSTEMD_IN_CHROOT=1"},
	{name: "said to be none", shell: "mount -t proc proc $T/proc; chroot $T $RUN; true", env: "SYSTEMD_IN_CHROOT=0", noRuntime: true},
	{name: "bad values", shell: "mount -t proc proc $T/proc; chroot $T $RUN; true", env: "SYSTEMD_IN_CHROOT=x SYSTEMD_OFFLINE=x SYSTEMD_IGNORE_CHROOT=x"},
	{name: "client side", shell: "mount -t proc proc $T/proc; exec chroot $T $RUN", env: "SYSTEMCTL_INSTALL_CLIENT_SIDE=1", noRuntime: true},
	{name: "user", shell: "mount -t proc proc $T/proc; exec chroot $T $RUN", env: "XDG_RUNTIME_DIR=/run/user/0", noRuntime: true},
}

// commands are run one after the other in each place; S is systemctl.
const commands = `
S --root=/ --system --preset-mode=enable-only preset cron.service
S --root=/ --system --preset-mode=enable-only preset systemd-networkd.service
S enable systemd-networkd
S disable systemd-networkd
S reenable systemd-networkd.service
S enable --now systemd-networkd
S reenable --now systemd-networkd
S disable --now systemd-networkd
S mask --now cron
S unmask cron
S unmask --now cron
S mask --runtime systemd-networkd
S is-enabled systemd-networkd
S unmask systemd-networkd
S unmask --runtime systemd-networkd
S --runtime enable systemd-networkd
S is-enabled systemd-networkd
S --runtime disable systemd-networkd
S enable missing
S disable missing
S is-enabled missing
S is-enabled getty@tty1 getty@.service dbus
S -l is-enabled getty@.service
S --now enable getty@tty2
S disable getty@tty2.service
S enable dbus
S -q enable dbus
S --no-warn enable dbus
S disable dbus
S preset-all
S preset-all --preset-mode=disable-only
S --global preset-all
S --global enable dbus.service
S --global is-enabled dbus.socket
S --global list-unit-files
S --global --now disable dbus.socket
S --user enable dbus.socket
S --user disable dbus.socket
S --user is-enabled dbus.socket
S --user list-unit-files
S get-default
S set-default multi-user
S get-default
S set-default nope
S set-default default.target
S add-wants multi-user.target cron
S add-requires graphical.target systemd-networkd.socket
S revert cron systemd-networkd
S list-unit-files
S list-unit-files -t timer
S list-unit-files --state=enabled -o json
S list-unit-files nope*
S --root=/ list-unit-files -t socket
S link /opt/x.service
S link ./x.service
S link x.service
S edit cron
S edit --stdin cron
S cat dbus.socket
S start cron
S stop cron
S restart cron
S try-restart missing
S reload-or-restart cron
S kill cron
S set-property cron CPUWeight=1
S daemon-reload
S --system daemon-reload
S daemon-reexec
S status
S -q status
S status cron
S is-active cron
S -q is-active cron
S is-failed
S show cron
S show -p MainPID --value cron
S list-units
S
S list-timers
S list-dependencies
S list-jobs
S is-system-running
S -q is-system-running
S --wait is-system-running
S reboot
S poweroff
S halt
S default
S rescue
S suspend
S exit 3
S switch-root /x
S switch-root /tmp
S switch-root x
S switch-root /
S switch-root
S switch-root a b c
S show-environment
S log-level
S help cron
S help
S --user daemon-reload
S --user start x
S --global start x
S --root=/ start cron
S --version
S --quiet --version
S nonsense
S start
S enable
S get-default x
S -M foo enable cron
S -H foo is-enabled cron
S -C foo is-enabled cron
S --when=show
S --when=cancel reboot
SYSTEMD_PRESET_BYPASS=1 S preset systemd-networkd
SYSTEMD_PRESET_BYPASS=1 S preset-all
SYSTEMD_UNIT_PATH=/opt S is-enabled x
SYSTEMD_UNIT_PATH=/opt: S is-enabled x cron
SYSTEMD_UNIT_PATH=:/opt S is-enabled x
SYSTEMD_UNIT_PATH=/opt::/usr S list-unit-files
SYSTEMD_UNIT_PATH=opt S enable x
SYSTEMD_LOG_LEVEL=warning S enable cron
SYSTEMD_LOG_LEVEL=err S enable cron missing
SYSTEMD_LOG_LEVEL=bogus S is-enabled cron
SYSTEMD_LOG_TARGET=null S enable missing
LANG=C S enable systemd-networkd
LC_ALL=C S enable dbus
SYSTEMD_UTF8=0 S disable systemd-networkd
SYSTEMD_COLORS=1 S list-unit-files -t timer
NO_COLOR=1 S list-unit-files -t timer
COLUMNS=20 S list-unit-files -t timer
reboot
shutdown now
shutdown -h foo
halt --help
poweroff -f -w
poweroff -w
shutdown -k now
shutdown -c
shutdown --show
shutdown 0x10
shutdown 10:
shutdown :10
shutdown 25:00
shutdown +1 a b
reboot a b
S --user reboot
S --global suspend
S -f reboot
S --check-inhibitors=yes poweroff
S --wait stop x
S kill --kill-value=1 --kill-subgroup=a x
S -C x start y
env -i /usr/bin/systemctl enable systemd-networkd
env -i LANG= /usr/bin/systemctl disable systemd-networkd
env -i LC_ALL=de_DE.UTF-8 /usr/bin/systemctl enable systemd-networkd
env -i LC_CTYPE=POSIX LANG=C.UTF-8 /usr/bin/systemctl enable dbus
SYSTEMD_COLORS=1 S enable missing
SYSTEMD_LOG_COLOR=1 S enable missing
/usr/bin/systemctl --nope
`

func TestPlaces(t *testing.T) {
	tree, err := oracle.Tree()
	oracle.Require(t, err)
	oracle.NeedRoot(t, "a chroot")
	_, ctl := oracle.Programs(t)
	for i, p := range places {
		if i > 2 && !oracle.Chosen(p.name, 0, 6) {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			want := p.run(t, tree, "")
			got := p.run(t, tree, ctl.Argv()[0])
			if len(want) != len(got) {
				t.Fatalf("%d answers of the reference, %d of ctl", len(want), len(got))
			}
			for i := range want {
				w, g := canonical(want[i]), canonical(got[i])
				if w != g && !p.known(w) {
					t.Errorf("the reference:\n%s\nctl:\n%s", w, g)
				}
			}
		})
	}
}

// run runs the commands in an overlay of the tree, with ctl as systemctl or, when
// that is "", with the tree's own, and returns what each came to.
func (p place) run(t *testing.T, tree, ctl string) []string {
	t.Helper()
	dir := t.TempDir()
	var script strings.Builder
	script.WriteString(`show() { while IFS= read -r l || test -n "$l"; do printf '%s\n' "$1 $l"; done; }` + "\ncd /\n")
	for line := range strings.Lines(strings.TrimSpace(commands)) {
		line = strings.TrimSpace(line)
		if p.noRuntime && strings.Contains(line, "--runtime") || p.env != "" && strings.HasPrefix(line, "env -i") {
			continue
		}
		call := strings.ReplaceAll(" "+line, " S", " systemctl")
		script.WriteString("echo \"@@ " + line + "\"\n" + call + " </dev/null >/out 2>/err; rc=$?\n" +
			"show out: </out; show err: </err; echo rc=$rc\n")
	}
	script.WriteString("echo '@@ links'; find /etc/systemd /run/systemd /root/.config -type l -printf '%p %l\\n' 2>/dev/null | sort\n")
	upper := filepath.Join(dir, "upper")
	for _, d := range []string{upper + "/opt", dir + "/work", dir + "/root", upper + "/usr/bin", upper + "/usr/sbin"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(upper+name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("/commands", script.String(), 0o755)
	write("/opt/x.service", "[Install]\nWantedBy=multi-user.target\n", 0o644)
	if ctl != "" {
		data, err := os.ReadFile(ctl)
		if err != nil {
			t.Fatal(err)
		}
		write("/usr/bin/systemctl", string(data), 0o755)
	}
	shell := "mount --make-rprivate /; mount -t overlay overlay -o lowerdir=$LOWER,upperdir=$D/upper,workdir=$D/work $T || exit 99\n" +
		"mount -t tmpfs none $T/dev && mknod -m 666 $T/dev/null c 1 3\n" + p.shell
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", shell)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "T=" + dir + "/root", "D=" + dir, "LOWER=" + tree,
		"RUN=env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root TERM=dumb " + p.env + " sh /commands"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || out.Len() == 0 {
		t.Fatalf("%v: %s%s", err, errs.String(), out.String())
	}
	return strings.Split(out.String(), "@@ ")[1:]
}

// canonical sorts what the reference says in the order of directories, and drops the
// list of features from the version.
func canonical(answer string) string {
	command, rest, _ := strings.Cut(answer, "\n")
	for _, v := range []string{"disable", "reenable", "preset", "unmask", "revert"} {
		if strings.Contains(command, v) {
			rest = sortedLines(rest)
		}
	}
	if strings.Contains(command, "--version") {
		rest, _, _ = strings.Cut(rest, "(")
	}
	return command + "\n" + rest
}

// known recognises the commands whose answers are listed in docs/deviations.md: with
// SYSTEMD_OFFLINE the old names of systemctl leave the host alone (24).
func (p place) known(answer string) bool {
	command, _, _ := strings.Cut(answer, "\n")
	switch command {
	case "reboot", "shutdown now", "shutdown -c", "poweroff -f -w", "poweroff -w", "shutdown -k now", "shutdown --show", "shutdown 0x10",
		"shutdown 10:", "shutdown :10", "shutdown +1 a b":
		return strings.Contains(p.env, "SYSTEMD_OFFLINE=1")
	}
	return false
}

// sortedLines sorts the lines, and keeps one of equal ones.
func sortedLines(s string) string {
	l := strings.Split(s, "\n")
	slices.Sort(l)
	return strings.Join(slices.Compact(l), "\n")
}
