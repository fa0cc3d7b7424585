package service

import (
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// socketSettings are those of section [Socket] that only sockets have, systemd.socket(5).
var socketSettings = [...]setting{
	{"ListenStream", (*line).listen, Note},
	{"ListenDatagram", (*line).listen, Note},
	{"ListenSequentialPacket", (*line).listen, Note},
	{"ListenFIFO", (*line).listenPath, Note},
	{"ListenNetlink", (*line).listenNetlink, Note},
	{"ListenSpecial", (*line).listenPath, Note},
	{"ListenMessageQueue", (*line).listenPath, Note},
	{"ListenUSBFunction", (*line).listenPath, Lacking},
	{"SocketProtocol", (*line).socketProtocol, Note},
	{"BindIPv6Only", (*line).onlyIPv6, Note},
	{"Backlog", (*line).optionUnsigned, Note},
	{"BindToDevice", (*line).bindToDevice, Note},
	{"ExecStartPre", func(l *line) { l.commands(&l.socket.StartPre) }, Note},
	{"ExecStartPost", func(l *line) { l.commands(&l.socket.StartPost) }, Note},
	{"ExecStopPre", func(l *line) { l.commands(&l.socket.StopPre) }, Note},
	{"ExecStopPost", func(l *line) { l.commands(&l.socket.StopPost) }, Note},
	{"TimeoutSec", (*line).socketTimeout, Note},
	{"SocketUser", func(l *line) { l.user(&l.socket.SocketUser) }, Note},
	{"SocketGroup", func(l *line) { l.user(&l.socket.SocketGroup) }, Note},
	{"SocketMode", func(l *line) { l.mode(&l.socket.SocketMode) }, Note},
	{"DirectoryMode", func(l *line) { l.mode(&l.socket.DirectoryMode) }, Note},
	{"Accept", func(l *line) { l.boolean(&l.socket.Accept) }, Note},
	{"FlushPending", (*line).optionBoolean, Note},
	{"Writable", (*line).optionBoolean, Note},
	{"MaxConnections", func(l *line) { l.unsigned(&l.socket.MaxConnections) }, Note},
	{"MaxConnectionsPerSource", (*line).optionUnsigned, Note},
	{"KeepAlive", (*line).optionBoolean, Note},
	{"KeepAliveTimeSec", (*line).optionSeconds, Note},
	{"KeepAliveIntervalSec", (*line).optionSeconds, Note},
	{"KeepAliveProbes", (*line).optionUnsigned, Note},
	{"DeferAcceptSec", (*line).optionSeconds, Note},
	{"NoDelay", (*line).optionBoolean, Note},
	{"Priority", (*line).optionInteger, Note},
	{"ReceiveBuffer", (*line).optionSize, Note},
	{"SendBuffer", (*line).optionSize, Note},
	{"IPTOS", (*line).typeOfService, Note},
	{"IPTTL", (*line).optionInteger, Note},
	{"Mark", (*line).optionInteger, Note},
	{"PipeSize", (*line).optionSize, Note},
	{"FreeBind", (*line).optionBoolean, Note},
	{"Transparent", (*line).optionBoolean, Note},
	{"Broadcast", (*line).optionBoolean, Note},
	{"PassCredentials", (*line).optionBoolean, Note},
	{"PassPIDFD", (*line).optionBoolean, Note},
	{"PassSecurity", (*line).optionBoolean, Note},
	{"PassPacketInfo", (*line).optionBoolean, Note},
	{"AcceptFileDescriptors", (*line).optionBoolean, Note},
	{"Timestamping", (*line).timestamping, Note},
	{"TCPCongestion", (*line).option, Note},
	{"ReusePort", (*line).optionBoolean, Note},
	{"MessageQueueMaxMessages", (*line).optionLong, Note},
	{"MessageQueueMessageSize", (*line).optionSize, Note},
	{"RemoveOnStop", func(l *line) { l.boolean(&l.socket.RemoveOnStop) }, Note},
	{"Symlinks", (*line).symlinks, Note},
	{"FileDescriptorName", (*line).descriptorName, Note},
	{"Service", (*line).socketService, Note},
	{"PassFileDescriptorsToExec", (*line).optionBoolean, Note},
	{"TriggerLimitIntervalSec", (*line).optionSeconds, Note},
	{"TriggerLimitBurst", (*line).optionUnsigned, Note},
	{"PollLimitIntervalSec", (*line).optionSeconds, Note},
	{"PollLimitBurst", (*line).optionUnsigned, Note},
	{"DeferTrigger", (*line).deferTrigger, Note},
	{"DeferTriggerMaxSec", (*line).optionSeconds, Note},
	{"XAttrEntryPoint", func(l *line) { l.attribute(&l.socket.EntryAttributes) }, Note},
	{"XAttrListen", func(l *line) { l.attribute(&l.socket.ListenAttributes) }, Note},
	{"XAttrAccept", func(l *line) { l.attribute(&l.socket.AcceptAttributes) }, Note},
	{"SmackLabel", (*line).textUnused, Lacking},
	{"SmackLabelIPIn", (*line).textUnused, Lacking},
	{"SmackLabelIPOut", (*line).textUnused, Lacking},
	{"SELinuxContextFromNet", (*line).booleanUnused, Lacking},
}

// newSocket is a socket whose unit file says nothing.
func newSocket() *Socket {
	return &Socket{Unit: newUnit(), Exec: newExec(), Kill: newKill(), SocketMode: 0o666, DirectoryMode: 0o755, MaxConnections: 64}
}

// option keeps a setting as it is written; the last one counts.
func (l *line) option() { l.optionAs(l.value) }

func (l *line) optionAs(value string) {
	o := &l.socket.Options
	*o = slices.DeleteFunc(*o, func(have [2]string) bool { return have[0] == l.key })
	*o = append(*o, [2]string{l.key, value})
}

// optionIf keeps a value that is one.
func (l *line) optionIf(err error) {
	if err != nil {
		l.bad(err)
		return
	}
	l.option()
}

func (l *line) optionBoolean() {
	b, ok := unit.Boolean(l.value)
	if !ok {
		l.bad(syscall.EINVAL)
		return
	}
	value := "no"
	if b {
		value = "yes"
	}
	l.optionAs(value)
}

func (l *line) keepOptionWord(words ...string) {
	if !slices.Contains(words, l.value) {
		l.bad(syscall.EINVAL)
		return
	}
	l.option()
}

func (l *line) optionUnsigned() {
	_, err := unit.Unsigned(l.value, 32)
	l.optionIf(err)
}

func (l *line) optionInteger() {
	_, err := unit.Signed(l.value, 32)
	l.optionIf(err)
}

func (l *line) optionLong() {
	_, err := unit.Signed(l.value, 64)
	l.optionIf(err)
}

func (l *line) optionSize() {
	_, err := unit.Size(l.value, 1024)
	l.optionIf(err)
}

func (l *line) optionSeconds() {
	if v, ok := l.timeSpan(""); ok {
		l.optionAs(strconv.FormatUint(v, 10) + "us")
	}
}

func (l *line) socketTimeout() {
	if v, ok := l.timeSpan(""); ok {
		l.socket.Timeout = forever(v)
		l.given.timeoutStart = true
	}
}

// listen reads an address of a socket: a path, an abstract name, a port, or what systemd.socket(5) has besides.
func (l *line) listen() {
	if l.value == "" {
		l.socket.Listen = nil
		return
	}
	s, ok := l.expand(l.value)
	if !ok {
		return
	}
	if strings.HasPrefix(s, "/") {
		c := simplified(s)
		if below, ok := strings.CutPrefix(c, "/var/run/"); ok {
			l.warn(l.key + "= references a path below legacy directory /var/run/, updating " + s + " → /run/" + below + "; please update the unit file accordingly.")
			c = "/run/" + below
		}
		s = c
	}
	if !socketAddress(s) {
		l.warn("Failed to parse address value in '" + s + "', ignoring: " + strerror(syscall.EINVAL))
		return
	}
	if l.key == "ListenSequentialPacket" && !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "@") && !strings.HasPrefix(s, "vsock:") {
		l.warn("Address family not supported, ignoring: " + l.value)
		return
	}
	l.socket.Listen = append(l.socket.Listen, Listen{l.key, s})
}

