package assign

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/sys"
	"ctl/internal/unit"
)

// The settings that are a word, a number or a list of words.

func readText(key, value string) ([]manager.Assignment, error) { return one(key, value, nil) }

func readBool(key, value string) ([]manager.Assignment, error) {
	if b, ok := unit.Boolean(value); ok {
		return one(key, b, nil)
	}
	return nil, syscall.EINVAL
}

// readBoolOrMore reads what was a boolean once and has more values now, in a property of its own.
func readBoolOrMore(key, value string) ([]manager.Assignment, error) {
	if b, ok := unit.Boolean(value); ok {
		return one(key, b, nil)
	}
	return one(key+"Ex", value, nil)
}

func readWords(key, value string) ([]manager.Assignment, error) {
	l, err := unit.Words(value, unit.Unquote)
	return one(key, append([]string{}, l...), err)
}

func readEscapedWords(key, value string) ([]manager.Assignment, error) {
	l, err := unit.CWords(value)
	return one(key, append([]string{}, l...), err)
}

func readPathList(key, value string) ([]manager.Assignment, error) {
	return readWords(key, strings.ReplaceAll(value, ":", " "))
}

// readWhole reads a list that is set one by one.
func readWhole(key, value string) ([]manager.Assignment, error) {
	l := []string{}
	if value != "" {
		l = append(l, value)
	}
	return one(key, l, nil)
}

// inMicroseconds is the property of a setting that is a time span.
func inMicroseconds(key string) string { return strings.TrimSuffix(key, "Sec") + "USec" }

func readSpan(key, value string) ([]manager.Assignment, error) {
	v, err := clock.ParseSpan(value, clock.Second)
	return one(inMicroseconds(key), v, err)
}

func readSpanOrNone(key, value string) ([]manager.Assignment, error) {
	if value == "" {
		return one(inMicroseconds(key), uint64(clock.Infinity), nil)
	}
	return readSpan(key, value)
}

// readTimeout reads a time for the start and for the stop.
func readTimeout(_, value string) ([]manager.Assignment, error) {
	v, err := clock.ParseSpan(value, clock.Second)
	if err != nil {
		return nil, settingError{"TimeoutStartSec", err}
	}
	return []manager.Assignment{{Name: "TimeoutStartUSec", Value: v}, {Name: "TimeoutStopUSec", Value: v}}, nil
}

func readTimer(key, value string) ([]manager.Assignment, error) {
	l := []manager.PathNumber{}
	if value == "" {
		return one("TimersMonotonic", l, nil)
	}
	v, err := clock.ParseSpan(value, clock.Second)
	return one("TimersMonotonic", append(l, manager.PathNumber{Path: key, N: v}), err)
}

func readNanoseconds(key, value string) ([]manager.Assignment, error) {
	if n, err := strconv.ParseUint(strings.TrimSuffix(value, "ns"), 10, 64); err == nil {
		return one(key, n, nil)
	}
	v, err := clock.ParseSpan(value, clock.Second)
	if v != clock.Infinity {
		v *= 1000
	}
	return one(key, v, err)
}

func readUnsigned(key, value string) ([]manager.Assignment, error) {
	n, err := unit.Unsigned(value, 32)
	return one(key, uint32(n), err)
}

func readInteger(key, value string) ([]manager.Assignment, error) {
	n, err := unit.Signed(value, 32)
	return one(key, int32(n), err)
}

func readLong(key, value string) ([]manager.Assignment, error) {
	n, err := unit.Signed(value, 64)
	return one(key, n, err)
}

func readSize(key, value string) ([]manager.Assignment, error) {
	n, err := unit.Size(value, 1024)
	return one(key, n, err)
}

func readMode(key, value string) ([]manager.Assignment, error) {
	n, err := unit.Parsed(strconv.ParseUint(value, 8, 32))
	if err == nil && n > 0o7777 {
		err = syscall.ERANGE
	}
	return one(key, uint32(n), err)
}

func readActionStatus(key, value string) ([]manager.Assignment, error) {
	if value == "" {
		return one(key, int32(-1), nil)
	}
	n, err := unit.Unsigned(value, 8)
	return one(key, int32(n), err)
}

