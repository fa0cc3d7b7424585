package netlink

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// The table of forwarded ports that all of systemd's programs share, once for each family, and what is in it, nft(8).
const (
	natTable = "io.systemd.nat"
	natMap   = "map_port_ipport" // protocol and port of the host → address and port
	natFrom  = "masq_saddr"      // whose traffic is to look as if it were the host's
)

// Registers of rules.
const (
	register1 = 9  // four bytes
	register2 = 10 // the next four
)

// A Forward says where connections to a port of the host go.
type Forward struct {
	Protocol uint8 // IPPROTO_TCP, IPPROTO_UDP
	Port     uint16
	To       netip.AddrPort
}

// An Owner is what an entry of the table remembers of who has made it. nft(8) does not show it.
type Owner [24]byte

// ownerMark is the type of an Owner among an entry's user data.
const ownerMark = 'c'

// OpenFirewall opens a socket to the firewall of our own network namespace.
func OpenFirewall() (*Conn, error) { return open(unix.NETLINK_NETFILTER, 0) }

// AddForward makes an entry of the table, which is made if need be, and removes the one that stands for the same port now if that
// is ours, too.
func (c *Conn) AddForward(f Forward, replaces *Forward, owner Owner) error {
	var b batch
	if replaces != nil {
		b.element(unix.NFT_MSG_DELSETELEM, *replaces, nil)
	}
	b.element(unix.NFT_MSG_NEWSETELEM, f, owner[:])
	err := c.commit(b)
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	b = nil
	b.table(f.family())
	b.element(unix.NFT_MSG_NEWSETELEM, f, owner[:])
	return c.commit(b)
}

// RemoveForward removes an entry of the table.
func (c *Conn) RemoveForward(f Forward) error {
	var b batch
	b.element(unix.NFT_MSG_DELSETELEM, f, nil)
	return c.commit(b)
}

// RemoveForwards removes the entries of whose owner gone says so.
func (c *Conn) RemoveForwards(gone func(Owner) bool) {
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		var b batch
		m := generic(family)
		m.text(unix.NFTA_SET_ELEM_LIST_TABLE, natTable)
		m.text(unix.NFTA_SET_ELEM_LIST_SET, natMap)
		_ = c.dump(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETSETELEM, m, func(body []byte) { // where there is no table, there is none
			attributes(body[min(len(body), 4):], func(kind uint16, list []byte) {
				if kind != unix.NFTA_SET_ELEM_LIST_ELEMENTS {
					return
				}
				attributes(list, func(_ uint16, element []byte) {
					var key, data []byte
					attributes(element, func(kind uint16, value []byte) {
						switch kind {
						case unix.NFTA_SET_ELEM_KEY:
							key = value
						case unix.NFTA_SET_ELEM_USERDATA:
							data = value
						}
					})
					if len(data) == 2+len(Owner{}) && data[0] == ownerMark && gone(Owner(data[2:])) {
						b.removeKey(family, key)
					}
				})
			})
		})
		if len(b) > 0 {
			_ = c.commit(b) // whoever has done it before us has done it
		}
	}
}

func (f Forward) family() uint8 {
	if f.To.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// A batch is changes that are made together or not at all.
type batch []change

type change struct {
	kind, flags uint16
	body        message
}

func (b *batch) add(kind, flags uint16, family uint8, body message) {
	*b = append(*b, change{unix.NFNL_SUBSYS_NFTABLES<<8 | kind, flags, append(generic(family), body...)})
}

// generic begins with the structure that says whose rules are meant.
func generic(family uint8) message { return message{family, unix.NFNETLINK_V0, 0, 0} }

// element adds an entry, or removes it.
func (b *batch) element(kind uint16, f Forward, owner []byte) {
	key := []byte{f.Protocol, 0, 0, 0, byte(f.Port >> 8), byte(f.Port), 0, 0}
	to := append(f.To.Addr().AsSlice(), byte(f.To.Port()>>8), byte(f.To.Port()), 0, 0)
	var m message
	m.text(unix.NFTA_SET_ELEM_LIST_TABLE, natTable)
	m.text(unix.NFTA_SET_ELEM_LIST_SET, natMap)
	m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
		m.nest(unix.NFTA_LIST_ELEM, func() {
			m.data(unix.NFTA_SET_ELEM_KEY, key)
			m.data(unix.NFTA_SET_ELEM_DATA, to)
			if owner != nil {
				m.nested(unix.NFTA_SET_ELEM_USERDATA, func() { m = append(append(m, ownerMark, byte(len(owner))), owner...) })
			}
		})
	})
	b.add(kind, unix.NLM_F_CREATE, f.family(), m)
}

