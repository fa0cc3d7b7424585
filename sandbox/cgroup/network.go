package cgroup

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// The parts of what programs about packets and about addresses of sockets are told, __sk_buff and bpf_sock_addr in linux/bpf.h.
const (
	ctxEther     = 16 // of a packet, in the order of the network
	ctxInterface = 40
	ctxPort      = 24 // of a socket, in the order of the network
	ctxProtocol  = 36

	loadBytes = 26 // bpf_skb_load_bytes()
)

// families are those of the Internet: what packets are called, how many words an address has, and where the two are.
var families = [...]struct {
	ether               uint16
	words               int
	source, destination int32
}{{unix.ETH_P_IP, 1, 12, 16}, {unix.ETH_P_IPV6, 4, 8, 24}}

// prefixes are the addresses that IPAddressAllow= or IPAddressDeny= lists.
func (l Limits) prefixes(setting string) (all []netip.Prefix) {
	for _, v := range l.each(setting) {
		for w := range strings.FieldsSeq(v) {
			for _, w := range named(w) {
				if p, err := netip.ParsePrefix(w); err == nil {
					all = append(all, p.Masked())
				} else if a, err := netip.ParseAddr(w); err == nil {
					all = append(all, netip.PrefixFrom(a, a.BitLen()))
				}
			}
		}
	}
	return all
}

// named are the prefixes that have a name, systemd.resource-control(5).
func named(w string) []string {
	switch w {
	case "any":
		return []string{"0.0.0.0/0", "::/0"}
	case "localhost":
		return []string{"127.0.0.0/8", "::1/128"}
	case "link-local":
		return []string{"169.254.0.0/16", "fe80::/64"}
	case "multicast":
		return []string{"224.0.0.0/4", "ff00::/8"}
	}
	return []string{w}
}

// addressFilter is a program that lets packets pass whose other end is allowed, or not denied. Others than those of the Internet pass.
func addressFilter(allow, deny []netip.Prefix, out bool) []insn {
	const ctx, saved, word, frame = 1, 6, 1, 10
	l := []insn{{code: copied, regs: ctx<<4 | saved}, {code: load, regs: saved<<4 | 7, off: ctxEther}}
	for _, f := range families {
		at := f.source
		if out {
			at = f.destination
		}
		var ether [2]byte
		binary.BigEndian.PutUint16(ether[:], f.ether)
		body := []insn{{code: copied, regs: saved<<4 | 1}, {code: set, regs: 2, imm: at}, {code: copied, regs: frame<<4 | 3}, {code: plus, regs: 3, imm: -16},
			{code: set, regs: 4, imm: int32(4 * f.words)}, {code: callTo, imm: loadBytes}, {code: jumpIs, off: 2}}
		body = append(body, answer(0)...) // a packet that is too short
		always := false                   // the kernel takes no instructions that are never reached
		for i, list := range [...][]netip.Prefix{allow, deny} {
			for _, p := range list {
				bytes := p.Addr().AsSlice()
				if len(bytes) != 4*f.words || always {
					continue
				}
				var tests []insn
				for w := range f.words {
					bits := min(max(p.Bits()-32*w, 0), 32)
					if bits == 0 {
						break
					}
					var mask [4]byte
					binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-bits))
					tests = append(tests, insn{code: load, regs: frame<<4 | word, off: int16(4*w - 16)},
						insn{code: and, regs: word, imm: int32(binary.NativeEndian.Uint32(mask[:]))},
						insn{code: jump32, regs: word, imm: int32(binary.NativeEndian.Uint32(bytes[4*w:]))})
				}
				body = append(append(body, past(tests)...), answer(int32(1-i))...)
				always = len(tests) == 0
			}
		}
		if !always {
			body = append(body, answer(1)...)
		}
		l = append(append(l, insn{code: jumpNot, regs: 7, imm: int32(binary.NativeEndian.Uint16(ether[:])), off: int16(len(body))}), body...)
	}
	return append(l, answer(1)...)
}

// past has tests that fail jump over the answer behind them.
func past(tests []insn) []insn {
	for i := range tests {
		switch tests[i].code {
		case jumpNot, jump32, jumpNotX, jumpLess, jumpMore:
			tests[i].off = int16(len(tests) - i + 1)
		}
	}
	return tests
}

// interfaceFilter is a program that lets packets pass by these devices only, or by all but these.
func interfaceFilter(indices []int, deny bool) []insn {
	l := []insn{{code: load, regs: 1<<4 | 2, off: ctxInterface}}
	match := int32(1)
	if deny {
		match = 0
	}
	for _, n := range indices {
		l = append(append(l, past([]insn{{code: jumpNot, regs: 2, imm: int32(n)}})...), answer(match)...)
	}
	return append(l, answer(1-match)...)
}

