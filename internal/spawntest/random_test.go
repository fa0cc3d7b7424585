package spawntest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// TestRandom starts containers with random options and .nspawn files with both programs, and has `ctl spawn --dry-run` say what the start
// would do: it changes nothing, and does not fail where the start does not.
func TestRandom(t *testing.T) {
	h := oracle.NewHost(t)
	count := uint64(12)
	if oracle.All() {
		count = 300
	}
	for seed := range oracle.Seeds(t, count) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := newRandomStart(seed)
			if s.differs(t, h) == "" {
				return
			}
			s = s.shrink(t, h)
			if d := s.differs(t, h); d != "" {
				t.Errorf("seed %d\n%s\n%s", seed, s, d)
			}
		})
	}
}

// A randomStart is a command line with what it needs.
type randomStart struct {
	place   string // of the .nspawn file
	pieces  []piece
	command string
}

// String is the start as testdata has it.
func (s *randomStart) String() string {
	c := s.call()
	return strings.TrimPrefix(c.Script, "exec $S $K ") + "\n  setup " + strings.ReplaceAll(strings.TrimPrefix(c.Setup, randomSetup), "\n", "\n  setup ")
}

// randomSetup is what the values of options name.
const randomSetup = `mkdir -p /tmp/d/inner /tmp/s/sub /tmp/a:b /tmp/up sub t/srv/empty t/opt /run/systemd/inaccessible/dir; echo d >/tmp/d/file; echo f >/tmp/f; ln -s data t/srv/link; ln -s /etc t/srv/abs
chown 1000:1001 /tmp/d /tmp/d/file; chmod 750 /tmp/d; mount -t tmpfs -o nosuid,nodev inner /tmp/s/sub; mkfifo /run/fifo
touch /run/systemd/inaccessible/reg; mkfifo /run/systemd/inaccessible/fifo; mknod /run/systemd/inaccessible/chr c 0 0; chmod 0 /run/systemd/inaccessible/*
`

func (s *randomStart) call() oracle.HostCall {
	c := oracle.HostCall{Setup: randomSetup, Script: "exec $S $K"}
	sections := make(map[string]string)
	for _, p := range s.pieces {
		if p.setup != "" {
			c.Setup += p.setup + "\n"
		}
		if p.section != "" {
			sections[p.section] += p.text + "\n"
		} else {
			c.Script += " " + p.text
		}
	}
	file := ""
	for _, name := range []string{"Exec", "Files", "Network"} {
		if sections[name] != "" {
			file += "[" + name + "]\n" + sections[name]
		}
	}
	if file != "" {
		c.Setup += "mkdir -p " + s.place + "; cat >" + s.place + "/t.nspawn <<'END'\n" + file + "END\n"
	}
	c.Script += " " + s.command
	return c
}

// tolerated are messages of the reference where it refuses what ctl does (the numbers are those of docs/deviations.md).
var tolerated = regexp.MustCompile(strings.Join([]string{
	`Failed to make home directory: (?:Read-only file system|Value too large|Permission denied)`, // 85
	`Failed to resolve user`, // 62, 84
	`Creating mount point for tmpfs \S+ failed: Read-only file system`,                                         // 53
	`Creating mount point for overlay \S+ failed: No such file`, `Failed to mount overlay .*lowerdir=/tmp/a:b`, // 68
	`Failed to clone \S*/var/log/journal/`, `Failed to create /var/log: Permission denied`, // 69
	`Failed to become root: Too many open files`,                 // 82
	`Failed to set up ID mapped mounts: Device or resource busy`, // 113
	`Failed to adjust OOM score: Permission denied`,              // 114
	`Failed to resolve \S+/\.\.`,                                 // 116
}, "|"))

var familiesNote = regexp.MustCompile(`(?m)^Note: .* set of permitted socket address families .*\n`)

// passing is what the reference leaves in directories of the host that are mounted where it makes something, and does to those that it mounts (50).
var passing = regexp.MustCompile(`^/(usr|usr/share|etc): new 040755|/log(/journal(/[0-9a-f]{32})?)?: new|^/var: new`)