func readSignal(key, value string) ([]manager.Assignment, error) {
	if n, err := unit.Signed(value, 32); err == nil && (n < 1 || n > unit.RTMax) {
		return nil, syscall.ERANGE
	}
	if !unit.IsSignal(value) {
		name := strings.TrimPrefix(value, "SIG")
		for _, prefix := range [...]string{"RTMIN+", "RTMAX-"} {
			if n, ok := strings.CutPrefix(name, prefix); ok {
				if _, err := unit.Unsigned(n, 32); err == nil {
					return nil, syscall.ERANGE
				}
			}
		}
		return nil, syscall.EINVAL
	}
	return one(key, unit.SignalNumber(value), nil)
}

// named is the number of a name in a list, or a number as it is written, if it is at most most.
func named(s string, most int64, names ...string) (int32, error) {
	if i := slices.Index(names, s); i >= 0 && s != "" {
		return int32(i), nil
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 || n > most {
		return 0, syscall.EINVAL
	}
	return int32(n), nil
}

// readNamedInteger reads settings of numbers that have names.
func readNamedInteger(key, value string) ([]manager.Assignment, error) {
	var n int32
	var err error
	switch key {
	case "Nice":
		var v int64
		if v, err = unit.Signed(value, 32); err == nil && (v < -20 || v > 19) {
			err = syscall.ERANGE
		}
		n = int32(v)
	case "CPUSchedulingPolicy":
		if n, err = named(value, -1, "other", "fifo", "rr", "batch", "", "idle", "", "ext"); err != nil {
			var v int64
			if v, err = unit.Signed(value, 32); err == nil && v < 0 {
				err = syscall.EINVAL
			}
			n = int32(v)
		}
	case "IOSchedulingClass":
		n, err = named(value, 7, "none", "realtime", "best-effort", "idle")
	case "IOSchedulingPriority":
		n, err = named(value, 7)
	case "SyslogFacility":
		n, err = named(value, 127, "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
			"", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")
	case "SyslogLevel", "LogLevelMax":
		n, err = named(value, 7, unit.LogLevels[:]...)
	case "NUMAPolicy":
		n, err = named(value, -1, unit.NUMAPolicies[:]...)
	case "SystemCallErrorNumber":
		n, err = errorNumber(value)
	case "SocketProtocol":
		n, err = protocol(value)
	case "IPTOS":
		n, err = typeOfService(value)
	}
	return one(key, n, err)
}

// errorNumber reads an errno, by number or name, or what kills the process instead.
func errorNumber(s string) (int32, error) {
	if s == "kill" {
		return math.MaxInt32 - 1, nil
	}
	n, err := unit.Signed(s, 32)
	switch {
	case err == nil && (n < 0 || n > 4095):
		return 0, syscall.ERANGE
	case err == nil:
		return int32(n), nil
	}
	if e := sys.ErrnoOf(s); e != 0 {
		return int32(e), nil
	}
	return 0, syscall.EINVAL
}

// protocol is the number of a protocol of a socket, protocols(5).
func protocol(s string) (int32, error) {
	switch s {
	case "":
		return 0, nil
	case "icmp":
		return syscall.IPPROTO_ICMP, nil
	case "tcp":
		return syscall.IPPROTO_TCP, nil
	case "udp":
		return syscall.IPPROTO_UDP, nil
	case "sctp":
		return syscall.IPPROTO_SCTP, nil
	case "udplite":
		return syscall.IPPROTO_UDPLITE, nil
	case "mptcp":
		return 262, nil // IPPROTO_MPTCP
	}
	return named(s, 255)
}

// typeOfService is a value of that field, ip(7).
func typeOfService(s string) (int32, error) {
	for i, name := range [...]string{"low-cost", "reliability", "throughput", "low-delay"} {
		if s == name {
			return 2 << i, nil
		}
	}
	n, err := unit.Signed(s, 32)
	if err != nil || n < 0 || n > 255 {
		return 0, syscall.EINVAL
	}
	return int32(n), nil
}

// readResource reads a limit of setrlimit(2): one value, or a soft and a hard one with a colon between.
func readResource(key, value string) ([]manager.Assignment, error) {
	soft, hard, two := strings.Cut(value, ":")
	if !two {
		hard = soft
	}
	low, err := unit.Limit(strings.TrimPrefix(key, "Limit"), soft)
	if err != nil {
		return nil, err
	}
	high, err := unit.Limit(strings.TrimPrefix(key, "Limit"), hard)
	switch {
	case err != nil:
		return nil, err
	case low > high:
		return nil, syscall.EILSEQ
	}
	return []manager.Assignment{{Name: key, Value: high}, {Name: key + "Soft", Value: low}}, nil
}