func socketAddress(s string) bool {
	const maxUnix = 107
	switch {
	case strings.HasPrefix(s, "/"), strings.HasPrefix(s, "@"):
		return len(s) > 1 && len(s) <= maxUnix
	case strings.HasPrefix(s, "vsock:"):
		parts := strings.Split(s[len("vsock:"):], ":")
		return len(parts) == 2 && number32(parts[1]) && (parts[0] == "" || number32(parts[0]))
	}
	if port(s) {
		return true
	}
	if i := strings.LastIndexByte(s, '%'); i > strings.LastIndexByte(s, ']') && i > 0 { // a scope after the port
		s = s[:i]
	}
	a, err := netip.ParseAddrPort(s)
	return err == nil && a.Port() != 0
}

func number32(s string) bool {
	_, err := unit.Unsigned(s, 32)
	return err == nil
}

func port(s string) bool {
	n, err := unit.Unsigned(s, 16)
	return err == nil && n > 0
}

func (l *line) listenPath() {
	if l.value == "" {
		l.socket.Listen = nil
		return
	}
	s, ok := l.expand(l.value)
	if !ok {
		return
	}
	if s, ok = l.absolute(s, false); ok {
		l.socket.Listen = append(l.socket.Listen, Listen{l.key, s})
	}
}