// afterwards are messages that come before or after the one about what has failed.
var afterwards = regexp.MustCompile(`(?m)^(Machine and scope registration turned off, .*|Container \S+ failed with error code 1\.|Child died too early\.)\n`)

var limitLines = regexp.MustCompile(`(?m)^limits .*\n`)

// likened are the lines that deviations change wherever they appear.
var likened = [...]struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`^(mounts \S+: on \S+ root \.\.\./(?:reg|dir|fifo|chr)) .*`), "$1"}, // 67
	{regexp.MustCompile(`^(process NS(?:tgid|pid|pgid|sid): ).*`), "$1"},                    // 62
	{regexp.MustCompile(`^(process ids: ).*`), "$1"},                                        // 62
	{regexp.MustCompile(`^(process [ug]id_map: "0) +\d{7,} +`), "$1 N "},                    // of a name that is random too
	{regexp.MustCompile(`\b([ug]id=)\d{7,}`), "$1"},
	{regexp.MustCompile(`^(Selected user namespace base )\d{7,}`), "$1"},
	{regexp.MustCompile(`^(etc directory \S+: 040000) .*`), "$1"},                                                                        // 67
	{regexp.MustCompile(`^(tty (?:session|foreground) .*): [24] `), "$1"},                                                                // 62
	{regexp.MustCompile(`(: new (?:040755|100644)) \d+:\d+`), "$1"},                                                                      // 80
	{regexp.MustCompile(`^(etc (?:directory /|/\.\.): 040755 )(?:65534:65534|0:0)(.*?)(?:<nil>|permission denied)?$`), "$1$2"},           // 68
	{regexp.MustCompile(`^try umount /sys: .*`), "try umount /sys"},                                                                      // 51
	{regexp.MustCompile(` as the first: \S+,`), ""},                                                                                      // 75
	{regexp.MustCompile(`^(Failed to create mount point) \S+:`), "$1:"},                                                                  // 53
	{regexp.MustCompile(`^(?:Failed to mount sysfs .*|mount /sys): `), "mount /sys: "},                                                   // 53
	{regexp.MustCompile(`^Failed to mount overlay .*: No such file or directory`), "Failed to clone /nosuch: No such file or directory"}, // 53
	{regexp.MustCompile(`^(network host0: .* mac|Network interface name) .*`), "$1"},
	{regexp.MustCompile(`^Failed to mount tmpfs .*: Not a directory`), "Creating mount point for tmpfs /etc/passwd failed: Not a directory"}, // 53
	// The reference cannot clone what is on an overlayfs, which cannot have its IDs mapped either.
	{regexp.MustCompile(`^Failed to (?:clone|map ids for bind mount) \S+: Invalid argument`), "Failed to clone"},
}

// differs runs the start with both programs and as a plan, and tells what is not alike.
func (s *randomStart) differs(t *testing.T, h *oracle.Host) string {
	t.Helper()
	run := func(program string, c oracle.HostCall) oracle.HostResult {
		r, err := h.Run(program, c)
		if err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		return r
	}
	call := s.call()
	want, err := reference(h, call)
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	got := run("ctl", call)
	said := ""
	if strings.Contains(call.Setup, "RestrictAddressFamilies=") { // 115
		for _, r := range []*oracle.HostResult{&want, &got} {
			r.Stderr = familiesNote.ReplaceAllString(r.Stderr, "")
		}
	}
	if strings.Contains(call.Script, "--settings='no'") || strings.Contains(call.Script, "--settings='override'") { // 112
		for _, r := range []*oracle.HostResult{&want, &got} {
			r.Stdout = limitLines.ReplaceAllString(r.Stdout, "")
		}
	}
	for _, r := range []*oracle.HostResult{&want, &got} {
		r.Left = slices.DeleteFunc(r.Left, passing.MatchString)
		if want.Exit == 1 && got.Exit == 1 { // 84
			r.Stderr = afterwards.ReplaceAllString(r.Stderr, "")
		}
	}
	refused := want.Exit == 1 && (tolerated.MatchString(want.Stderr) || got.Exit == 1 && tolerated.MatchString(got.Stderr))
	if !refused {
		a, b := areas(want), areas(got)
		for _, m := range []map[string][]string{a, b} {
			for _, l := range likened {
				for _, area := range []string{"out", "err", "left"} {
					for i := range m[area] {
						m[area][i] = l.what.ReplaceAllString(m[area][i], l.as)
					}
				}
			}
			slices.Sort(m["err"]) // the reference has several processes
		}
		said = new(spawnCase).compare(a, b)
	}
	call.Script = strings.Replace(call.Script, "exec $S $K", "exec /ctl/ctl spawn --dry-run -o json $K", 1)
	plan := run("ctl", call)
	if len(plan.Left) > 0 {
		said += "the plan changes " + strings.Join(plan.Left, "\n") + "\n"
	}
	if plan.Exit != 0 && got.Exit == 0 || plan.Exit == 0 && !json.Valid([]byte(plan.Stdout)) {
		said += fmt.Sprintf("the plan: %d %s%s\n", plan.Exit, plan.Stdout, plan.Stderr)
	}
	return said
}