// removeKey removes the entry with a key, as the kernel has told it.
func (b *batch) removeKey(family uint8, key []byte) {
	var m message
	m.text(unix.NFTA_SET_ELEM_LIST_TABLE, natTable)
	m.text(unix.NFTA_SET_ELEM_LIST_SET, natMap)
	m.nest(unix.NFTA_SET_ELEM_LIST_ELEMENTS, func() {
		m.nest(unix.NFTA_LIST_ELEM, func() {
			m.nest(unix.NFTA_SET_ELEM_KEY, func() { m = append(m, key...) })
		})
	})
	b.add(unix.NFT_MSG_DELSETELEM, 0, family, m)
}

// table makes the table of a family as systemd has it.
func (b *batch) table(family uint8) {
	var m message
	m.text(unix.NFTA_TABLE_NAME, natTable)
	b.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family, m)
	const before, locally, after = 0, 3, 4 // NF_INET_PRE_ROUTING, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING
	b.chain(family, "prerouting", before, -99)
	b.chain(family, "output", locally, -99)
	b.chain(family, "postrouting", after, 101)

	const protocol, service, bits = 12, 13, 6 // how nft(8) numbers types and those put together of two
	address, length, source, destination := uint32(7), uint32(4), uint32(12), uint32(16)
	loopback := []byte{127, 0, 0, 0}
	if family == unix.AF_INET6 {
		address, length, source, destination = 8, 16, 8, 24
		loopback = netip.IPv6Loopback().AsSlice()
	}
	b.set(family, 1, natFrom, unix.NFT_SET_INTERVAL, [2]uint32{address, length}, [2]uint32{})
	b.set(family, 2, natMap, unix.NFT_SET_MAP, [2]uint32{protocol<<bits | service, 8}, [2]uint32{address<<bits | service, length + 4})

	var r rule // fib daddr type local dnat to meta l4proto . th dport map @map_port_ipport
	r.expression("fib", func(m *message) {
		m.big(unix.NFTA_FIB_DREG, register1)
		m.big(unix.NFTA_FIB_RESULT, unix.NFT_FIB_RESULT_ADDRTYPE)
		m.big(unix.NFTA_FIB_FLAGS, unix.NFTA_FIB_F_DADDR)
	})
	r.compare(unix.NFT_CMP_EQ, binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL))
	r.redirect(family, length)
	b.rule(family, "prerouting", r)

	r = nil // ip daddr != 127.0.0.0/8 oif lo dnat to meta l4proto . th dport map @map_port_ipport
	r.load(unix.NFT_PAYLOAD_NETWORK_HEADER, destination, length, register1)
	if family == unix.AF_INET {
		r.expression("bitwise", func(m *message) {
			m.big(unix.NFTA_BITWISE_SREG, register1)
			m.big(unix.NFTA_BITWISE_DREG, register1)
			m.big(unix.NFTA_BITWISE_LEN, length)
			m.data(unix.NFTA_BITWISE_MASK, []byte{255, 0, 0, 0})
			m.data(unix.NFTA_BITWISE_XOR, []byte{0, 0, 0, 0})
		})
	}
	r.compare(unix.NFT_CMP_NEQ, loopback)
	r.meta(unix.NFT_META_OIF)
	r.compare(unix.NFT_CMP_EQ, binary.NativeEndian.AppendUint32(nil, 1)) // always the number of lo
	r.redirect(family, length)
	b.rule(family, "output", r)

	r = nil // ip saddr @masq_saddr masquerade
	r.load(unix.NFT_PAYLOAD_NETWORK_HEADER, source, length, register1)
	r.expression("lookup", func(m *message) {
		m.text(unix.NFTA_LOOKUP_SET, natFrom)
		m.big(unix.NFTA_LOOKUP_SREG, register1)
	})
	r.expression("masq", func(*message) {})
	b.rule(family, "postrouting", r)
}

func (b *batch) chain(family uint8, name string, hook, priority int32) {
	var m message
	m.text(unix.NFTA_CHAIN_TABLE, natTable)
	m.text(unix.NFTA_CHAIN_NAME, name)
	m.nest(unix.NFTA_CHAIN_HOOK, func() {
		m.big(unix.NFTA_HOOK_HOOKNUM, uint32(hook))
		m.big(unix.NFTA_HOOK_PRIORITY, uint32(priority))
	})
	m.text(unix.NFTA_CHAIN_TYPE, "nat")
	b.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, family, m)
}

