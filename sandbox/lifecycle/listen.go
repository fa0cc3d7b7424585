package lifecycle

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/clock"
	"ctl/internal/term"
	"ctl/internal/unit"
)

func parseSpan(v string) (time.Duration, error) {
	n, err := clock.ParseSpan(v, 1000000)
	return time.Duration(min(n, 1<<52)) * time.Microsecond, err
}

// inTree is a path of the host, in the tree that is the host.
func (r *run) inTree(p string) string {
	if r.c.Tree == "" {
		return p
	}
	return filepath.Join(r.c.Tree, p)
}

// within has do see the tree as the root directory, as services do, so that no symbolic link leads out of it.
func (r *run) within(do func() error) error {
	if r.c.Tree == "" {
		return do()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Chroot(r.c.Tree)
		}
		if err == nil {
			err = unix.Chdir("/")
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// readFile reads a file of the tree.
func (r *run) readFile(name string) (data []byte, err error) {
	err = r.within(func() (err error) {
		data, err = os.ReadFile(name)
		return err
	})
	return data, err
}

// openAll opens what the unit listens on, within the tree.
func (u *socketUnit) openAll() error {
	old := unix.Umask(0)
	defer unix.Umask(old)
	for _, l := range u.s.Listen {
		k := &listener{of: u, l: l}
		u.socks = append(u.socks, k)
		fds, err := u.openOne(k)
		for _, fd := range fds {
			k.files = append(k.files, os.NewFile(uintptr(fd), u.s.Name))
		}
		if err != nil {
			return fmt.Errorf("Failed to create listening socket (%s): %s", l.Address, reason(err))
		}
	}
	return u.link()
}

func (u *socketUnit) mode() uint32 {
	if u.s.SocketMode != 0 {
		return u.s.SocketMode
	}
	return 0o666
}

// openOne opens one Listen…=.
func (u *socketUnit) openOne(k *listener) ([]int, error) {
	switch k.l.Setting {
	case "ListenFIFO":
		return one(u.openFIFO(k))
	case "ListenSpecial":
		flags := unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_NONBLOCK | unix.O_NOFOLLOW
		if v, _ := u.option("Writable"); v != "" {
			if yes, _ := unit.Boolean(v); yes {
				flags |= unix.O_RDWR
			}
		}
		return one(unix.Open(k.l.Address, flags, 0))
	case "ListenMessageQueue":
		return one(u.openQueue(k))
	case "ListenNetlink":
		return one(openNetlink(k.l.Address))
	case "ListenStream":
		return one(u.openSocket(k, unix.SOCK_STREAM))
	case "ListenDatagram":
		return one(u.openSocket(k, unix.SOCK_DGRAM))
	case "ListenSequentialPacket":
		return one(u.openSocket(k, unix.SOCK_SEQPACKET))
	}
	return nil, unix.EOPNOTSUPP
}

func one(fd int, err error) ([]int, error) {
	if err != nil {
		return nil, err
	}
	return []int{fd}, nil
}

// parents makes the directories above a path, DirectoryMode=.
func (u *socketUnit) parents(p string) {
	mode := u.s.DirectoryMode
	if mode == 0 {
		mode = 0o755
	}
	for i := 1; i < len(p); i++ {
		if p[i] == '/' {
			_ = os.Mkdir(p[:i], os.FileMode(mode))
		}
	}
}

func (u *socketUnit) openFIFO(k *listener) (int, error) {
	p := k.l.Address
	u.parents(p)
	if err := unix.Mkfifo(p, u.mode()); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	fd, err := unix.Open(p, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFIFO {
		unix.Close(fd)
		return -1, unix.EEXIST
	}
	if u.s.RemoveOnStop {
		k.made = append(k.made, p)
	}
	if v, ok := u.option("PipeSize"); ok {
		if n, err := unit.Size(v, 1024); err == nil {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, int(n))
		}
	}
	return fd, u.own(p)
}

// own gives a path to SocketUser= and SocketGroup=.
func (u *socketUnit) own(p string) error {
	if u.s.SocketUser == "" && u.s.SocketGroup == "" {
		return nil
	}
	uid, gid, err := u.r.ids(u.s.SocketUser, u.s.SocketGroup)
	if err != nil {
		return err
	}
	return unix.Lchown(p, uid, gid)
}

// address understands what a socket is bound to, systemd.socket(5) ListenStream=.
func (u *socketUnit) address(text string) (unix.Sockaddr, int, string, error) {
	switch {
	case strings.HasPrefix(text, "/"):
		return &unix.SockaddrUnix{Name: text}, unix.AF_UNIX, text, nil
	case strings.HasPrefix(text, "@"):
		return &unix.SockaddrUnix{Name: text}, unix.AF_UNIX, "", nil
	case strings.HasPrefix(text, "vsock:"):
		cid, port, ok := strings.Cut(text[len("vsock:"):], ":")
		n, err := strconv.ParseUint(port, 10, 32)
		c := uint64(unix.VMADDR_CID_ANY)
		if cid != "" && err == nil {
			c, err = strconv.ParseUint(cid, 10, 32)
		}
		if !ok || err != nil {
			return nil, 0, "", unix.EINVAL
		}
		return &unix.SockaddrVM{CID: uint32(c), Port: uint32(n)}, unix.AF_VSOCK, "", nil
	}
	if n, err := strconv.ParseUint(text, 10, 16); err == nil { // IPv6 if there is such a thing, and with it IPv4
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return &unix.SockaddrInet4{Port: int(n)}, unix.AF_INET, "", nil
		}
		unix.Close(fd)
		return &unix.SockaddrInet6{Port: int(n)}, unix.AF_INET6, "", nil
	}
	host, zone, _ := strings.Cut(text, "%")
	if zone != "" && !strings.Contains(host, "]") {
		return nil, 0, "", unix.EINVAL
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, 0, "", unix.EINVAL
	}
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, unix.AF_INET, "", nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	if z := a.Addr().Zone(); z != "" {
		sa.ZoneId = interfaceIndex(z)
	}
	return sa, unix.AF_INET6, "", nil
}

func (u *socketUnit) openSocket(k *listener, kind int) (int, error) {
	sa, family, path, err := u.address(k.l.Address)
	if err != nil {
		return -1, err
	}
	protocol := 0
	switch v, _ := u.option("SocketProtocol"); v {
	case "udplite":
		protocol = unix.IPPROTO_UDPLITE
	case "sctp":
		protocol = unix.IPPROTO_SCTP
	case "mptcp":
		protocol = unix.IPPROTO_MPTCP
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	if err := u.bind(fd, sa, family, path, k); err != nil {
		unix.Close(fd)
		return -1, err
	}
	u.setOptions(fd, family)
	attach(u.s.ListenAttributes, func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) })
	if kind == unix.SOCK_DGRAM {
		return fd, nil
	}
	backlog := 4096
	if v, ok := u.option("Backlog"); ok {
		if n, err := strconv.ParseUint(v, 10, 32); err == nil {
			backlog = int(min(n, 1<<31-1))
		}
	}
	if err := unix.Listen(fd, backlog); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (u *socketUnit) bind(fd int, sa unix.Sockaddr, family int, path string, k *listener) error {
	if family == unix.AF_INET || family == unix.AF_INET6 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
		switch v, _ := u.option("BindIPv6Only"); v {
		case "both":
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		case "ipv6-only":
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
		}
	}
	for _, o := range [...]struct {
		name               string
		level, option, lvl int
	}{{"ReusePort", unix.SOL_SOCKET, unix.SO_REUSEPORT, 0}, {"FreeBind", unix.IPPROTO_IP, unix.IP_FREEBIND, 0},
		{"Transparent", unix.IPPROTO_IP, unix.IP_TRANSPARENT, 0}} {
		if v, ok := u.option(o.name); ok {
			if yes, _ := unit.Boolean(v); yes {
				if err := unix.SetsockoptInt(fd, o.level, o.option, 1); err != nil {
					return err
				}
			}
		}
	}
	if v, ok := u.option("BindToDevice"); ok && v != "" {
		if err := unix.BindToDevice(fd, v); err != nil {
			return err
		}
	}
	if path == "" {
		return unix.Bind(fd, sa)
	}
	u.parents(path)
	// Permissions that a bound socket has from the first moment on.
	old := unix.Umask(int(^u.mode() & 0o777))
	defer unix.Umask(old)
	err := unix.Bind(fd, sa)
	if errors.Is(err, unix.EADDRINUSE) { // a socket that somebody has left
		if e := unix.Unlink(path); e == nil {
			err = unix.Bind(fd, sa)
		}
	}
	if err != nil {
		return err
	}
	if u.s.RemoveOnStop {
		k.made = append(k.made, path)
	}
	attach(u.s.EntryAttributes, func(name string, value []byte) error { return unix.Setxattr(path, name, value, 0) })
	return u.own(path)
}