// shrink leaves out what the difference does not need.
func (s *randomStart) shrink(t *testing.T, h *oracle.Host) *randomStart {
	t.Helper()
	for again := true; again; {
		again = false
		for i := len(s.pieces) - 1; i >= 0; i-- {
			c := *s
			c.pieces = slices.Delete(slices.Clone(s.pieces), i, i+1)
			if c.differs(t, h) != "" {
				s, again = &c, true
			}
		}
	}
	return s
}

// A piece is a part of a command line, or a line of the .nspawn file if it has a section.
type piece struct{ section, text, setup string }

// A randomOption makes values for an option and, if it has a key, for that of .nspawn files.
type randomOption struct {
	option       string // with "=" if it takes a value
	section, key string
	often        int // how many may be there
	right        []string
	wrong        []string
	setup        string
}

// values that several options have.
var (
	capabilities = []string{"CAP_SYS_TIME", "sys_module,CAP_SYSLOG", "CAP_NET_ADMIN", "cap_bpf,cap_kill", "CAP_SETUID,CAP_MKNOD"}
	booleans     = []string{"yes", "no", "1", "off"}
	sources      = []string{"/etc", "/usr/share", "/tmp/d", "/tmp/f", "/tmp/s", "/tmp/d/inner", "+/srv/data", "sub", "", `/tmp/a\:b`, "/dev/null", "/run/fifo", "+/etc/passwd"}
	targets      = []string{"/mnt/a", "/mnt/a/b", "/srv", "/srv/data", "/srv/link/x", "/srv/abs/x", "/etc/passwd", "/opt/new/x", `/mnt/c\:d`, "/home", "/mnt/f", "/var", "/run/x", "/tmp/y", "/opt/../mnt/z", "/mnt/f/"}
	bindOptions  = []string{"", "", "", ":norbind", ":rbind", ":idmap", ":noidmap", ":rootidmap", ":owneridmap", ":norbind,owneridmap", ":rbind,noidmap"}
	paths        = []string{"/srv", "/srv/data", "/home", "/etc/passwd", "/srv/link", "/srv/data/file", "/usr/share", "/root"}
	udev         = "ip link add d0 address 02:00:00:00:00:01 type ifb; mkdir -p /run/udev/data; echo I:1 >/run/udev/data/n$(ip -o link show d0 | cut -d: -f1); touch /run/udev/control"
)

