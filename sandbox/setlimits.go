package sandbox

import (
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/unit"
)

func strerror(err error) string { return sys.Strerror(sys.Errno(err)) }

// capabilityNames are those of capabilities(7) by number.
var capabilityNames = [...]string{"cap_chown", "cap_dac_override", "cap_dac_read_search", "cap_fowner", "cap_fsetid", "cap_kill",
	"cap_setgid", "cap_setuid", "cap_setpcap", "cap_linux_immutable", "cap_net_bind_service", "cap_net_broadcast", "cap_net_admin",
	"cap_net_raw", "cap_ipc_lock", "cap_ipc_owner", "cap_sys_module", "cap_sys_rawio", "cap_sys_chroot", "cap_sys_ptrace",
	"cap_sys_pacct", "cap_sys_admin", "cap_sys_boot", "cap_sys_nice", "cap_sys_resource", "cap_sys_time", "cap_sys_tty_config",
	"cap_mknod", "cap_lease", "cap_audit_write", "cap_audit_control", "cap_setfcap", "cap_mac_override", "cap_mac_admin",
	"cap_syslog", "cap_wake_alarm", "cap_block_suspend", "cap_audit_read", "cap_perfmon", "cap_bpf", "cap_checkpoint_restore"}

// allOfThem is what "all" is among capabilities.
const allOfThem = ^uint64(0)

// capabilities parses a list of capabilities, by names or numbers, separated by commas.
func (c *Call) capabilities(v string) (uint64, error) {
	if v == "help" {
		return 0, c.names(capabilityNames[:])
	}
	var set uint64
	for w := range strings.SplitSeq(v, ",") {
		if w == "" {
			continue
		}
		if w == "all" {
			set = allOfThem
			continue
		}
		n := capability(w)
		if n < 0 {
			var err error
			if n, err = strconv.Atoi(w); err != nil || n < 0 || n > 62 {
				return 0, cli.Usage("Failed to parse capability " + w + ".")
			}
		}
		set |= 1 << n
	}
	return set, nil
}

// capability is the number of a capability, -1 if there is none of that name.
func capability(name string) int { return slices.Index(capabilityNames[:], strings.ToLower(name)) }

func setCapability(c *Call, v string) error {
	set, err := c.capabilities(v)
	c.Opt.retain |= set
	c.Opt.given |= givenCapability
	return err
}

func setDropCapability(c *Call, v string) error {
	set, err := c.capabilities(v)
	c.Opt.drop |= set
	c.Opt.given |= givenCapability
	return err
}

func setAmbientCapability(c *Call, v string) error {
	set, err := c.capabilities(v)
	c.Opt.ambient |= set
	c.Opt.given |= givenCapability
	return err
}

// rlimitNames are those of setrlimit(2) in the order of the reference's list; the number is RLIMIT_*.
var rlimitNames = [...]struct {
	name   string
	number int
}{{"CPU", unix.RLIMIT_CPU}, {"FSIZE", unix.RLIMIT_FSIZE}, {"DATA", unix.RLIMIT_DATA}, {"STACK", unix.RLIMIT_STACK},
	{"CORE", unix.RLIMIT_CORE}, {"RSS", unix.RLIMIT_RSS}, {"NPROC", unix.RLIMIT_NPROC}, {"NOFILE", unix.RLIMIT_NOFILE},
	{"MEMLOCK", unix.RLIMIT_MEMLOCK}, {"AS", unix.RLIMIT_AS}, {"LOCKS", unix.RLIMIT_LOCKS}, {"SIGPENDING", unix.RLIMIT_SIGPENDING},
	{"MSGQUEUE", unix.RLIMIT_MSGQUEUE}, {"NICE", unix.RLIMIT_NICE}, {"RTPRIO", unix.RLIMIT_RTPRIO}, {"RTTIME", unix.RLIMIT_RTTIME}}

// rlimitOf is the number of a limit, -1 if there is no such.
func rlimitOf(name string) int {
	for _, l := range rlimitNames {
		if l.name == name {
			return l.number
		}
	}
	return -1
}

func setRlimit(c *Call, v string) error {
	if v == "help" {
		for _, l := range rlimitNames {
			c.print(l.name + "\n")
		}
		return Exit(0)
	}
	name, value, ok := strings.Cut(v, "=")
	if !ok {
		return cli.Usage("--rlimit= expects an '=' assignment.")
	}
	n := rlimitOf(strings.TrimPrefix(name, "RLIMIT_"))
	if n < 0 {
		return cli.Usage("Unknown resource limit: " + name)
	}
	l, err := rlimit(n, value)
	if err != nil {
		return cli.Usage("Failed to parse resource limit: " + value)
	}
	c.Opt.rlimits[n] = l
	c.Opt.given |= givenRlimit << n
	return nil
}

