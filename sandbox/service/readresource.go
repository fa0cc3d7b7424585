package service

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/clock"
	"ctl/internal/unit"
)

// Readers of what a cgroup limits. The values are kept as they are written, for whoever has a cgroup to set.

// resourceSettings are those of systemd.resource-control(5).
var resourceSettings = [...]setting{
	{"Slice", (*line).slice, Note},
	{"AllowedCPUs", (*line).cpuSet, Lacking},
	{"StartupAllowedCPUs", (*line).cpuSet, Note},
	{"AllowedMemoryNodes", (*line).cpuSet, Lacking},
	{"StartupAllowedMemoryNodes", (*line).cpuSet, Note},
	{"CPUSetPartition", func(l *line) { l.keepWord("", "member", "root", "isolated") }, Lacking},
	{"CPUWeight", func(l *line) { l.weight(true) }, Lacking},
	{"StartupCPUWeight", func(l *line) { l.weight(true) }, Note},
	{"CPUQuota", (*line).cpuQuota, Lacking},
	{"CPUQuotaPeriodSec", (*line).cpuPeriod, Lacking},
	{"MemoryAccounting", (*line).keepBoolean, Note},
	{"MemoryMin", (*line).memory, Lacking},
	{"MemoryLow", (*line).memory, Lacking},
	{"StartupMemoryLow", (*line).memory, Note},
	{"MemoryHigh", (*line).memory, Lacking},
	{"StartupMemoryHigh", (*line).memory, Note},
	{"MemoryMax", (*line).memory, Lacking},
	{"StartupMemoryMax", (*line).memory, Note},
	{"MemorySwapMax", (*line).memory, Lacking},
	{"StartupMemorySwapMax", (*line).memory, Note},
	{"MemoryZSwapMax", (*line).memory, Lacking},
	{"StartupMemoryZSwapMax", (*line).memory, Note},
	{"MemoryZSwapWriteback", (*line).keepBoolean, Lacking},
	{"DeviceAllow", (*line).deviceAllow, Unsafe},
	{"DevicePolicy", (*line).devicePolicy, Unsafe},
	{"IOAccounting", (*line).keepBoolean, Note},
	{"IOWeight", func(l *line) { l.weight(false) }, Lacking},
	{"StartupIOWeight", func(l *line) { l.weight(false) }, Note},
	{"IODeviceWeight", (*line).deviceWeight, Lacking},
	{"IOReadBandwidthMax", (*line).deviceLimit, Lacking},
	{"IOWriteBandwidthMax", (*line).deviceLimit, Lacking},
	{"IOReadIOPSMax", (*line).deviceLimit, Lacking},
	{"IOWriteIOPSMax", (*line).deviceLimit, Lacking},
	{"IODeviceLatencyTargetSec", (*line).deviceLatency, Lacking},
	{"TasksAccounting", (*line).keepBoolean, Note},
	{"TasksMax", (*line).tasksMax, Lacking},
	{"Delegate", (*line).delegate, Lacking},
	{"DelegateSubgroup", (*line).delegateSubgroup, Lacking},
	{"DisableControllers", (*line).disableControllers, Note},
	{"IPAccounting", (*line).keepBoolean, Note},
	{"IPAddressAllow", (*line).prefixes, Unsafe},
	{"IPAddressDeny", (*line).prefixes, Unsafe},
	{"IPIngressFilterPath", (*line).pathUnused, Unsafe},
	{"IPEgressFilterPath", (*line).pathUnused, Unsafe},
	{"ManagedOOMSwap", func(l *line) { l.managedOOM("auto", "kill") }, Note},
	{"ManagedOOMMemoryPressure", func(l *line) { l.managedOOM("auto", "kill") }, Note},
	{"ManagedOOMMemoryPressureLimit", (*line).pressureLimit, Note},
	{"ManagedOOMMemoryPressureDurationSec", (*line).pressureDuration, Note},
	{"ManagedOOMPreference", func(l *line) { l.keepWord("none", "avoid", "omit") }, Note},
	{"OOMRules", (*line).oomRules, Note},
	{"BPFProgram", (*line).bpfProgram, Unsafe},
	{"SocketBindAllow", (*line).socketBind, Unsafe},
	{"SocketBindDeny", (*line).socketBind, Unsafe},
	{"RestrictNetworkInterfaces", (*line).interfaces, Unsafe},
	{"MemoryPressureThresholdSec", (*line).secondsUnused, Note},
	{"MemoryPressureWatch", (*line).pressureWatch, Note},
	{"CPUPressureThresholdSec", (*line).secondsUnused, Note},
	{"CPUPressureWatch", (*line).pressureWatch, Note},
	{"IOPressureThresholdSec", (*line).secondsUnused, Note},
	{"IOPressureWatch", (*line).pressureWatch, Note},
	{"NFTSet", (*line).nftSet, Lacking},
	{"CoredumpReceive", (*line).keepBoolean, Note},
	{"BindNetworkInterface", (*line).bindInterface, Lacking},
}

