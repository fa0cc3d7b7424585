package assign

import (
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/unit"
)

// The settings of systemd.resource-control(5).

func readWeight(key, value string) ([]manager.Assignment, error) {
	v, err := weight(value, strings.HasSuffix(key, "CPUWeight"))
	return one(key, v, err)
}

func readCPUQuota(_, value string) ([]manager.Assignment, error) {
	v, err := cpuQuota(value)
	return one("CPUQuotaPerSecUSec", v, err)
}

func readLimit(key, value string) ([]manager.Assignment, error) {
	if value == "" && (key == "MemoryMin" || key == "MemoryLow") {
		return one(key, uint64(0), nil)
	}
	v, err := limitOf(value, key != "TasksMax")
	if _, scaled := v.(uint32); scaled {
		key += "Scale"
	}
	return one(key, v, err)
}

func readPressureLimit(key, value string) ([]manager.Assignment, error) {
	v, err := scale(value)
	return one(key, v, err)
}

func readBitmap(key, value string) ([]manager.Assignment, error) {
	switch {
	case key == "CPUAffinity" && value == "numa":
		return one("CPUAffinityFromNUMA", true, nil)
	case key == "NUMAMask" && value == "all":
		value = nodes()
	}
	v, err := bitmap(value)
	return one(key, v, err)
}

// nodes are the numbers of the nodes of memory there are.
func nodes() string {
	b, err := os.ReadFile("/sys/devices/system/node/possible")
	if err != nil {
		return "0"
	}
	return strings.TrimSpace(string(b))
}

func readPrefixes(key, value string) ([]manager.Assignment, error) {
	v, err := prefixes(value)
	return one(key, v, err)
}

func readFilter(key, value string) ([]manager.Assignment, error) {
	names, deny := strings.CutPrefix(value, "~")
	l, err := unit.Words(names, unit.Unquote)
	return one(key, manager.NameFilter{Allow: !deny, Names: l}, err)
}

func readDelegate(key, value string) ([]manager.Assignment, error) {
	if b, ok := unit.Boolean(value); ok {
		return one(key, b, nil)
	}
	return readWords("DelegateControllers", value)
}

// weight reads a share of the processor or of input and output.
func weight(s string, idle bool) (any, error) {
	switch {
	case s == "":
		return uint64(clock.Infinity), nil
	case s == "idle" && idle:
		return uint64(0), nil
	}
	n, err := unit.Unsigned(s, 64)
	if err == nil && (n < 1 || n > 10000) {
		err = syscall.ERANGE
	}
	return n, err
}

// cpuQuota reads a share of one processor, as microseconds in a second.
func cpuQuota(s string) (any, error) {
	if s == "" {
		return uint64(clock.Infinity), nil
	}
	n, err := hundredths(s)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, syscall.ERANGE
	}
	return n * (clock.Second / 10000), nil
}

// hundredths reads a share, in hundredths of a percent: a percentage with at most two decimal places, permille or permyriad.
func hundredths(s string) (uint64, error) {
	places, digits := 0, ""
	for i, unit := range [...]string{"‱", "‰", "%"} {
		if d, ok := strings.CutSuffix(s, unit); ok {
			places, digits = i, d
			break
		}
	}
	whole, part, dotted := strings.Cut(digits, ".")
	if len(part) > places || whole == "" || dotted && part == "" {
		return 0, syscall.EINVAL
	}
	n, err := unit.Parsed(strconv.ParseInt(whole+part+"00"[len(part):places], 10, 32))
	if err == nil && n < 0 {
		err = syscall.ERANGE
	}
	return uint64(n), err
}

// scale reads a share of a whole that 2³²-1 stands for.
func scale(s string) (any, error) {
	n, err := hundredths(s)
	if err == nil && n > 10000 {
		err = syscall.ERANGE
	}
	return uint32((n*math.MaxUint32 + 5000) / 10000), err
}

