package control

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// setUnitProperties gives properties of a unit values, which are written as in unit files.
func setUnitProperties(c *Call) error {
	m, err := c.manager()
	if err != nil {
		return err
	}
	names, _, err := c.expandNames(m, c.Args[:1], "")
	if err != nil {
		return err
	}
	var l []manager.Assignment
	for _, text := range c.Args[1:] {
		key, value, found := strings.Cut(text, "=")
		if !found {
			return cli.Usage("Not an assignment: " + text)
		}
		if isDeprecated(key) {
			c.Log(term.Warning, "D-Bus property "+key+" is deprecated, ignoring assignment: "+text)
			continue
		}
		a, err := assignment(key, value)
		switch {
		case errors.Is(err, errUnknownProperty):
			return cli.Usage("Unknown assignment: " + text)
		case strings.HasPrefix(key, "IPAddress") && err != nil:
			return err
		case errors.Is(err, errNoDevice):
			return cli.Usage("Invalid syntax for " + key + "= value: '" + value + "'")
		case strings.HasPrefix(key, "IO") && !strings.HasSuffix(key, "IOWeight") && strings.Contains(value, " ") && err != nil:
			_, value, _ = strings.Cut(value, " ")
			return Failure{"parse " + key + "= value '" + value + "'", err}
		case err != nil:
			return Failure{"parse " + key + "= value '" + value + "'", err}
		}
		l = append(l, a)
	}
	var status error
	for _, n := range names {
		if err := m.SetProperties(n, c.Opt.Runtime, l); err != nil {
			c.Log(term.Err, Failure{"set unit properties on " + n, err}.Error())
			status = Exit(1)
		}
	}
	return status
}

type unknownProperty struct{}

func (unknownProperty) Error() string { return "unknown property" }

type noDevice struct{}

func (noDevice) Error() string { return "no value for a device" }

var (
	errUnknownProperty = unknownProperty{}
	errNoDevice        = noDevice{}
)

// isDeprecated tells of settings that the manager has no use for any more.
func isDeprecated(key string) bool {
	switch key {
	case "CPUAccounting", "CPUShares", "StartupCPUShares", "MemoryLimit", "BlockIOAccounting", "BlockIOWeight",
		"StartupBlockIOWeight", "BlockIODeviceWeight", "BlockIOReadBandwidth", "BlockIOWriteBandwidth":
		return true
	}
	return false
}

// assignment reads a setting, systemd.resource-control(5) and others, as the property that it is for the manager.
func assignment(key, value string) (manager.Assignment, error) {
	name := key
	if base, ok := strings.CutSuffix(key, "Sec"); ok {
		name = base + "USec" // spans are microseconds there
	}
	var v any
	var err error
	switch key {
	case "CPUWeight", "StartupCPUWeight", "IOWeight", "StartupIOWeight":
		v, err = weight(value, strings.HasSuffix(key, "CPUWeight"))
	case "CPUQuota":
		name = "CPUQuotaPerSecUSec"
		v, err = cpuQuota(value)
	case "MemoryMin", "MemoryLow", "DefaultMemoryMin", "DefaultMemoryLow", "DefaultStartupMemoryLow", "StartupMemoryLow", "MemoryHigh",
		"StartupMemoryHigh", "MemoryMax", "StartupMemoryMax", "MemorySwapMax", "StartupMemorySwapMax", "MemoryZSwapMax",
		"StartupMemoryZSwapMax", "TasksMax":
		v, err = limitOf(value, key != "TasksMax")
		if _, scaled := v.(uint32); scaled {
			name += "Scale"
		}
	case "ManagedOOMMemoryPressureLimit":
		v, err = scale(value)
	case "IODeviceWeight", "IOReadIOPSMax", "IOWriteIOPSMax", "IOReadBandwidthMax", "IOWriteBandwidthMax", "IODeviceLatencyTargetSec":
		v, err = perDevice(key, value)
	case "DeviceAllow":
		v = deviceAllow(value)
	case "AllowedCPUs", "StartupAllowedCPUs", "AllowedMemoryNodes", "StartupAllowedMemoryNodes":
		v, err = bitmap(value)
	case "IPAddressAllow", "IPAddressDeny":
		v, err = prefixes(value)
	case "RestrictNetworkInterfaces":
		names, deny := strings.CutPrefix(value, "~")
		v, err = manager.NameFilter{Allow: !deny, Names: strings.Fields(names)}, nil
	case "Delegate":
		if b, ok := unit.Boolean(value); ok {
			v, err = b, nil
		} else {
			name, v, err = "DelegateControllers", strings.Fields(value), nil
		}
	case "IPIngressFilterPath", "IPEgressFilterPath", "After", "Before", "Requires", "Wants", "Conflicts", "SupplementaryGroups":
		v, err = strings.Fields(value), nil
	default:
		v, err = plainValue(key, value)
	}
	return manager.Assignment{Name: name, Value: v}, err
}