// keep records a setting of the cgroup; an empty value takes those before it away.
func (l *line) keep() {
	r := l.resources
	if l.value == "" {
		r.Cgroup = slices.DeleteFunc(r.Cgroup, func(have [2]string) bool { return have[0] == l.key })
		return
	}
	r.Cgroup = append(r.Cgroup, [2]string{l.key, l.value})
}

// keepIf records a value that is one; err says what is wrong with it.
func (l *line) keepIf(err error) {
	if err != nil {
		l.bad(err)
		return
	}
	l.keep()
}

func (l *line) keepBoolean() {
	if _, ok := unit.Boolean(l.value); !ok {
		l.bad(syscall.EINVAL)
		return
	}
	l.keep()
}

func (l *line) keepWord(words ...string) {
	if !slices.Contains(words, l.value) {
		l.bad(syscall.EINVAL)
		return
	}
	l.keep()
}

func (l *line) slice() {
	s, ok := l.expandBare(l.value)
	switch {
	case !ok:
	case !unit.Valid(s, unit.Plain|unit.Instance):
		l.warn("Failed to load slice unit " + s + ", ignoring: Unit name " + s + " is not valid.")
	case unit.Type(s) != "slice":
		l.warn("Failed to assign slice " + s + " to unit " + l.unit.Name + ", ignoring: Invalid argument")
	default:
		l.resources.Slice = s
	}
}

func (l *line) cpuSet() {
	if _, ok := l.numberSet(nil); ok {
		l.keep()
	}
}

// weight reads a share of the processor or of input and output.
func (l *line) weight(idle bool) {
	if l.value == "" || l.value == "idle" && idle {
		l.keep()
		return
	}
	n, err := unit.Unsigned(l.value, 64)
	if err == nil && (n < 1 || n > 10000) {
		err = syscall.ERANGE
	}
	l.keepIf(err)
}

func (l *line) cpuQuota() {
	if n, ok := unit.Hundredths(l.value); l.value != "" && (!ok || n == 0) {
		l.warn("Invalid CPU quota '" + l.value + "', ignoring.")
		return
	}
	l.keep()
}

// share is hundredths of at most all.
func share(s string) bool {
	n, ok := unit.Hundredths(s)
	return ok && n <= 10000
}

func (l *line) cpuPeriod() {
	if l.value != "" {
		if _, err := clock.ParseSpan(l.value, clock.Second); err != nil {
			l.bad(err)
			return
		}
	}
	l.keep()
}

func (l *line) memory() {
	if l.value == "" || l.value == "infinity" || share(l.value) {
		l.keep()
		return
	}
	n, err := unit.Size(l.value, 1024)
	switch {
	case err != nil:
		l.warn("Invalid memory limit '" + l.value + "', ignoring: " + strerror(err))
	case n == 0 && (strings.HasSuffix(l.key, "MemoryMax") || strings.HasSuffix(l.key, "MemoryHigh")):
		l.warn("Memory limit '" + l.value + "' out of range, ignoring.")
	default:
		l.keep()
	}
}

func (l *line) tasksMax() {
	if l.value == "" || l.value == "infinity" || share(l.value) {
		l.keep()
		return
	}
	n, err := unit.Unsigned(l.value, 64)
	switch {
	case err != nil:
		l.warn("Invalid maximum tasks value '" + l.value + "', ignoring: " + strerror(err))
	case n == 0:
		l.warn("Maximum tasks value '" + l.value + "' out of range, ignoring.")
	default:
		l.keep()
	}
}