// interfaces are those of RestrictNetworkInterfaces=, of which the first line says whether the list is of those that are allowed.
func (l Limits) interfaces() (indices []int, deny, any bool) {
	var names []string
	for i, v := range l.each("RestrictNetworkInterfaces") {
		list, inverted := strings.CutPrefix(v, "~")
		if i == 0 {
			deny = inverted
		}
		words, _ := unit.Words(list, unit.Unquote)
		for _, w := range words {
			if inverted == deny {
				names = append(names, w)
			} else {
				names = slices.DeleteFunc(names, func(n string) bool { return n == w })
			}
		}
		any = true
	}
	for _, n := range names {
		if i, err := net.InterfaceByName(n); err == nil {
			indices = append(indices, i.Index)
		}
	}
	return indices, deny, any
}

const (
	jumpLess = unix.BPF_JMP | 0xa0 // BPF_JLT
	jumpMore = unix.BPF_JMP | unix.BPF_JGT
	toBig    = unix.BPF_ALU | 0xd0 | 0x08 // BPF_END BPF_TO_BE
)

// A port is one SocketBindAllow= or SocketBindDeny=.
type port struct {
	family      int // 0 for both
	protocol    int32
	first, last int32 // 0 and 65535 for all
}

func (l Limits) ports(setting string) (all []port) {
	for _, v := range l.each(setting) {
		p := port{last: 0xffff}
		for w := range strings.SplitSeq(v, ":") {
			switch w {
			case "ipv4":
				p.family = unix.AF_INET
			case "ipv6":
				p.family = unix.AF_INET6
			case "tcp":
				p.protocol = unix.IPPROTO_TCP
			case "udp":
				p.protocol = unix.IPPROTO_UDP
			case "any":
			default:
				from, to, ranged := strings.Cut(w, "-")
				first, _ := unit.Unsigned(from, 16)
				last := first
				if ranged {
					last, _ = unit.Unsigned(to, 16)
				}
				p.first, p.last = int32(first), int32(last)
			}
		}
		all = append(all, p)
	}
	return all
}

// bindFilter is a program that lets sockets of a family be bound to ports that are allowed, or not denied.
func bindFilter(allow, deny []port, family int) []insn {
	l := []insn{{code: load, regs: 1<<4 | 2, off: ctxPort}, {code: toBig, regs: 2, imm: 16}, {code: load, regs: 1<<4 | 3, off: ctxProtocol}}
	for i, list := range [...][]port{allow, deny} {
		for _, p := range list {
			if p.family != 0 && p.family != family {
				continue
			}
			var tests []insn
			if p.protocol != 0 {
				tests = append(tests, insn{code: jumpNot, regs: 3, imm: p.protocol})
			}
			if p.first > 0 {
				tests = append(tests, insn{code: jumpLess, regs: 2, imm: p.first})
			}
			if p.last < 0xffff {
				tests = append(tests, insn{code: jumpMore, regs: 2, imm: p.last})
			}
			l = append(append(l, past(tests)...), answer(int32(1-i))...)
			if len(tests) == 0 {
				return l // the kernel takes no instructions that are never reached
			}
		}
	}
	return append(l, answer(1)...)
}

// RestrictNetwork has the kernel enforce what the settings say of the network.
func (g *Group) RestrictNetwork(l Limits) error {
	type filter struct {
		kind, where uint32
		program     []insn
	}
	var filters []filter
	if deny := l.prefixes("IPAddressDeny"); len(deny) > 0 {
		allow := l.prefixes("IPAddressAllow")
		filters = append(filters, filter{unix.BPF_PROG_TYPE_CGROUP_SKB, unix.BPF_CGROUP_INET_INGRESS, addressFilter(allow, deny, false)},
			filter{unix.BPF_PROG_TYPE_CGROUP_SKB, unix.BPF_CGROUP_INET_EGRESS, addressFilter(allow, deny, true)})
	}
	if indices, deny, any := l.interfaces(); any {
		for _, where := range [...]uint32{unix.BPF_CGROUP_INET_INGRESS, unix.BPF_CGROUP_INET_EGRESS} {
			filters = append(filters, filter{unix.BPF_PROG_TYPE_CGROUP_SKB, where, interfaceFilter(indices, deny)})
		}
	}
	if deny := l.ports("SocketBindDeny"); len(deny) > 0 {
		allow := l.ports("SocketBindAllow")
		filters = append(filters, filter{unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET4_BIND, bindFilter(allow, deny, unix.AF_INET)},
			filter{unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, unix.BPF_CGROUP_INET6_BIND, bindFilter(allow, deny, unix.AF_INET6)})
	}
	for _, f := range filters {
		if err := g.attach(f.kind, f.where, f.program); err != nil {
			return err
		}
	}
	return nil
}