// attach sets extended attributes, which sockets have since Linux 7.0. What cannot be set is done without, as the manager does.
func attach(l [][2]string, set func(name string, value []byte) error) {
	for _, a := range l {
		_ = set(a[0], []byte(a[1]))
	}
}

// setOptions sets what can be set of the rest. What cannot is done without, as the manager does.
func (u *socketUnit) setOptions(fd, family int) {
	set := func(level, option, value int) { _ = unix.SetsockoptInt(fd, level, option, value) }
	for _, o := range u.s.Options {
		yes, isBool := unit.Boolean(o[1])
		on := 0
		if isBool && yes {
			on = 1
		}
		size, sizeErr := unit.Size(o[1], 1024)
		span, spanErr := parseSpan(o[1])
		number, numberErr := strconv.Atoi(o[1])
		switch o[0] {
		case "KeepAlive":
			set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
		case "KeepAliveTimeSec":
			if spanErr == nil {
				set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(span/time.Second))
			}
		case "KeepAliveIntervalSec":
			if spanErr == nil {
				set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(span/time.Second))
			}
		case "KeepAliveProbes":
			if numberErr == nil {
				set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, number)
			}
		case "NoDelay":
			set(unix.IPPROTO_TCP, unix.TCP_NODELAY, on)
		case "DeferAcceptSec":
			if spanErr == nil {
				set(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int(span/time.Second))
			}
		case "TCPCongestion":
			_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, o[1])
		case "Broadcast":
			set(unix.SOL_SOCKET, unix.SO_BROADCAST, on)
		case "PassCredentials":
			set(unix.SOL_SOCKET, unix.SO_PASSCRED, on)
		case "PassSecurity":
			set(unix.SOL_SOCKET, unix.SO_PASSSEC, on)
		case "PassPIDFD":
			const soPassPIDFD = 76
			set(unix.SOL_SOCKET, soPassPIDFD, on)
		case "AcceptFileDescriptors":
			const soPassRights = 83
			if isBool && !yes {
				set(unix.SOL_SOCKET, soPassRights, 0)
			}
		case "PassPacketInfo":
			if family == unix.AF_INET6 {
				set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, on)
			} else if family == unix.AF_INET {
				set(unix.IPPROTO_IP, unix.IP_PKTINFO, on)
			}
		case "Timestamping":
			switch o[1] {
			case "us", "usec", "µs":
				set(unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1)
			case "ns", "nsec":
				set(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
			}
		case "Priority":
			if numberErr == nil {
				set(unix.SOL_SOCKET, unix.SO_PRIORITY, number)
			}
		case "ReceiveBuffer":
			if sizeErr == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, int(size)) != nil {
				set(unix.SOL_SOCKET, unix.SO_RCVBUF, int(size))
			}
		case "SendBuffer":
			if sizeErr == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, int(size)) != nil {
				set(unix.SOL_SOCKET, unix.SO_SNDBUF, int(size))
			}
		case "Mark":
			if numberErr == nil {
				set(unix.SOL_SOCKET, unix.SO_MARK, number)
			}
		case "IPTOS":
			tos, known := number, numberErr == nil
			switch o[1] {
			case "low-delay":
				tos, known = 0x10, true
			case "throughput":
				tos, known = 0x08, true
			case "reliability":
				tos, known = 0x04, true
			case "low-cost":
				tos, known = 0x02, true
			}
			if known {
				set(unix.IPPROTO_IP, unix.IP_TOS, tos)
			}
		case "IPTTL":
			if numberErr == nil {
				set(unix.IPPROTO_IP, unix.IP_TTL, number)
				if family == unix.AF_INET6 {
					set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, number)
				}
			}
		}
	}
}