var randomOptions = [...]randomOption{
	{option: "-q"},
	{option: "--quiet"},
	{option: "-a"},
	{option: "--as-pid2"},
	{option: "-x", section: "Exec", key: "Ephemeral=", right: booleans},
	{option: "--ephemeral"},
	{option: "--read-only", section: "Files", key: "ReadOnly=", right: booleans, wrong: []string{"x"}},
	{option: "--volatile"},
	{option: "--volatile=", section: "Files", key: "Volatile=", right: []string{"yes", "no", "state", "overlay"}, wrong: []string{"x", "2"}},
	{option: "--pivot-root=", section: "Exec", key: "PivotRoot=", right: []string{"/inner", "/inner:/old"}, wrong: []string{"inner", "/nosuch", "/inner:old"},
		setup: "mkdir -p /tmp/c; cp -a t /tmp/c/inner; mv /tmp/c/inner t/inner; mkdir t/inner/old"},
	{option: "--chdir=", section: "Exec", key: "WorkingDirectory=", right: []string{"/usr", "/etc", "/srv/link", "/srv/data", "/tmp"}, wrong: []string{"/nosuch", "rel", "/proc/1", "/etc/passwd", "/usr/../etc"}},
	{option: "-E ", section: "Exec", key: "Environment=", often: 3, right: []string{"A=1", "B='x y'", "A=2", "HOME=/x", "TERM=vt100", "LANG=de", "container=z", "C="}},
	{option: "--setenv=", often: 2, right: []string{"D=1", "S", "NOSUCH", "PATH=/usr/bin"}, wrong: []string{"A-B=x", "1A=x", "'A B=c'", "=x"}},
	{option: "-u ", section: "Exec", key: "User=", right: []string{"ann", "root", "0", "daemon", "nobody", "1000"}, wrong: []string{"nosuch", "4711", "''"}},
	{option: "--uid=", right: []string{"ann", "1"}, wrong: []string{"a/b"}},
	{option: "--kill-signal=", section: "Exec", key: "KillSignal=", right: []string{"SIGTERM", "9", "RTMIN+3"}, wrong: []string{"x", "SIGX", "99"}},
	{option: "--notify-ready=", section: "Exec", key: "NotifyReady=", right: booleans, wrong: []string{"x"}},
	{option: "--suppress-sync=", section: "Exec", key: "SuppressSync=", right: booleans, wrong: []string{"x"}},
	{option: "-M ", right: []string{"name", "a.b-c.d", "t"}, wrong: []string{"'a b'", "a/b", "a..b"}},
	{option: "--hostname=", section: "Exec", key: "Hostname=", right: []string{"other", "b.c", "UP"}, wrong: []string{"'a b'", "-", ".a"}},
	{option: "--uuid=", section: "Exec", key: "MachineID=", right: []string{"11112222333344445555666677778888", "11112222-3333-4444-5555-666677778888"}, wrong: []string{"x", "00000000000000000000000000000000"}},
	{option: "--register=", right: []string{"no"}, wrong: []string{"x"}},
	{option: "--slice=", right: []string{"a.slice", "a"}, wrong: []string{"a/b", "x.service"}},
	{option: "--property=", right: []string{"MemoryMax=1G", "x"}},
	{option: "--private-users=", section: "Exec", key: "PrivateUsers=", right: []string{"no", "yes", "pick", "identity", "131072", "131072:65536", "65536:1000", "0"}, wrong: []string{"x", "70000:0", "1:2:3", "-1"}},
	{option: "--private-users"},
	{option: "-U"},
	{option: "--private-users-ownership=", section: "Files", key: "PrivateUsersOwnership=", right: []string{"off", "map", "auto", "chown"}, wrong: []string{"x"}},
	{option: "--private-network", section: "Network", key: "Private=", right: booleans, wrong: []string{"x"}},
	{option: "-n", section: "Network", key: "VirtualEthernet=", right: booleans, wrong: []string{"x"}},
	{option: "--network-namespace-path=", section: "Network", key: "NamespacePath=", right: []string{"/run/netns/n"}, wrong: []string{"/nosuch", "rel", "/etc/passwd"}, setup: "ip netns add n"},
	{option: "--network-interface=", section: "Network", key: "Interface=", right: []string{"d0", "d0:e0"}, wrong: []string{"nosuch", "a/b", ""}, setup: udev},
	{option: "--capability=", section: "Exec", key: "Capability=", often: 2, right: capabilities, wrong: []string{"x", "CAP_X,CAP_KILL", "all"}},
	{option: "--drop-capability=", section: "Exec", key: "DropCapability=", often: 2, right: capabilities, wrong: []string{"x", "CAP_KILL,y"}},
	{option: "--ambient-capability=", section: "Exec", key: "AmbientCapability=", right: []string{"CAP_KILL", "CAP_NET_RAW,CAP_CHOWN", "CAP_SETUID"}, wrong: []string{"CAP_SYS_TIME", "x", "all"}},
	{option: "--no-new-privileges=", section: "Exec", key: "NoNewPrivileges=", right: booleans, wrong: []string{"x"}},
	{option: "--system-call-filter=", section: "Exec", key: "SystemCallFilter=", often: 2, right: []string{"@clock", "~@keyring", "'~@mount uname'", "'bpf perf_event_open'", "~bpf", "@raw-io", "'~@swap ~kexec_load'"}, wrong: []string{"@x", "~nosuch", "x"}},
	{option: "--restrict-address-families=", section: "Exec", key: "RestrictAddressFamilies=", often: 2, right: []string{"AF_INET", "'AF_UNIX AF_INET6'", "~AF_INET", "none", "", "'~AF_NETLINK AF_PACKET'"}, wrong: []string{"x", "~AF_X"}},
	{option: "--rlimit=NOFILE=", section: "Exec", key: "LimitNOFILE=", right: []string{"100", "100:200", "infinity", "1000000000"}, wrong: []string{"x", "200:100", "-1"}},
	{option: "--rlimit=RLIMIT_CPU=", section: "Exec", key: "LimitCPU=", right: []string{"100", "1h:2h", "infinity"}, wrong: []string{"x", "2:1"}},
	{option: "--rlimit=", section: "Exec", key: "LimitSTACK=", often: 2, right: []string{"NICE=5", "AS=1T", "MEMLOCK=1M:2M", "RTTIME=1s", "CORE=1G", "NPROC=500"}, wrong: []string{"X=1", "NICE", "CORE=x", "NICE=41"}},
	{option: "--oom-score-adjust=", section: "Exec", key: "OOMScoreAdjust=", right: []string{"500", "-500", "0", "1000"}, wrong: []string{"1001", "x", "-1001"}},
	{option: "--cpu-affinity=", section: "Exec", key: "CPUAffinity=", right: []string{"0", "1", "0-1", "'0 1'", "0,1"}, wrong: []string{"x", "9", "1-0"}},
	{option: "--personality=", section: "Exec", key: "Personality=", right: []string{"x86", "x86-64"}, wrong: []string{"arm64", "x"}},
	{option: "--resolv-conf=", section: "Exec", key: "ResolvConf=", right: []string{"off", "copy-host", "copy-static", "copy-uplink", "copy-stub", "replace-host", "replace-static", "bind-host", "bind-uplink", "delete", "auto"}, wrong: []string{"x"},
		setup: "mkdir -p /run/systemd/resolve; echo uplink >/run/systemd/resolve/resolv.conf; echo stub >/run/systemd/resolve/stub-resolv.conf"},
	{option: "--timezone=", section: "Exec", key: "Timezone=", right: []string{"off", "copy", "bind", "symlink", "delete", "auto"}, wrong: []string{"x"}},
	{option: "--link-journal=", section: "Exec", key: "LinkJournal=", right: []string{"no", "auto", "guest", "try-guest", "try-host", "host"}, wrong: []string{"x"}, setup: "echo 99998888777766665555444433332222 >t/etc/machine-id; mkdir -p /var/log/journal"},
	{option: "-j"},
	{option: "--bind=", section: "Files", key: "Bind=", often: 3, right: []string{"BIND"}, wrong: []string{"/nosuch:/x", "rel", "/etc:rel", "/etc:/x:foo", "/etc:/x:rbind:y", "+/nosuch:/x"}},
	{option: "--bind-ro=", section: "Files", key: "BindReadOnly=", often: 3, right: []string{"BIND"}, wrong: []string{"/nosuch", "/etc:rel", "/etc:/x:foo,rbind"}},
	{option: "--inaccessible=", section: "Files", key: "Inaccessible=", often: 2, right: paths, wrong: []string{"/nosuch", "rel"}},
	{option: "--tmpfs=", section: "Files", key: "TemporaryFileSystem=", often: 2, right: []string{"TMPFS"}, wrong: []string{"rel", "/srv:a:b", "/x:nonsense"}},
	{option: "--overlay=", section: "Files", key: "Overlay=", often: 2, right: []string{"/etc:/tmp/up:/srv", "/etc::/srv/data", "+/srv/data::/srv/data", "/etc:/usr/share:/tmp/up:/home", `/tmp/a\:b:/tmp/up:/home`, "/etc:/tmp/up", "+/srv:sub:/mnt"}, wrong: []string{"/a", "/etc:rel:a", "/nosuch:/tmp/up:/srv"}},
	{option: "--overlay-ro=", section: "Files", key: "OverlayReadOnly=", right: []string{"/etc:/usr/share:/srv", "+/srv/data:/etc:/home", "/etc:/tmp/d"}, wrong: []string{"/a", "/etc:/nosuch:/srv"}},
	{option: "--settings=", right: []string{"yes", "no", "override", "trusted"}, wrong: []string{"x"}},
	{option: "--no-pager"},
	{option: "--system"},
}