func (l *line) listenNetlink() {
	if l.value == "" {
		l.socket.Listen = nil
		return
	}
	s, ok := l.expand(l.value)
	if !ok {
		return
	}
	words := strings.Fields(s)
	if len(words) == 0 || len(words) > 2 || NetlinkFamily(words[0]) < 0 || len(words) == 2 && !number32(words[1]) {
		l.warn("Failed to parse address value in '" + s + "', ignoring: " + strerror(syscall.EINVAL))
		return
	}
	l.socket.Listen = append(l.socket.Listen, Listen{l.key, s})
}

// NetlinkFamily is the number of a family of netlink(7), -1 if there is none of that name.
func NetlinkFamily(name string) int {
	names := [...]string{"route", "", "", "firewall", "", "inet-diag", "nflog", "xfrm", "selinux", "iscsi", "audit", "fib-lookup", "connector",
		"netfilter", "ip6-fw", "dnrtmsg", "kobject-uevent", "generic", "", "scsitransport", "ecryptfs", "rdma"}
	if i := slices.Index(names[:], name); i >= 0 && name != "" {
		return i
	}
	if n, err := unit.Unsigned(name, 31); err == nil {
		return int(n)
	}
	return -1
}

func (l *line) socketProtocol() {
	switch l.value {
	case "udplite", "sctp", "mptcp":
		l.option()
	case "":
		l.bad(syscall.EPROTONOSUPPORT)
	default:
		if _, err := strconv.Atoi(l.value); err == nil || slices.Contains([]string{"ip", "icmp", "tcp", "udp", "igmp", "ipv6", "ipv6-icmp"}, l.value) {
			l.bad(syscall.EPROTONOSUPPORT)
			return
		}
		l.bad(syscall.EINVAL)
	}
}

// onlyIPv6 reads BindIPv6Only=, which was a boolean once.
func (l *line) onlyIPv6() {
	if b, ok := unit.Boolean(l.value); ok {
		l.optionAs(map[bool]string{true: "ipv6-only", false: "both"}[b])
		return
	}
	l.keepOptionWord("default", "both", "ipv6-only")
}

func (l *line) bindToDevice() {
	s, ok := l.expandBare(l.value)
	switch {
	case !ok:
	case s != "" && (!interfaceName(s) || len(s) >= unix.IFNAMSIZ):
		l.warn("Invalid interface name, ignoring: " + s)
	default:
		l.optionAs(s)
	}
}

func (l *line) typeOfService() {
	if n, err := unit.Signed(l.value, 32); slices.Contains([]string{"low-cost", "reliability", "throughput", "low-delay"}, l.value) ||
		err == nil && n >= 0 && n <= 255 || l.value == "" {
		l.option()
		return
	}
	l.bad(syscall.EINVAL)
}