// link makes Symlinks=.
func (u *socketUnit) link() error {
	if len(u.s.Symlinks) == 0 {
		return nil
	}
	target := ""
	for _, l := range u.s.Listen {
		if strings.HasPrefix(l.Address, "/") {
			target = l.Address
			break
		}
	}
	if target == "" {
		return nil
	}
	for _, s := range u.s.Symlinks {
		u.parents(s)
		if u.s.RemoveOnStop {
			_ = unix.Unlink(s)
		}
		if err := os.Symlink(target, s); err != nil {
			if to, e := os.Readlink(s); e == nil && to == target {
				continue
			}
			u.r.say(term.Warning, u.s.Name, "Failed to create symlink "+target+" → "+s+", ignoring: "+reason(err))
		}
	}
	return nil
}

// queueAttributes is struct mq_attr, mq_open(3).
type queueAttributes struct {
	flags, maxMessages, size, current int
	_                                 [4]int
}

func (u *socketUnit) openQueue(k *listener) (int, error) {
	attr := queueAttributes{maxMessages: 10, size: 8192}
	given := false
	if v, ok := u.option("MessageQueueMaxMessages"); ok {
		if n, err := strconv.Atoi(v); err == nil {
			attr.maxMessages, given = n, true
		}
	}
	if v, ok := u.option("MessageQueueMessageSize"); ok {
		if n, err := strconv.Atoi(v); err == nil {
			attr.size, given = n, true
		}
	}
	fd, err := mqOpen(strings.TrimPrefix(k.l.Address, "/"), u.mode(), &attr, given)
	if err == nil && u.s.RemoveOnStop {
		k.made = append(k.made, "/dev/mqueue"+k.l.Address)
	}
	return fd, err
}

