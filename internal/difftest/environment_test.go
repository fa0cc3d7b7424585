package difftest

import (
	"os"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// environments are variables that systemctl heeds, for the commands of an archive in testdata.
var environments = [...]struct{ archive, env string }{
	{"environment", "SYSTEMD_UNIT_PATH=/opt/units"},
	{"environment", "SYSTEMD_UNIT_PATH=/opt/units:/opt/more"},
	{"environment", "SYSTEMD_UNIT_PATH=/opt/units:/opt/more:"},
	{"environment", "SYSTEMD_UNIT_PATH=:/opt/units"},
	{"environment", "SYSTEMD_UNIT_PATH=/opt/units::/opt/more"},
	{"environment", "SYSTEMD_UNIT_PATH=:"},
	{"environment", "SYSTEMD_UNIT_PATH=/opt/units:/opt/units/:/opt//units"},
	{"environment", "SYSTEMD_UNIT_PATH=/nope"},
	{"environment", "SYSTEMD_UNIT_PATH=opt/units"},
	{"environment", "SYSTEMD_UNIT_PATH=/etc/systemd/system:/usr/lib/systemd/system"},
	{"environment", "SYSTEMD_UNIT_PATH="},
	{"environment", "SYSTEMD_PRESET_BYPASS=1"},
	{"environment", "SYSTEMD_PRESET_BYPASS=no"},
	{"environment", "SYSTEMD_PRESET_BYPASS=maybe"},
	{"environment", "SYSTEMCTL_SKIP_SYSV=1"},
	{"environment", "SYSTEMCTL_INSTALL_CLIENT_SIDE=0"},
	{"environment", "SYSTEMCTL_INSTALL_CLIENT_SIDE=1"},
	{"environment", "SYSTEMD_LOG_LEVEL=err"},
	{"environment", "SYSTEMD_LOG_LEVEL=warning"},
	{"environment", "SYSTEMD_LOG_LEVEL=notice"},
	{"environment", "SYSTEMD_LOG_LEVEL=3"},
	{"environment", "SYSTEMD_LOG_LEVEL=emerg"},
	{"environment", "SYSTEMD_LOG_LEVEL="},
	{"environment", "SYSTEMD_LOG_LEVEL=loud"},
	{"environment", "SYSTEMD_LOG_LEVEL=08"},
	{"environment", "SYSTEMD_LOG_LEVEL=0x3"},
	{"environment", "SYSTEMD_LOG_LEVEL=-1"},
	{"environment", "SYSTEMD_LOG_LEVEL=+3"},
	{"environment", "SYSTEMD_LOG_LEVEL=0b11"},
	{"environment", "SYSTEMD_LOG_LEVEL=INFO"},
	{"environment", "SYSTEMD_LOG_LEVEL=console:err"},
	{"environment", "SYSTEMD_LOG_LEVEL=console:info,err"},
	{"environment", "SYSTEMD_LOG_LEVEL=err,info"},
	{"environment", "SYSTEMD_LOG_LEVEL=journal:err"},
	{"environment", "SYSTEMD_LOG_LEVEL=err,foo"},
	{"environment", "SYSTEMD_LOG_LEVEL=foo,err"},
	{"environment", "SYSTEMD_LOG_LEVEL=err,,info"},
	{"environment", "SYSTEMD_LOG_LEVEL=err,foo:info"},
	{"environment", "SYSTEMD_LOG_LEVEL=console:"},
	{"environment", "SYSTEMD_LOG_LEVEL=console-prefixed:err"},
	{"environment", "SYSTEMD_LOG_LEVEL=e\\rr"},
	{"environment", "SYSTEMD_LOG_LEVEL=err\\"},
	{"environment", "SYSTEMD_LOG_TARGET=null"},
	{"environment", "SYSTEMD_LOG_TARGET=console"},
	{"environment", "SYSTEMD_LOG_TARGET="},
	{"environment", "SYSTEMD_LOG_TARGET=syslog"},
	{"environment", "SYSTEMD_LOG_TARGET=journal"},
	{"environment", "SYSTEMD_LOG_TARGET=kmsg"},
	{"environment", "SYSTEMD_LOG_TARGET=console-prefixed"},
	{"environment", "SYSTEMD_LOG_TARGET=Console"},
	{"environment", "SYSTEMD_LOG_TARGET=x SYSTEMD_LOG_LEVEL=err"},
	{"environment", "SYSTEMD_LOG_TARGET=x SYSTEMD_LOG_LEVEL=x SYSTEMD_LOG_COLOR=x SYSTEMD_LOG_TIME=x SYSTEMD_LOG_TID=x SYSTEMD_LOG_LOCATION=x SYSTEMD_LOG_RATELIMIT_KMSG=x"},
	{"environment", "SYSTEMD_LOG_COLOR=1"},
	{"environment", "SYSTEMD_LOG_COLOR="},
	{"environment", "SYSTEMD_LOG_COLOR=maybe"},
	{"environment", "SYSTEMD_LOG_TIME=0"},
	{"environment", "SYSTEMD_LOG_TID=0"},
	{"environment", "SYSTEMD_LOG_LOCATION=0"},
	{"environment", "SYSTEMD_COLORS=1"},
	{"environment", "SYSTEMD_COLORS=256"},
	{"environment", "SYSTEMD_COLORS=16"},
	{"environment", "SYSTEMD_COLORS=24bit"},
	{"environment", "SYSTEMD_COLORS=1 COLORTERM=truecolor"},
	{"environment", "SYSTEMD_COLORS=1 COLORTERM=24bit"},
	{"environment", "SYSTEMD_COLORS=1 COLORTERM=x"},
	{"environment", "SYSTEMD_COLORS=1 TERM=linux"},
	{"environment", "SYSTEMD_COLORS=24bit TERM=linux"},
	{"environment", "SYSTEMD_COLORS=1 TERM="},
	{"environment", "SYSTEMD_COLORS=auto-16"},
	{"environment", "SYSTEMD_COLORS=pink"},
	{"environment", "NO_COLOR= SYSTEMD_COLORS=yes"},
	{"environment", "SYSTEMD_UTF8=0"},
	{"environment", "LC_ALL=C SYSTEMD_UTF8=1"},
	{"environment", "LC_ALL=C"},
	{"environment", "LANG=POSIX"},
	{"environment", "LANG=de_DE.ISO-8859-1"},
	{"environment", "LANG=C LC_CTYPE=C.UTF-8"},
	{"environment", "SYSTEMD_EMOJI=1"},
	{"environment", "TERM=xterm-256color"},
	{"environment", "COLUMNS=20"},
	{"environment", "SYSTEMD_PAGER=false"},
	{"environment", "SYSTEMD_IN_CHROOT=1"},
	{"environment", "SYSTEMD_IN_CHROOT=0"},
	{"environment", "SYSTEMD_IN_CHROOT=x"},
	{"environment", "SYSTEMD_IGNORE_CHROOT=1"},
	{"environment", "SYSTEMD_IGNORE_CHROOT=0"},
	{"environment", "SYSTEMD_OFFLINE=1"},
	{"environment", "SYSTEMD_OFFLINE=perhaps"},
	{"environment", "SYSTEMD_OFFLINE=YES SYSTEMD_IN_CHROOT=f"},
	{"environment", "SYSTEMD_INVOKED_AS=systemctl"},
	{"environment", "SYSTEMD_INVOKED_AS=foo"},
	{"home", "XDG_RUNTIME_DIR=/run/user/0"},
	{"home", "XDG_RUNTIME_DIR="},
	{"home", "XDG_CONFIG_HOME=/cfg"},
	{"home", "XDG_CONFIG_HOME="},
	{"home", "XDG_DATA_HOME=/data"},
	{"home", "XDG_CONFIG_DIRS=/c1:/c2 XDG_DATA_DIRS=/d1:/d2"},
	{"home", "XDG_CONFIG_DIRS= XDG_DATA_DIRS="},
	{"home", "XDG_CONFIG_DIRS=/c1:/etc"},
	{"home", "HOME=/h"},
	{"home", "HOME=/h/"},
	{"home", "XDG_RUNTIME_DIR=rel"},
	{"home", "XDG_RUNTIME_DIR=/run//user/0/"},
	{"home", "XDG_CONFIG_HOME=rel"},
	{"home", "XDG_CONFIG_HOME=/cfg//"},
	{"home", "XDG_DATA_HOME=./rel"},
	{"home", "XDG_CONFIG_DIRS=c1"},
	{"home", "XDG_CONFIG_DIRS=./c1/:"},
	{"home", "XDG_DATA_DIRS=d1"},
	{"home", "XDG_DATA_DIRS=:"},
	{"home", "XDG_DATA_DIRS=:d1::/d2"},
	{"home", "HOME="},
	{"home", "HOME=h"},
	{"home", "HOME=."},
	{"home", "HOME=/"},
	{"home", "SYSTEMD_UNIT_PATH="},
	{"home", "SYSTEMD_UNIT_PATH=d1/systemd/user"},
	{"home", "SYSTEMD_UNIT_PATH=/d1/systemd/user"},
	{"home", "SYSTEMD_UNIT_PATH=/d1/systemd/user:"},
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	out, in := outside(t), inside(t)
	for _, e := range environments {
		t.Run(e.env, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + e.archive + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseCase(data)
			if err != nil {
				t.Fatal(err)
			}
			s.env = strings.Fields(e.env)
			for n, st := range []*stage{out, in} {
				if st.chrooted && strings.Contains(e.env, "CHROOT=") && !strings.Contains(e.env, "SYSTEMD_OFFLINE") {
					// What the reference makes of a chroot that is none is TestPlaces'.
					continue
				}
				for _, c := range s.commands {
					if !oracle.Chosen(e.env+" "+strings.Join(c, " "), uint32(n), 30) {
						continue
					}
					one := *s
					one.commands = [][]string{c}
					if d := one.compare(t, st); d != "" {
						t.Error(d)
					}
				}
			}
		})
	}
}