// set makes a set, or a map, with types and lengths of its keys and values.
func (b *batch) set(family uint8, id uint32, name string, flags uint32, key, value [2]uint32) {
	var m message
	m.text(unix.NFTA_SET_TABLE, natTable)
	m.text(unix.NFTA_SET_NAME, name)
	m.big(unix.NFTA_SET_FLAGS, flags)
	m.big(unix.NFTA_SET_KEY_TYPE, key[0])
	m.big(unix.NFTA_SET_KEY_LEN, key[1])
	if flags&unix.NFT_SET_MAP != 0 {
		m.big(unix.NFTA_SET_DATA_TYPE, value[0])
		m.big(unix.NFTA_SET_DATA_LEN, value[1])
	}
	m.big(unix.NFTA_SET_ID, id)
	b.add(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, family, m)
}

func (b *batch) rule(family uint8, chain string, r rule) {
	var m message
	m.text(unix.NFTA_RULE_TABLE, natTable)
	m.text(unix.NFTA_RULE_CHAIN, chain)
	m.nest(unix.NFTA_RULE_EXPRESSIONS, func() { m = append(m, r...) })
	b.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, family, m)
}

// A rule is a list of expressions.
type rule message

func (r *rule) expression(name string, f func(*message)) {
	m := (*message)(r)
	m.nest(unix.NFTA_LIST_ELEM, func() {
		m.text(unix.NFTA_EXPR_NAME, name)
		m.nest(unix.NFTA_EXPR_DATA, func() { f(m) })
	})
}

func (r *rule) meta(key uint32) {
	r.expression("meta", func(m *message) {
		m.big(unix.NFTA_META_DREG, register1)
		m.big(unix.NFTA_META_KEY, key)
	})
}

func (r *rule) load(base, offset, length, register uint32) {
	r.expression("payload", func(m *message) {
		m.big(unix.NFTA_PAYLOAD_DREG, register)
		m.big(unix.NFTA_PAYLOAD_BASE, base)
		m.big(unix.NFTA_PAYLOAD_OFFSET, offset)
		m.big(unix.NFTA_PAYLOAD_LEN, length)
	})
}

// compare ends the rule unless the first register is, or is not, a value.
func (r *rule) compare(how uint32, value []byte) {
	r.expression("cmp", func(m *message) {
		m.big(unix.NFTA_CMP_SREG, register1)
		m.big(unix.NFTA_CMP_OP, how)
		m.data(unix.NFTA_CMP_DATA, value)
	})
}

// redirect sends what is for a port in the map where the map says.
func (r *rule) redirect(family uint8, length uint32) {
	r.meta(unix.NFT_META_L4PROTO)
	r.load(unix.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, register2)
	r.expression("lookup", func(m *message) {
		m.text(unix.NFTA_LOOKUP_SET, natMap)
		m.big(unix.NFTA_LOOKUP_SREG, register1)
		m.big(unix.NFTA_LOOKUP_DREG, register1)
	})
	port := register1 + length/4
	r.expression("nat", func(m *message) {
		m.big(unix.NFTA_NAT_TYPE, unix.NFT_NAT_DNAT)
		m.big(unix.NFTA_NAT_FAMILY, uint32(family))
		m.big(unix.NFTA_NAT_REG_ADDR_MIN, register1)
		m.big(unix.NFTA_NAT_REG_ADDR_MAX, register1)
		m.big(unix.NFTA_NAT_REG_PROTO_MIN, port)
		m.big(unix.NFTA_NAT_REG_PROTO_MAX, port)
	})
}

// commit makes the changes of a batch. The error is that of the first that cannot be made.
func (c *Conn) commit(b batch) error {
	limits := message{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES}
	all := c.frame(unix.NFNL_MSG_BATCH_BEGIN, 0, limits)
	for _, change := range b {
		all = append(all, c.frame(change.kind, change.flags|unix.NLM_F_ACK, change.body)...)
	}
	all = append(all, c.frame(unix.NFNL_MSG_BATCH_END, 0, limits)...)
	if err := unix.Sendto(c.fd, all, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var first error
	buf := make([]byte, 32<<10)
	for { // all answers are there when it has been sent
		n, _, err := unix.Recvfrom(c.fd, buf, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return first
		case err != nil:
			return err
		case n < unix.SizeofNlMsghdr+4:
			return unix.EBADMSG
		}
		if e := int32(binary.NativeEndian.Uint32(buf[unix.SizeofNlMsghdr:])); e != 0 && first == nil {
			first = unix.Errno(-e)
		}
	}
}
