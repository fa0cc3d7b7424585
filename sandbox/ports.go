package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/netlink"
)

// A ports is those of the host that lead to the container, wherever its addresses are.
type ports struct {
	c        *Call
	firewall *netlink.Conn
	owner    netlink.Owner
	watch    *netlink.Watch
	done     chan struct{} // closed when nobody looks any longer
	exposed  []exposed     // by family and port
}

// An exposed is a port, with where it leads now.
type exposed struct {
	netlink.Forward
	family uint8
	taken  bool // by somebody else
}

// openPorts opens the firewall and removes what supervisors have left there that were killed.
func (c *Call) openPorts() (*ports, error) {
	firewall, err := netlink.OpenFirewall()
	if err != nil {
		return nil, fmt.Errorf("Cannot expose configured ports, failed to initialize nftables: %w", errno(err))
	}
	firewall.RemoveForwards(gone)
	p := &ports{c: c, firewall: firewall, owner: owner(os.Getpid())}
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		for _, v := range c.Opt.ports {
			words := strings.Split(v, ":")
			e := exposed{family: family}
			e.Protocol = unix.IPPROTO_TCP
			if words[0] == "udp" {
				e.Protocol = unix.IPPROTO_UDP
			}
			e.Port, e.To = number16(words[1]), netip.AddrPortFrom(netip.Addr{}, number16(words[2]))
			p.exposed = append(p.exposed, e)
		}
	}
	return p, nil
}

func number16(s string) uint16 {
	n, _ := unit.Unsigned(s, 16) // setPort has seen that it is one
	return uint16(n)
}

// follow has the ports lead to the addresses that the namespace has, until close.
func (p *ports) follow(namespace *os.File) (err error) {
	if p.watch, err = netlink.WatchAddresses(namespace); err != nil {
		return fmt.Errorf("Failed to watch the addresses of the container: %w", errno(err))
	}
	p.update()
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		for p.watch.Changed() {
			p.update()
		}
	}()
	return nil
}

// update has the ports lead to the addresses that there are now.
func (p *ports) update() {
	for _, family := range [...]uint8{unix.AF_INET, unix.AF_INET6} {
		p.lead(family, p.watch.Address(family))
	}
}

// lead has the ports lead to an address, or nowhere if there is none.
func (p *ports) lead(family uint8, address netip.Addr) {
	for i := range p.exposed {
		e := &p.exposed[i]
		before := e.Forward
		if e.family != family || before.To.Addr() == address {
			continue
		}
		leads := before.To.Addr().IsValid() && !e.taken
		e.To, e.taken = netip.AddrPortFrom(address, e.To.Port()), false
		var err error
		switch {
		case address.IsValid() && leads:
			err = p.firewall.AddForward(e.Forward, &before, p.owner)
		case address.IsValid():
			err = p.firewall.AddForward(e.Forward, nil, p.owner)
		case leads:
			err = p.firewall.RemoveForward(before)
		}
		if err != nil {
			e.taken = errors.Is(err, unix.EEXIST)
			name := "AF_INET"
			if family == unix.AF_INET6 {
				name = "AF_INET6"
			}
			p.c.say(term.Err, "Failed to modify "+name+" firewall: "+errno(err).Error())
		}
	}
}

// close removes what leads to the container.
func (p *ports) close() {
	if p.watch != nil {
		p.watch.Close()
		<-p.done
		p.watch.Release()
		p.lead(unix.AF_INET, netip.Addr{})
		p.lead(unix.AF_INET6, netip.Addr{})
	}
	p.firewall.Close()
}

// owner is what the firewall is to remember of a process: its number and start time, and where it has that number.
func owner(pid int) (o netlink.Owner) {
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/pid", &st) == nil {
		binary.NativeEndian.PutUint64(o[:], st.Ino)
	}
	binary.NativeEndian.PutUint64(o[8:], uint64(pid))
	if data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil {
		_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
		if words := strings.Fields(rest); len(words) > 19 { // starttime, proc_pid_stat(5)
			started, _ := strconv.ParseUint(words[19], 10, 64)
			binary.NativeEndian.PutUint64(o[16:], started)
		}
	}
	return o
}

// gone tells whether a process that has left something in the firewall has ended. Of what cannot be seen from here nobody knows.
func gone(o netlink.Owner) bool {
	now := owner(int(binary.NativeEndian.Uint64(o[8:])))
	return [8]byte(now[:]) == [8]byte(o[:]) && now != o
}
