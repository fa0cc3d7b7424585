package netlink

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// A Watch sees the addresses of a network namespace.
type Watch struct {
	list   *Conn
	events *os.File
}

// WatchAddresses opens a Watch of a network namespace.
func WatchAddresses(namespace *os.File) (*Watch, error) {
	events, err := openIn(namespace, unix.RTMGRP_IPV4_IFADDR|unix.RTMGRP_IPV6_IFADDR)
	if err != nil {
		return nil, err
	}
	list, err := OpenIn(namespace)
	if err == nil {
		err = unix.SetNonblock(events.fd, true)
	}
	if err != nil {
		events.Close()
		return nil, err
	}
	return &Watch{list, os.NewFile(uintptr(events.fd), "addresses")}, nil
}

// Close closes the Watch; whoever waits in Changed need not any longer.
func (w *Watch) Close() { w.events.Close() }

// Changed waits until an address has come or gone. It tells false once the Watch is closed.
func (w *Watch) Changed() bool {
	conn, err := w.events.SyscallConn() // waits without a thread
	if err != nil {
		return false
	}
	buf := make([]byte, 32<<10)
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		_, _, failed = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	return err == nil && (failed == nil || errors.Is(failed, unix.ENOBUFS)) // some were lost: something has changed
}

// Release closes what Close leaves for who still looks.
func (w *Watch) Release() { w.list.Close() }

// Address is the address of a family that the namespace is best reached by, of whatever device. None is the zero Addr.
func (w *Watch) Address(family uint8) netip.Addr {
	var best address
	m := message{family, 0, 0, 0, 0, 0, 0, 0}
	err := w.list.dump(unix.RTM_GETADDR, m, func(body []byte) {
		if a, ok := parseAddress(body); ok && body[0] == family && (!best.ip.IsValid() || a.before(best)) {
			best = a
		}
	})
	if err != nil || best.scope >= unix.RT_SCOPE_LINK {
		return netip.Addr{}
	}
	return best.ip
}

type address struct {
	scope byte
	index uint32
	ip    netip.Addr
}

func (a address) before(b address) bool {
	return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.index, b.index), bytes.Compare(a.ip.AsSlice(), b.ip.AsSlice())) < 0
}

// parseAddress reads an address that can be used from outside.
func parseAddress(body []byte) (a address, ok bool) {
	if len(body) < unix.SizeofIfAddrmsg {
		return a, false
	}
	flags := uint32(body[2])
	a.scope, a.index = body[3], binary.NativeEndian.Uint32(body[4:])
	local := false
	attributes(body[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch ip, is := netip.AddrFromSlice(value); {
		case kind == unix.IFA_FLAGS && len(value) == 4:
			flags = binary.NativeEndian.Uint32(value)
		case kind == unix.IFA_LOCAL && is: // of two that are connected it is ours
			a.ip, local = ip, true
		case kind == unix.IFA_ADDRESS && is && !local:
			a.ip = ip
		}
	})
	return a, a.ip.IsValid() && flags&(unix.IFA_F_DEPRECATED|unix.IFA_F_TENTATIVE) == 0 && a.scope < unix.RT_SCOPE_HOST
}