func (l *line) timestamping() {
	value := l.value
	switch value {
	case "µs", "us", "usec", "μs":
		value = "us"
	case "ns", "nsec":
		value = "ns"
	case "off":
	default:
		b, ok := unit.Boolean(value)
		if !ok {
			l.bad(syscall.EINVAL)
			return
		}
		if value = "off"; b {
			value = "us"
		}
	}
	l.optionAs(value)
}

func (l *line) symlinks() {
	if l.value == "" {
		l.socket.Symlinks = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	if err != nil {
		defer l.invalidSyntax()
	}
	for _, w := range words {
		s, ok := l.expand(w)
		if !ok {
			continue
		}
		if !path.IsAbs(s) {
			l.absolute(s, false)
			return // nothing behind it is read
		}
		l.socket.Symlinks = append(l.socket.Symlinks, simplified(s))
	}
}

func (l *line) descriptorName() {
	s, ok := l.expand(l.value)
	switch {
	case !ok:
	case !validFDName(s):
		l.warn("Invalid file descriptor name, ignoring: " + s)
	default:
		l.socket.FDName = s
	}
}

func (l *line) socketService() {
	s, ok := l.expandBare(l.value)
	switch {
	case !ok:
	case unit.Type(s) != "service":
		l.warn("Unit must be of type service, ignoring: " + l.value)
	default:
		l.socket.Service = s
	}
}

func (l *line) deferTrigger() {
	if _, ok := unit.Boolean(l.value); !ok && l.value != "patient" {
		l.bad(syscall.EINVAL)
		return
	}
	l.option()
}

func (l *line) attribute(p *[][2]string) {
	if l.value == "" {
		*p = nil
		return
	}
	name, value, ok := strings.Cut(l.value, "=")
	if !ok {
		l.warn("Failed to parse extended attribute expression, ignoring: " + l.value)
		return
	}
	a := [2]string{name, value}
	for i, s := range a {
		var err error
		if a[i], err = l.specified(s); err != nil {
			l.warn("Failed to expand specifiers in extended attribute expression, ignoring: " + s)
			return
		}
	}
	if !strings.HasPrefix(a[0], "user.") {
		l.warn("Extended attribute name does not begin with 'user.', ignoring: " + a[0])
		return
	}
	*p = append(*p, a)
}

// finishSocket fills in what follows from other settings, and checks that they go together.
func (l *loader) finishSocket() string {
	s := l.socket
	l.input()
	refuse := func(text string) string {
		l.complain(Fatal, text)
		return "bad-setting"
	}
	explicit := s.Service != ""
	if !explicit {
		name := unit.Prefix(s.Name)
		switch {
		case s.Accept:
			s.Service = name + "@.service"
		case unit.KindOf(s.Name) == unit.Instance:
			s.Service = name + "@" + unit.InstanceOf(s.Name) + ".service"
		default:
			s.Service = name + ".service"
		}
	}
	if s.FDName == "" {
		s.FDName = s.Name
		if s.Accept {
			s.FDName = "connection"
		}
	}
	if !l.given.timeoutStart {
		s.Timeout = l.defaults.timeoutStart
	}
	switch {
	case len(s.Listen) == 0:
		return refuse("Unit has no Listen setting (ListenStream=, ListenDatagram=, ListenFIFO=, ...). Refusing.")
	case s.Accept && s.MaxConnections == 0:
		return refuse("MaxConnection= setting too small. Refusing.")
	case s.Accept && explicit:
		return refuse("Explicit service configuration for accepting socket units not supported. Refusing.")
	case len(s.Symlinks) > 0 && paths(s.Listen) != 1:
		return refuse("Unit has symlinks set but none or more than one node in the file system. Refusing.")
	}
	return l.verifyExec()
}

// paths is how many of the sockets have a name in the file system.
func paths(l []Listen) (n int) {
	for i := range l {
		if path.IsAbs(l[i].Address) {
			n++
		}
	}
	return n
}