// plainValue reads the settings that are a word, a boolean or a time span.
func plainValue(key, value string) (any, error) {
	switch key {
	case "Description", "Slice", "DevicePolicy", "DelegateSubgroup", "ManagedOOMSwap", "ManagedOOMMemoryPressure", "ManagedOOMPreference",
		"MemoryPressureWatch", "KillMode", "CollectMode", "User", "Group", "Type", "Restart", "StandardInput", "StandardOutput",
		"StandardError", "WorkingDirectory", "RootDirectory", "ProtectHome", "ProtectSystem", "SyslogIdentifier", "PIDFile", "NotifyAccess",
		"SuccessAction", "FailureAction", "JobTimeoutAction", "OOMPolicy":
		return value, nil
	case "IOAccounting", "MemoryAccounting", "TasksAccounting", "IPAccounting", "MemoryZSwapWriteback", "CoredumpReceive", "SendSIGKILL",
		"SendSIGHUP", "RemainAfterExit", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateUsers", "NoNewPrivileges",
		"StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop", "AllowIsolate", "DefaultDependencies", "IgnoreOnIsolate":
		if b, ok := unit.Boolean(value); ok {
			return b, nil
		}
		return nil, syscall.EINVAL
	case "CPUQuotaPeriodSec", "ManagedOOMMemoryPressureDurationSec", "MemoryPressureThresholdSec", "TimeoutStartSec", "TimeoutStopSec",
		"TimeoutAbortSec", "RuntimeMaxSec", "RestartSec", "WatchdogSec", "JobTimeoutSec", "JobRunningTimeoutSec":
		if value == "" {
			return uint64(clock.Infinity), nil
		}
		return clock.ParseSpan(value, clock.Second)
	}
	return nil, errUnknownProperty
}

// weight reads a share of the processor or of input and output.
func weight(s string, idle bool) (any, error) {
	switch {
	case s == "":
		return uint64(clock.Infinity), nil
	case s == "idle" && idle:
		return uint64(0), nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err != nil:
		return nil, syscall.EINVAL
	case n < 1 || n > 10000:
		return nil, syscall.ERANGE
	}
	return n, nil
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

// hundredths reads a percentage with at most two decimal places, in hundredths of a percent.
func hundredths(s string) (uint64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	whole, part, _ := strings.Cut(digits, ".")
	if !ok || len(part) > 2 {
		return 0, syscall.EINVAL
	}
	n, err := strconv.ParseUint(whole+part+"00"[len(part):], 10, 32)
	if err != nil {
		return 0, syscall.EINVAL
	}
	return n, nil
}

// scale reads a percentage of a whole that 2³²-1 stands for.
func scale(s string) (any, error) {
	if s == "" {
		return uint32(0), nil
	}
	n, err := hundredths(s)
	if err != nil || n > 10000 {
		return nil, syscall.EINVAL
	}
	return uint32((n*math.MaxUint32 + 5000) / 10000), nil
}

// limitOf reads a limit: a number, which may be a size, a share of what there is, or none.
func limitOf(s string, isSize bool) (any, error) {
	switch {
	case s == "" || s == "infinity":
		return uint64(clock.Infinity), nil
	case strings.HasSuffix(s, "%"):
		return scale(s)
	case strings.HasPrefix(s, "-"):
		return nil, syscall.ERANGE
	case isSize:
		return size(s, 1024)
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return nil, syscall.EINVAL
	}
	return n, nil
}

// size reads a number of bytes with a unit, which is a power of base.
func size(s string, base float64) (any, error) {
	factor := 1.0
	if i := strings.IndexByte("KMGTPE", s[len(s)-1]); i >= 0 {
		factor = math.Pow(base, float64(i+1))
		s = s[:len(s)-1]
	} else {
		s = strings.TrimSuffix(s, "B")
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil && factor == 1 {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || strings.ContainsAny(s, "eExXnNiI+-_pP"):
		return nil, syscall.EINVAL
	case f*factor >= math.MaxUint64:
		return nil, syscall.ERANGE
	}
	return uint64(f * factor), nil
}

// perDevice reads a device and what it is given.
func perDevice(key, s string) (any, error) {
	l := []manager.PathNumber{}
	if s == "" {
		return l, nil
	}
	path, value, found := strings.Cut(s, " ")
	if !found {
		return nil, errNoDevice
	}
	var v any
	var err error
	switch {
	case value == "infinity":
		v = uint64(clock.Infinity)
	case strings.HasSuffix(key, "Sec"):
		v, err = clock.ParseSpan(value, clock.Second)
	case strings.HasSuffix(key, "Weight"):
		v, err = weight(value, false)
	default:
		v, err = size(value, 1000)
	}
	n, _ := v.(uint64)
	return append(l, manager.PathNumber{Path: path, N: n}), err
}

func deviceAllow(s string) any {
	l := []manager.PathText{}
	if s != "" {
		path, what, _ := strings.Cut(s, " ")
		l = append(l, manager.PathText{Path: path, Text: what})
	}
	return l
}

// bitmap reads a set of numbers and ranges, "0-2 5", a bit for each; the manager wants whole words of it.
func bitmap(s string) (any, error) {
	b := []byte{}
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		from, to, isRange := strings.Cut(w, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 13)
		last, err2 := strconv.ParseUint(to, 10, 13)
		if err1 != nil || err2 != nil || last < first {
			return nil, syscall.EINVAL
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
			return nil, cli.Usage(Failure{"parse IP address prefix '" + w + "'", err}.Error())
		}
		l = append(l, p)
	}
	return l, nil
}

func prefix(s string) (manager.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return manager.Prefix{}, syscall.EINVAL
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	family := int32(syscall.AF_INET)
	if p.Addr().Is6() {
		family = syscall.AF_INET6
	}
	return manager.Prefix{Family: family, Octets: p.Addr().AsSlice(), Length: uint32(p.Bits())}, nil
}