// openNetlink opens a socket of a family and a group, ListenNetlink=.
func openNetlink(text string) (int, error) {
	families := [...]string{"route", "unused", "usersock", "firewall", "inet-diag", "nflog", "xfrm", "selinux", "iscsi", "audit", "fib-lookup",
		"connector", "netfilter", "ip6-fw", "dnrtmsg", "kobject-uevent", "generic", "", "scsitransport", "ecryptfs", "rdma"}
	f := strings.Fields(text)
	if len(f) == 0 || len(f) > 2 {
		return -1, unix.EINVAL
	}
	protocol := -1
	for i, name := range families {
		if name == f[0] && name != "" {
			protocol = i
		}
	}
	if protocol < 0 {
		return -1, unix.EINVAL
	}
	groups := uint64(0)
	if len(f) == 2 {
		var err error
		if groups, err = strconv.ParseUint(f[1], 0, 32); err != nil {
			return -1, unix.EINVAL
		}
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: uint32(groups)}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// ids are those of a user and a group of the host, -1 for none.
func (r *run) ids(user, group string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if user != "" {
		f := r.account("/etc/passwd", user)
		if f == nil {
			return 0, 0, syscall.ESRCH
		}
		uid, _ = strconv.Atoi(f[2])
		gid, _ = strconv.Atoi(f[3])
	}
	if group != "" {
		f := r.account("/etc/group", group)
		if f == nil {
			return 0, 0, syscall.ESRCH
		}
		gid, _ = strconv.Atoi(f[2])
	}
	return uid, gid, nil
}

// account is the line of passwd(5) or group(5) with a name or number.
func (r *run) account(file, name string) []string {
	data, _ := r.readFile(file)
	for l := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimRight(l, "\n"), ":"); len(f) >= 4 && (f[0] == name || f[2] == name) {
			return f
		}
	}
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return []string{name, "", name, name}
	}
	return nil
}

// interfaceIndex is the number of a network interface.
func interfaceIndex(name string) uint32 {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) != nil {
		return 0
	}
	return request.Uint32()
}