// rlimit parses SOFT:HARD or one value for both. EILSEQ: the soft limit is above the hard one.
func rlimit(number int, v string) (*unix.Rlimit, error) {
	name := ""
	for _, l := range rlimitNames {
		if l.number == number {
			name = l.name
		}
	}
	soft, hard, two := strings.Cut(v, ":")
	if !two {
		hard = soft
	}
	s, err := unit.Limit(name, soft)
	if err != nil {
		return nil, err
	}
	h, err := unit.Limit(name, hard)
	if err == nil && s > h {
		err = unix.EILSEQ
	}
	return &unix.Rlimit{Cur: s, Max: h}, err
}

func setOOMScoreAdjust(c *Call, v string) error {
	n, err := unit.Signed(v, 32)
	if err != nil || n < -1000 || n > 1000 {
		return cli.Usage("Failed to parse --oom-score-adjust= parameter: " + v)
	}
	score := int(n)
	c.Opt.oomScoreAdjust = &score
	c.Opt.given |= givenOOMScoreAdjust
	return nil
}

func setAffinity(c *Call, v string) error {
	set, err := cpus(v)
	if err != nil {
		return cli.Usage("Failed to parse CPU affinity mask " + v + ": " + strerror(err))
	}
	if v == "" {
		set = nil
	}
	c.Opt.affinity = set
	c.Opt.given |= givenAffinity
	return nil
}

// cpus parses numbers and ranges of CPUs, separated by commas or blanks.
func cpus(v string) (*unix.CPUSet, error) {
	var set unix.CPUSet
	for _, w := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		first, last, ranged := strings.Cut(w, "-")
		a, err := strconv.ParseUint(first, 10, 31)
		if err != nil {
			return nil, unix.EINVAL
		}
		b := a
		if ranged {
			if b, err = strconv.ParseUint(last, 10, 31); err != nil {
				return nil, unix.EINVAL
			}
		}
		if a > b {
			return nil, unix.EINVAL
		}
		if b >= uint64(len(set)*strconv.IntSize) {
			return nil, unix.ERANGE
		}
		for ; a <= b; a++ {
			set.Set(int(a))
		}
	}
	return &set, nil
}

// personalityKnown tells whether this machine can run programs of an architecture of that name.
func personalityKnown(v string) bool {
	switch runtime.GOARCH {
	case "amd64":
		return v == "x86-64" || v == "x86"
	case "386":
		return v == "x86"
	case "arm64":
		return v == "arm64" || v == "arm"
	case "ppc64le":
		return v == "ppc64-le"
	case "s390x":
		return v == "s390x" || v == "s390"
	}
	return v == runtime.GOARCH
}

// personalities that are not the machine's own.
const perLinux32 = 0x0008

func personalityOf(v string) *uint {
	p := uint(0)
	switch v {
	case "":
		return nil
	case "x86", "arm", "s390":
		p = perLinux32
	}
	return &p
}

// signalNumber parses a signal's name, with SIG or without, or its number; 0 is none, and noSignal a number that is no signal's.
func signalNumber(v string) int {
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		if n > 0 && n <= 64 {
			return int(n)
		}
		return noSignal
	}
	name := strings.TrimPrefix(v, "SIG")
	for _, base := range []struct {
		name string
		n    int
		sign int
	}{{"RTMIN", 34, 1}, {"RTMAX", 64, -1}} {
		if rest, ok := strings.CutPrefix(name, base.name); ok {
			if rest == "" {
				return base.n
			}
			n, err := strconv.Atoi(rest[1:])
			if err != nil || rest[0] != "+-"[(1-base.sign)/2] {
				return 0
			}
			if n > 30 {
				return noSignal
			}
			return base.n + base.sign*n
		}
	}
	return int(unix.SignalNum("SIG" + name))
}

const noSignal = -1

// signalNames are the names of all signals in the order of their numbers.
func signalNames() []string {
	l := []string{"0"}
	for n := 1; n <= 64; n++ {
		switch {
		case n < 32:
			l = append(l, strings.TrimPrefix(unix.SignalName(unix.Signal(n)), "SIG"))
		case n < 34: // the C library's own
			l = append(l, strconv.Itoa(n))
		default:
			l = append(l, "RTMIN+"+strconv.Itoa(n-34))
		}
	}
	return l
}