func (l *line) deviceAllow() {
	if l.value == "" {
		l.keep()
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	if err != nil {
		l.warn("Failed to extract device path and rights from '" + l.value + "', ignoring.")
		return
	}
	device, rights := words[0], strings.Join(words[1:], " ")
	device, ok := l.expand(device)
	if !ok {
		return
	}
	rights = strings.Trim(rights, " \t")
	switch {
	case !strings.HasPrefix(device, "block-") && !strings.HasPrefix(device, "char-") && (!devicePath(device) || !normalized(device)):
		l.warn("Invalid device node path '" + device + "', ignoring.")
	case strings.Trim(rights, "rwm") != "":
		l.warn("Invalid device rights '" + rights + "', ignoring.")
	default:
		l.resources.Cgroup = append(l.resources.Cgroup, [2]string{l.key, strings.TrimSpace(device + " " + rights)})
	}
}

// devicePath tells whether p is below one of the directories where devices are.
func devicePath(p string) bool {
	return strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/run/systemd/inaccessible/")
}

func (l *line) devicePolicy() {
	l.keepWord("auto", "closed", "strict")
}

// perDevice takes a device and what is said of it apart.
func (l *line) perDevice(what string) (device, value string, ok bool) {
	if _, err := unit.Words(l.value, unit.Unquote); err != nil {
		l.warn("Failed to extract device " + strings.Replace(what, " or ", " and ", 1) + " from '" + l.value + "', ignoring.")
		return "", "", false
	}
	device, value, found := strings.Cut(l.value, " ")
	value = strings.Trim(value, " \t")
	if !found || value == "" {
		l.warn("Invalid device " + what + " specified in '" + l.value + "', ignoring.")
		return "", "", false
	}
	return device, value, true
}

func (l *line) deviceWeight() {
	if l.value == "" {
		l.keep()
		return
	}
	device, value, ok := l.perDevice("path or weight")
	if !ok {
		return
	}
	n, err := unit.Unsigned(value, 64)
	if err == nil && (n < 1 || n > 10000) {
		err = syscall.ERANGE
	}
	if err != nil {
		l.warn("IO weight '" + value + "' invalid, ignoring: " + strerror(err))
	} else if _, ok := l.absolute(device, false); ok {
		l.keep()
	}
}

func (l *line) deviceLimit() {
	if l.value == "" {
		l.keep()
		return
	}
	device, value, ok := l.perDevice("node or bandwidth")
	if !ok {
		return
	}
	n, err := unit.Size(value, 1000)
	if value != "infinity" && (err != nil || n == 0) {
		l.warn("Invalid IO limit '" + value + "', ignoring.")
	} else if _, ok := l.absolute(device, false); ok {
		l.keep()
	}
}

func (l *line) deviceLatency() {
	if l.value == "" {
		l.keep()
		return
	}
	device, value, ok := l.perDevice("path or latency")
	if !ok {
		return
	}
	if _, err := clock.ParseSpan(value, clock.Second); err != nil {
		l.warn("Failed to parse timer value, ignoring: " + value)
	} else if _, ok := l.absolute(device, false); ok {
		l.keep()
	}
}

// controllers are those of cgroups that a service can be given.
var controllers = [...]string{"cpu", "cpuacct", "cpuset", "io", "blkio", "memory", "devices", "pids", "bpf-firewall", "bpf-devices", "bpf-foreign",
	"bpf-socket-bind", "bpf-restrict-network-interfaces", "bpf-bind-network-interface"}

func (l *line) delegate() {
	if l.service == nil {
		l.warn(l.key + "= setting not supported for this unit type, ignoring.")
		return
	}
	r := l.resources
	if l.value == "" {
		r.Delegate = []string{}
		return
	}
	if b, ok := unit.Boolean(l.value); ok {
		if r.Delegate = nil; b {
			r.Delegate = slices.Clone(controllers[:])
		}
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	if err != nil {
		defer l.invalidSyntax()
	}
	if r.Delegate == nil {
		r.Delegate = []string{}
	}
	for _, w := range words {
		if !slices.Contains(controllers[:], w) {
			l.warn("Invalid controller name '" + w + "', ignoring")
		} else if !slices.Contains(r.Delegate, w) {
			r.Delegate = append(r.Delegate, w)
		}
	}
}

func (l *line) delegateSubgroup() {
	switch {
	case l.service == nil:
		l.warn(l.key + "= setting not supported for this unit type, ignoring.")
	case l.value != "" && (strings.Contains(l.value, "/") || strings.HasPrefix(l.value, ".")):
		l.warn("Invalid control group name, ignoring: " + l.value)
	default:
		l.keep()
	}
}

func (l *line) disableControllers() {
	words, err := unit.Words(l.value, unit.Unquote)
	if err != nil || slices.ContainsFunc(words, func(w string) bool { return !slices.Contains(controllers[:], w) }) {
		l.warn("Invalid cgroup string: " + l.value + ", ignoring")
	}
}

func (l *line) prefixes() {
	if l.value == "" {
		l.keep()
		return
	}
	words, _ := unit.Words(l.value, 0)
	var good []string
	for _, w := range words {
		text, length, ranged := strings.Cut(w, "/")
		a, err := netip.ParseAddr(text)
		ok := err == nil
		if ok && ranged {
			n, err := unit.Unsigned(length, 8)
			ok = err == nil && int(n) <= a.BitLen()
		}
		if !ok && !slices.Contains([]string{"any", "localhost", "link-local", "multicast"}, w) {
			l.warn("Invalid address prefix is specified in [" + l.section + "] " + l.key + "=, ignoring assignment: " + w)
			continue
		}
		good = append(good, w)
	}
	if len(good) > 0 {
		l.resources.Cgroup = append(l.resources.Cgroup, [2]string{l.key, strings.Join(good, " ")})
	}
}

// onlyServices says of a setting that sockets do not have it.
func (l *line) onlyServices() bool {
	if l.service == nil {
		l.warn(l.key + "= is not supported for this unit type, ignoring.")
	}
	return l.service != nil
}

func (l *line) managedOOM(words ...string) {
	if l.onlyServices() && l.value != "" && !slices.Contains(words, l.value) {
		l.invalidSyntax()
	}
}

func (l *line) pressureLimit() {
	if l.onlyServices() && l.value != "" && !share(l.value) {
		l.warn("Failed to parse memory pressure limit value, ignoring: " + l.value)
	}
}

func (l *line) pressureDuration() {
	if !l.onlyServices() || l.value == "" {
		return
	}
	if v, ok := l.timeSpan(""); ok && (v < clock.Second || v == clock.Infinity) {
		l.warn(l.key + "= must be at least 1s and less than infinity, ignoring: " + l.value)
	}
}

func (l *line) oomRules() {
	if !l.onlyServices() {
		return
	}
	words, err := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	if err != nil {
		l.bad(err)
		return
	}
	for _, w := range words {
		if strings.ContainsAny(w, `\/"`) || w == "" {
			l.warn("Invalid rule name in " + l.key + "=, ignoring: " + w)
		}
	}
}

func (l *line) bpfProgram() {
	if l.value == "" {
		return
	}
	kind, p, ok := strings.Cut(l.value, ":")
	switch {
	case !ok || p == "":
		l.warn("Invalid syntax in " + l.key + "=, ignoring: " + l.value)
	case !slices.Contains([]string{"egress", "ingress", "sock_create", "sock_ops", "device", "bind4", "bind6", "connect4", "connect6",
		"post_bind4", "post_bind6", "sendmsg4", "sendmsg6", "sysctl", "recvmsg4", "recvmsg6", "getsockopt", "setsockopt"}, kind):
		l.warn("Unknown BPF attach type=" + kind + ", ignoring: " + l.value)
	case !path.IsAbs(p):
		l.absolute(p, false)
	}
}

// socketBind reads [FAMILY:][PROTOCOL:]PORTS.
func (l *line) socketBind() {
	if l.value == "" {
		l.keep()
		return
	}
	rest := l.value
	if family, after, ok := strings.Cut(rest, ":"); ok && (family == "ipv4" || family == "ipv6") {
		rest = after
	}
	if protocol, after, ok := strings.Cut(rest, ":"); ok && (protocol == "tcp" || protocol == "udp") {
		rest = after
	}
	from, to, ranged := strings.Cut(rest, "-")
	a, errA := unit.Unsigned(from, 16)
	b, errB := a, error(nil)
	if ranged {
		b, errB = unit.Unsigned(to, 16)
	}
	named := slices.Contains([]string{"any", "ipv4", "ipv6", "tcp", "udp"}, rest)
	if !named && (errA != nil || errB != nil || a > b) {
		l.warn("Unable to parse " + l.key + "= assignment, ignoring: " + l.value)
		return
	}
	l.keep()
}

func (l *line) interfaces() {
	if l.value == "" {
		l.keep()
		return
	}
	words, err := unit.Words(strings.TrimPrefix(l.value, "~"), unit.Unquote)
	if err != nil {
		defer l.warn("Trailing garbage in " + l.key + ", ignoring: " + l.value)
	}
	for _, w := range words {
		if !interfaceName(w) {
			l.warn("Invalid interface name, ignoring: " + w)
		}
	}
	l.keep()
}

// interfaceName tells whether a network device may be called so.
func interfaceName(s string) bool {
	if s == "" || len(s) > 127 || s == "." || s == ".." || s == "all" || s == "default" || strings.Trim(s, "0123456789") == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(":/%", c) >= 0 {
			return false
		}
	}
	return true
}

func (l *line) bindInterface() {
	if s, ok := l.expandBare(l.value); ok && s != "" && !interfaceName(s) {
		l.warn("Invalid interface name, ignoring: " + s)
	}
}

func (l *line) pressureWatch() {
	if _, ok := unit.Boolean(l.value); !ok && !slices.Contains([]string{"auto", "skip"}, l.value) {
		l.bad(syscall.EINVAL)
	}
}

// escapeC writes what is not printable ASCII as C does.
func escapeC(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == '"' || c == '\'':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (l *line) nftSet() {
	words, err := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	if err != nil {
		l.bad(err)
		return
	}
	for _, w := range words {
		parts := strings.Split(w, ":")
		if len(parts) != 4 || !slices.Contains([]string{"cgroup", "user", "group"}, parts[0]) ||
			!slices.Contains([]string{"arp", "bridge", "inet", "ip", "ip6", "netdev"}, parts[1]) {
			l.warn("Failed to parse NFT set " + escapeC(w) + ", ignoring")
			return
		}
	}
}