// newRandomStart makes a start; at most one of its values is wrong, for of several either program names another (53).
func newRandomStart(seed uint64) *randomStart {
	g := rand.New(rand.NewPCG(seed, 262))
	pick := func(l ...string) string { return l[g.IntN(len(l))] }
	s := &randomStart{place: pick("/etc/systemd/nspawn", "/run/systemd/nspawn", ".")}
	wrong := g.IntN(3) == 0
	inFile := g.IntN(3) == 0
	times := make(map[int]int)
	seen := make(map[string]bool)
	for n := 1 + g.IntN(8); n > 0; n-- {
		i := g.IntN(len(randomOptions))
		o := &randomOptions[i]
		if times[i]++; times[i] > max(o.often, 1) {
			continue
		}
		p := piece{text: o.option}
		if o.setup != "" && !seen[o.setup] {
			p.setup, seen[o.setup] = o.setup, true
		}
		value := ""
		switch {
		case wrong && len(o.wrong) > 0:
			value, wrong = pick(o.wrong...), false
		case len(o.right) > 0:
			value = pick(o.right...)
		}
		switch value {
		case "BIND":
			value = pick(sources...)
			switch {
			case value == "/run/fifo": // at /etc/passwd nobody would have written what the probe reads
				value += ":/mnt/a"
			case value == "" || value == "/etc" || g.IntN(4) > 0: // the reference would empty the resolv.conf of /etc
				value += ":" + pick(targets...) + pick(bindOptions...)
			}
		case "TMPFS":
			value = pick(targets...) + pick("", ":mode=1777", ":size=1m,noexec", ":ro,nosuid", ":uid=5,gid=6,mode=700")
		}
		switch {
		case inFile && o.section != "" && g.IntN(4) > 0:
			p.section, p.text = o.section, o.key+strings.Trim(value, "'")
		case strings.HasSuffix(o.option, "=") || strings.HasSuffix(o.option, " "):
			if !strings.HasPrefix(value, "'") {
				value = "'" + value + "'"
			}
			p.text += value
		}
		s.pieces = append(s.pieces, p)
	}
	start := piece{text: "-D t"}
	switch g.IntN(12) {
	case 0:
		start.text = "-M t"
	case 1:
		start.text = "--template=t -D new"
	case 2:
		start.text = "--directory=./t/"
	}
	parts := "probe process limits environment mounts namespaces"
	switch n := g.IntN(4); {
	case n == 1 || times[2]+times[3] > 0: // with the stub, what "try" leaves behind is waited for
		parts += " dev run etc fds tty signals"
	case n == 0:
		parts = "probe all"
	case n == 2:
		parts += " network sys masks try"
	}
	switch g.IntN(10) {
	case 0:
		s.command = start.text + " -b --pipe -E PROBE=" + strings.Join(strings.Fields(parts)[1:], ",") + pick("", " a=b", " x.y=z --switch")
	case 1, 2:
		s.command = start.text + " " + parts
	default:
		s.command = start.text + " --pipe " + parts
	}
	return s
}