// TestDefaultTarget has default.target be all that it should not.
func TestDefaultTarget(t *testing.T) {
	stages := []*stage{outside(t), inside(t)}
	for _, f := range []file{
		{target: "nowhere.target"}, {target: "default.target"}, {target: "/opt/x.target"}, {target: "x.service"},
		{target: "/usr/lib/systemd/system/x@.target"}, {target: "/usr/lib/systemd/system/x@i.target"},
		{target: "../../../usr/lib/systemd/system/x.target"}, {target: "/dev/null"}, {target: "/nowhere"}, {target: "foo"},
		{text: "[Unit]\n"}, {text: ""}, {text: "[Unit\n"}, {kind: os.ModeDir},
	} {
		f.path = etc + "default.target"
		var s scenario
		s.add(f)
		s.link(usr+"default.target", "x.target")
		s.file(usr+"x.target", "[Unit]\n")
		s.file(usr+"x@.target", "[Unit]\n")
		s.file(usr+"x.service", "[Unit]\n")
		s.file("/opt/x.target", "[Unit]\n")
		for _, c := range []string{"get-default", "set-default x", "list-unit-files", "is-enabled default.target", "disable default.target",
			"enable default.target", "revert default.target", "mask default.target", "unmask default.target", "add-wants default.target x.service"} {
			s.commands = [][]string{strings.Fields(c)}
			for _, st := range stages {
				if d := s.compare(t, st); d != "" {
					t.Errorf("%+v: %s", f, d)
				}
			}
		}
	}
}