// limitOf reads a limit: a number, which may be a size, a share of what there is, or none.
func limitOf(s string, isSize bool) (any, error) {
	if s == "" || s == "infinity" {
		return uint64(clock.Infinity), nil
	}
	if v, err := scale(s); err == nil {
		return v, nil
	}
	if isSize {
		return unit.Size(s, 1024)
	}
	return unit.Unsigned(s, 64)
}

// readPerDevice reads a device and what it is given.
func readPerDevice(key, s string) ([]manager.Assignment, error) {
	name := key
	if key == "IODeviceLatencyTargetSec" {
		name = "IODeviceLatencyTargetUSec"
	}
	l := []manager.PathNumber{}
	if s == "" {
		return one(name, l, nil)
	}
	path, value, found := strings.Cut(s, " ")
	if !found {
		return nil, invalidSyntax(key, s)
	}
	var n uint64
	var err error
	switch {
	case strings.HasSuffix(key, "Weight"):
		if n, err = unit.Unsigned(value, 64); err != nil {
			err = valueError{value, err}
		}
	case value == "infinity":
		n = clock.Infinity
	case strings.HasSuffix(key, "Sec"):
		if n, err = clock.ParseSpan(value, clock.Second); err != nil {
			err = valueError{value, err}
		}
	default:
		n, err = unit.Size(value, 1000)
	}
	return one(name, append(l, manager.PathNumber{Path: path, N: n}), err)
}

func readDeviceAllow(key, s string) ([]manager.Assignment, error) {
	l := []manager.PathText{}
	if s != "" {
		path, what, _ := strings.Cut(s, " ")
		l = append(l, manager.PathText{Path: path, Text: what})
	}
	return one(key, l, nil)
}

// bitmap reads a set of numbers and ranges, "0-2 5", a bit for each; the manager wants whole words of it.
func bitmap(s string) (any, error) {
	b := []byte{}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		from, to, isRange := strings.Cut(w, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 32)
		last, err2 := strconv.ParseUint(to, 10, 32)
		if err1 != nil || err2 != nil || last < first {
			return nil, syscall.EINVAL
		}
		if last >= 1<<13 {
			return nil, syscall.ERANGE
		}
		for n := first; n <= last; n++ {
			for uint64(len(b)) <= n/8 {
				b = append(b, make([]byte, 8)...)
			}
			b[n/8] |= 1 << (n % 8)
		}
	}
	return b, nil
}

// prefixes reads networks: addresses with or without a length, or one of the words for usual ones.
func prefixes(s string) (any, error) {
	words := strings.Fields(s)
	switch s {
	case "any":
		words = []string{"0.0.0.0/0", "::/0"}
	case "localhost":
		words = []string{"127.0.0.0/8", "::1/128"}
	case "link-local":
		words = []string{"169.254.0.0/16", "fe80::/64"}
	case "multicast":
		words = []string{"224.0.0.0/4", "ff00::/8"}
	}
	l := []manager.Prefix{}
	for _, w := range words {
		p, err := prefix(w)
		if err != nil {
			return nil, cli.Usage("Failed to parse IP address prefix '" + w + "': " + strerror(err))
		}
		l = append(l, p)
	}
	return l, nil
}

func prefix(s string) (manager.Prefix, error) {
	text, length, hasLength := strings.Cut(s, "/")
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return manager.Prefix{}, syscall.EINVAL
	}
	n := uint64(a.BitLen())
	if hasLength {
		n, err = unit.Unsigned(length, 8)
	}
	if err == nil && n > uint64(a.BitLen()) {
		err = syscall.ERANGE
	}
	if err != nil {
		return manager.Prefix{}, err
	}
	p := netip.PrefixFrom(a, int(n))
	family := int32(syscall.AF_INET)
	if p.Addr().Is6() {
		family = syscall.AF_INET6
	}
	return manager.Prefix{Family: family, Octets: p.Addr().AsSlice(), Length: uint32(p.Bits())}, nil
}
