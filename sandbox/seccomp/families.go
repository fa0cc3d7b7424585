package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// families are the names of address families, by number. Some have two.
var families = [...]string{"", "AF_UNIX", "AF_INET", "AF_AX25", "AF_IPX", "AF_APPLETALK", "AF_NETROM", "AF_BRIDGE", "AF_ATMPVC", "AF_X25",
	"AF_INET6", "AF_ROSE", "AF_DECnet", "AF_NETBEUI", "AF_SECURITY", "AF_KEY", "AF_NETLINK", "AF_PACKET", "AF_ASH", "AF_ECONET",
	"AF_ATMSVC", "AF_RDS", "AF_SNA", "AF_IRDA", "AF_PPPOX", "AF_WANPIPE", "AF_LLC", "AF_IB", "AF_MPLS", "AF_CAN", "AF_TIPC",
	"AF_BLUETOOTH", "AF_IUCV", "AF_RXRPC", "AF_ISDN", "AF_PHONET", "AF_IEEE802154", "AF_CAIF", "AF_ALG", "AF_NFC", "AF_VSOCK",
	"AF_KCM", "AF_QIPCRTR", "AF_SMC", "AF_XDP", "AF_MCTP"}

func family(name string) int {
	switch name {
	case "AF_LOCAL", "AF_FILE":
		name = "AF_UNIX"
	case "AF_ROUTE":
		name = "AF_NETLINK"
	case "":
		return -1
	}
	return slices.Index(families[:], name)
}

// Families are the address families of a setting RestrictAddressFamilies=: those that are allowed, or that are not. The zero value
// restricts nothing.
type Families struct {
	allow bool
	begun bool
	set   uint64
}

// Reset is what an empty value does, or, if none are to be allowed, the value "none".
func (f *Families) Reset(none bool) { *f = Families{allow: none} }

// Assign adds the words of a value, which began with ~ if it is inverted. The first value decides what the list is about; a later
// one of the other kind takes away from it. Words before one that is no family are kept.
func (f *Families) Assign(inverted bool, words []string) error {
	if !f.begun {
		*f = Families{allow: !inverted, begun: true}
	}
	for _, w := range words {
		n := family(w)
		if n < 0 {
			return fmt.Errorf("address family %s: %w", w, unix.EINVAL)
		}
		if inverted != f.allow {
			f.set |= 1 << n
		} else {
			f.set &^= 1 << n
		}
	}
	return nil
}

// RestrictAddressFamilies lets socket(2) of other families fail with EAFNOSUPPORT. In ABIs with socketcall(2) it does nothing.
func (p *Policy) RestrictAddressFamilies(f Families) {
	if !f.allow && f.set == 0 {
		return
	}
	refused := rule{calls: Calls("socket"), abis: ^muxed(), then: Errno(unix.EAFNOSUPPORT)}
	var rules []rule
	if f.allow {
		rules = []rule{refused}
		refused.then = Allow
	}
	for n := range families {
		if f.set&(1<<n) != 0 {
			refused.tests = []test{is(0, uint32(n))}
			rules = append([]rule{refused}, rules...)
		}
	}
	p.add(filter{Allow, rules})
}
