// Package netlink makes, moves and removes network devices, rtnetlink(7).
package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Conn is a socket to the kernel's devices of one network namespace.
type Conn struct {
	fd  int
	seq uint32
}

// Open opens a socket to the devices of our own network namespace.
func Open() (*Conn, error) { return open(unix.NETLINK_ROUTE, 0) }

func open(protocol int, groups uint32) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Conn{fd: fd}, nil
}

// OpenIn opens a socket to the devices of another network namespace.
func OpenIn(namespace *os.File) (*Conn, error) { return openIn(namespace, 0) }

func openIn(namespace *os.File, groups uint32) (*Conn, error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	type result struct {
		c   *Conn
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked where there is no way back: the thread ends with the goroutine
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			done <- result{nil, err}
			return
		}
		c, err := open(unix.NETLINK_ROUTE, groups)
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- result{c, err}
	}()
	r := <-done
	return r.c, r.err
}

// Close closes the socket.
func (c *Conn) Close() { unix.Close(c.fd) }

// A Device is what a device that is made is to be.
type Device struct {
	Name    string
	Address [6]byte // its MAC address
}

// AddVeth makes a pair of connected devices, veth(4), of which the peer is in the network namespace of a process.
func (c *Conn) AddVeth(d, peer Device, pid int) error {
	var m message
	m.link(0)
	m.device(d)
	m.nested(unix.IFLA_LINKINFO, func() {
		m.text(unix.IFLA_INFO_KIND, "veth")
		m.nested(unix.IFLA_INFO_DATA, func() {
			m.nested(vethPeer, func() {
				m.link(0)
				m.device(peer)
				m.number(unix.IFLA_NET_NS_PID, uint32(pid))
			})
		})
	})
	_, err := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// vethPeer is VETH_INFO_PEER of linux/veth.h.
const vethPeer = 1

// AddBelow makes a device of a kind, "macvlan" or "ipvlan", that has its traffic over another one, in the network namespace of a process.
func (c *Conn) AddBelow(kind string, d Device, parent int32, pid int) error {
	var m message
	m.link(0)
	m.device(d)
	m.number(unix.IFLA_LINK, uint32(parent))
	m.number(unix.IFLA_NET_NS_PID, uint32(pid))
	m.nested(unix.IFLA_LINKINFO, func() {
		m.text(unix.IFLA_INFO_KIND, kind)
		m.nested(unix.IFLA_INFO_DATA, func() {
			if kind == "macvlan" {
				m.number(1, 4) // IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE
			} else {
				m.nested(1, func() { m = append(m, 0, 0) }) // IFLA_IPVLAN_MODE, IPVLAN_MODE_L2
			}
		})
	})
	_, err := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// AddBridge makes a bridge.
func (c *Conn) AddBridge(name string) error {
	var m message
	m.link(0)
	m.text(unix.IFLA_IFNAME, name)
	m.nested(unix.IFLA_LINKINFO, func() { m.text(unix.IFLA_INFO_KIND, "bridge") })
	_, err := c.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// Join makes a device a port of a bridge, and turns it on.
func (c *Conn) Join(index, bridge int32) error {
	var m message
	m.link(index)
	binary.NativeEndian.PutUint32(m[8:], unix.IFF_UP)  // is to be so
	binary.NativeEndian.PutUint32(m[12:], unix.IFF_UP) // is to change
	m.number(unix.IFLA_MASTER, uint32(bridge))
	_, err := c.request(unix.RTM_SETLINK, 0, m)
	return err
}

// HasPorts tells whether some device is a port of a bridge.
func (c *Conn) HasPorts(bridge int32) (has bool, err error) {
	var m message
	m.link(0)
	m.number(unix.IFLA_MASTER, uint32(bridge))
	err = c.dump(unix.RTM_GETLINK, m, func([]byte) { has = true })
	return has, err
}

// AddName gives a device another name besides its own; such names may be longer. Linux 5.5.
func (c *Conn) AddName(index int32, name string) error {
	var m message
	m.link(index)
	m.nested(unix.IFLA_PROP_LIST|unix.NLA_F_NESTED, func() { m.text(unix.IFLA_ALT_IFNAME, name) })
	_, err := c.request(unix.RTM_NEWLINKPROP, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
	return err
}

// Index is the number of the device of that name. ENODEV: there is none.
func (c *Conn) Index(name string) (int32, error) {
	var m message
	m.link(0)
	if len(name) < unix.IFNAMSIZ {
		m.text(unix.IFLA_IFNAME, name)
	} else {
		m.text(unix.IFLA_ALT_IFNAME, name)
	}
	reply, err := c.request(unix.RTM_GETLINK, 0, m)
	if err != nil {
		return 0, err
	}
	if len(reply) < unix.SizeofIfInfomsg {
		return 0, unix.EBADMSG
	}
	return int32(binary.NativeEndian.Uint32(reply[4:])), nil
}

// Move moves a device to another network namespace, where it has that name.
func (c *Conn) Move(index int32, namespace *os.File, name string) error {
	var m message
	m.link(index)
	m.number(unix.IFLA_NET_NS_FD, uint32(namespace.Fd()))
	m.text(unix.IFLA_IFNAME, name)
	_, err := c.request(unix.RTM_SETLINK, 0, m)
	return err
}

// Delete removes a device.
func (c *Conn) Delete(index int32) error {
	var m message
	m.link(index)
	_, err := c.request(unix.RTM_DELLINK, 0, m)
	return err
}

// A message is the body of a request: a structure and attributes, netlink(7).
type message []byte

// link begins with the structure that names a device.
func (m *message) link(index int32) {
	var b [unix.SizeofIfInfomsg]byte
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	*m = append(*m, b[:]...)
}

func (m *message) device(d Device) {
	m.text(unix.IFLA_IFNAME, d.Name)
	if d.Address != [6]byte{} { // otherwise it is the parent's
		m.nested(unix.IFLA_ADDRESS, func() { *m = append(*m, d.Address[:]...) })
	}
}

func (m *message) text(kind uint16, s string) {
	m.nested(kind, func() { *m = append(append(*m, s...), 0) })
}

func (m *message) number(kind uint16, n uint32) {
	m.nested(kind, func() { *m = binary.NativeEndian.AppendUint32(*m, n) })
}

// big appends a number as netfilter has them.
func (m *message) big(kind uint16, n uint32) {
	m.nested(kind, func() { *m = binary.BigEndian.AppendUint32(*m, n) })
}

// data appends a value as rules have them.
func (m *message) data(kind uint16, value []byte) {
	m.nest(kind, func() { m.nested(unix.NFTA_DATA_VALUE, func() { *m = append(*m, value...) }) })
}

// nest is nested with the mark that newer protocols want.
func (m *message) nest(kind uint16, f func()) { m.nested(kind|unix.NLA_F_NESTED, f) }

// attributes has each gets the attributes that b consists of.
func attributes(b []byte, each func(kind uint16, value []byte)) {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			return
		}
		each(binary.NativeEndian.Uint16(b[2:])&0x3fff, b[unix.SizeofNlAttr:n])
		b = b[min(len(b), (n+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
}

// nested appends an attribute that holds what f appends.
func (m *message) nested(kind uint16, f func()) {
	at := len(*m)
	*m = append(*m, 0, 0, 0, 0)
	f()
	binary.NativeEndian.PutUint16((*m)[at:], uint16(len(*m)-at))
	binary.NativeEndian.PutUint16((*m)[at+2:], kind)
	for len(*m)%unix.NLA_ALIGNTO != 0 {
		*m = append(*m, 0)
	}
}

// request sends a message and returns the body of the answer. The error has the kernel's errno.
func (c *Conn) request(kind, flags uint16, m message) (answer []byte, err error) {
	if kind != unix.RTM_GETLINK { // which has an answer anyway
		flags |= unix.NLM_F_ACK
	}
	if err := c.send(kind, flags, m); err != nil {
		return nil, err
	}
	err = c.receive(func(body []byte) bool {
		answer = body
		return false
	})
	return answer, err
}

// dump has each gets the body of all that the kernel has of a kind.
func (c *Conn) dump(kind uint16, m message, each func([]byte)) error {
	if err := c.send(kind, unix.NLM_F_DUMP, m); err != nil {
		return err
	}
	return c.receive(func(body []byte) bool {
		each(body)
		return true
	})
}

func (c *Conn) send(kind, flags uint16, m message) error {
	return unix.Sendto(c.fd, c.frame(kind, flags, m), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// frame is a message with its header.
func (c *Conn) frame(kind, flags uint16, m message) []byte {
	c.seq++
	var b []byte
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.SizeofNlMsghdr+len(m)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, c.seq)
	return append(binary.NativeEndian.AppendUint32(b, 0), m...)
}

// receive has each gets what answers the last request, until that says that it is enough or the kernel that it was all.
func (c *Conn) receive(each func(body []byte) bool) error {
	buf := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		for b := buf[:n]; len(b) > 0; {
			var header unix.NlMsghdr
			if _, err := binary.Decode(b, binary.NativeEndian, &header); err != nil || header.Len < unix.SizeofNlMsghdr || int(header.Len) > len(b) {
				return fmt.Errorf("an answer of %d bytes: %w", len(b), unix.EBADMSG)
			}
			body := b[unix.SizeofNlMsghdr:header.Len]
			b = b[min(len(b), (int(header.Len)+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
			switch {
			case header.Seq != c.seq:
			case header.Type == unix.NLMSG_DONE:
				return nil
			case header.Type == unix.NLMSG_ERROR && len(body) >= 4:
				if e := int32(binary.NativeEndian.Uint32(body)); e != 0 {
					return unix.Errno(-e)
				}
				return nil
			case !each(body):
				return nil
			}
		}
	}
}
