package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox/container"
	"ctl/sandbox/netlink"
)

// A network is what belongs to the container's network on the host's side.
type network struct {
	c       *Call
	host    *netlink.Conn
	veth    int32      // the host's end of the pair that leads to host0, 0 for none
	bridge  int32      // that it is a port of, 0 for none
	extra   []int32    // the host's ends of further pairs
	inside  *os.File   // the container's namespace, kept until what it has of the host's is back or removed
	devices []borrowed // in the order in which they were moved
	ports   *ports     // nil if none leads to the container
	below   []string   // the container's devices that have their traffic over one of the host's
}

// A borrowed device is one of the host's that the container has.
type borrowed struct{ host, inside string }

// network decides which network the container has.
func (c *Call) network(d *container.Container) (*network, error) {
	o, n := &c.Opt, &network{c: c}
	if o.networkPath != "" {
		f, err := os.Open(o.networkPath)
		if err != nil {
			return nil, fmt.Errorf("Cannot open file %s: %w", o.networkPath, errno(err))
		}
		if t, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || t != unix.CLONE_NEWNET {
			f.Close()
			return nil, cli.Usage("Path " + o.networkPath + " doesn't refer to a network namespace, refusing.")
		}
		d.Namespace.NetworkPath, d.Namespace.Loopback = f, o.privateNetwork
	}
	var err error
	if len(o.ports) > 0 && !o.dryRun {
		if n.ports, err = c.openPorts(); err != nil {
			return nil, err
		}
	}
	if !o.veth && len(o.interfaces) == 0 && !o.further() {
		return n, nil
	}
	if n.host, err = netlink.Open(); err != nil {
		return nil, fmt.Errorf("Failed to connect to netlink: %w", err)
	}
	for _, pair := range o.interfaces {
		host, inside, _ := strings.Cut(pair, ":")
		n.devices = append(n.devices, borrowed{host, inside})
	}
	return n, nil
}

// interfacesReady tells whether the devices are there that are to be moved, or to have the container's traffic.
func (c *Call) interfacesReady() error {
	o := &c.Opt
	if len(o.interfaces)+len(o.macvlan)+len(o.ipvlan) == 0 {
		return nil
	}
	host, err := netlink.Open()
	if err != nil {
		return fmt.Errorf("Failed to connect to netlink: %w", err)
	}
	defer host.Close()
	for i, l := range [...][]string{o.interfaces, o.macvlan, o.ipvlan} {
		for _, pair := range l {
			name, _, _ := strings.Cut(pair, ":")
			index, err := host.Index(name)
			switch {
			case err != nil && i == 0:
				return Exit(1) // the reference says no word either
			case err != nil:
				return fmt.Errorf("Failed to get device %s: %w", name, errno(err))
			case !ready(index):
				return cli.Usage("Network interface " + name + " is not initialized yet.")
			}
		}
	}
	return nil
}

// ready tells whether a device is no longer what udev(7) still works on.
func ready(index int32) bool {
	if _, err := os.Stat("/run/udev/control"); err != nil {
		return true // nobody does
	}
	_, err := os.Stat("/run/udev/data/n" + strconv.Itoa(int(index)))
	return err == nil
}

// give gives the network namespace of the container's first process its devices.
func (n *network) give(pid int) (err error) {
	o := &n.c.Opt
	if len(n.devices)+len(o.macvlan)+len(o.ipvlan)+len(o.ports) > 0 {
		if n.inside, err = os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net"); err != nil {
			return err
		}
		if err := n.lend(); err != nil {
			return err
		}
	}
	if o.veth {
		if err := n.addVeth(pid); err != nil {
			return err
		}
	}
	for i, pair := range o.vethExtra {
		host, inside, _ := strings.Cut(pair, ":")
		index, err := n.pair(netlink.Device{Name: host, Address: hardwareAddress(extraHostKey, o.machine, i)},
			netlink.Device{Name: inside, Address: hardwareAddress(extraContainerKey, o.machine, i)}, pid)
		if err != nil {
			return err
		}
		n.extra = append(n.extra, index)
	}
	for i, pair := range o.macvlan {
		if err := n.addBelow("macvlan", "mv-", pair, hardwareAddress(macvlanKey, o.machine, i), pid); err != nil {
			return err
		}
	}
	for _, pair := range o.ipvlan {
		if err := n.addBelow("ipvlan", "iv-", pair, [6]byte{}, pid); err != nil {
			return err
		}
	}
	if n.ports != nil {
		return n.ports.follow(n.inside)
	}
	return nil
}

// addVeth makes the pair that leads to host0, and makes the host's end a port of the bridge.
func (n *network) addVeth(pid int) error {
	o, prefix := &n.c.Opt, "ve-"
	if o.bridge+o.zone != "" {
		prefix = "vb-"
	}
	name, long := n.c.deviceName(prefix + o.machine)
	inside := hardwareAddress(containerKey, o.machine, 0)
	if mac, err := net.ParseMAC(os.Getenv("SYSTEMD_NSPAWN_NETWORK_MAC")); err == nil && len(mac) == len(inside) {
		inside = [6]byte(mac)
	}
	var err error
	n.veth, err = n.pair(netlink.Device{Name: name, Address: hardwareAddress(hostKey, o.machine, 0)}, netlink.Device{Name: "host0", Address: inside}, pid)
	if err != nil {
		return err
	}
	if long != "" {
		n.c.unnamed(name, long, n.host.AddName(n.veth, long))
	}
	switch {
	case o.bridge != "":
		n.bridge, err = n.join(o.bridge)
		return cannotJoin(name, o.bridge, err)
	case o.zone != "":
		return n.joinZone(name)
	}
	return nil
}

// pair makes a pair of devices and returns the number of the host's end.
func (n *network) pair(host, inside netlink.Device, pid int) (int32, error) {
	err := n.host.AddVeth(host, inside, pid)
	// The kernel takes away what a container that was killed has had, but not at once.
	for tries := 0; errors.Is(err, unix.EEXIST) && tries < 25; tries++ {
		time.Sleep(20 * time.Millisecond)
		err = n.host.AddVeth(host, inside, pid)
	}
	if err != nil {
		return 0, fmt.Errorf("Failed to add new veth interfaces (%s:%s): %w", host.Name, inside.Name, errno(err))
	}
	index, err := n.host.Index(host.Name)
	if err != nil {
		return 0, fmt.Errorf("Failed to resolve interface %s: %w", host.Name, errno(err))
	}
	return index, nil
}

// addBelow makes a device of the container over one of the host's, called as the latter with a prefix if nobody has said otherwise.
func (n *network) addBelow(kind, prefix, pair string, address [6]byte, pid int) error {
	parent, name, _ := strings.Cut(pair, ":")
	index, err := n.host.Index(parent)
	if err != nil {
		return fmt.Errorf("Failed to resolve interface \"%s\": %w", parent, errno(err))
	}
	long := ""
	if name == "" {
		name, long = n.c.deviceName(prefix + parent)
	}
	if err := n.host.AddBelow(kind, netlink.Device{Name: name, Address: address}, index, pid); err != nil {
		return fmt.Errorf("Failed to add new %s interfaces: %w", kind, errno(err))
	}
	n.below = append(n.below, name)
	if long != "" {
		n.c.unnamed(name, long, unix.ENODEV) // the reference, too, looks for it on the host
	}
	return nil
}

// interfaces are the host's devices that lead to the container.
func (n *network) interfaces() []int32 {
	switch {
	case n.bridge != 0:
		return []int32{n.bridge}
	case n.veth != 0:
		return []int32{n.veth}
	}
	return nil
}

// lend moves devices of the host to the container's namespace.
func (n *network) lend() error {
	all := n.devices
	n.devices = nil
	for _, d := range all {
		index, err := n.host.Index(d.host)
		if err == nil {
			err = n.host.Move(index, n.inside, d.inside)
		}
		if err != nil {
			return fmt.Errorf("Failed to move interface %s to namespace: %w", d.host, errno(err))
		}
		n.devices = append(n.devices, d)
	}
	return nil
}

// close removes what was made and takes back what was lent.
func (n *network) close() {
	if n.ports != nil {
		n.ports.close()
		n.ports = nil
	}
	if n.host != nil {
		n.closeLinks()
		n.host.Close()
		n.host = nil
	}
	if n.inside != nil {
		n.inside.Close()
		n.inside = nil
	}
}

func (n *network) closeLinks() {
	// With the namespace of the other end they go anyway, but some time later.
	for _, veth := range append(n.extra, n.veth) {
		if veth == 0 {
			continue
		}
		if err := n.host.Delete(veth); err != nil && !errors.Is(err, unix.ENODEV) {
			n.c.say(term.Warning, "Failed to remove veth interface, ignoring: "+errno(err).Error())
		}
	}
	for _, pair := range n.c.Opt.macvlan {
		if _, _, named := strings.Cut(pair, ":"); !named && len(n.below) > 0 {
			n.c.deviceName("mv-" + pair) // the reference makes the name once more to remove the device, and says so
		}
	}
	n.leaveZone()
	n.veth, n.bridge, n.extra = 0, 0, nil
	if n.inside != nil && len(n.devices)+len(n.below) > 0 {
		if err := n.takeBack(); err != nil {
			n.c.say(term.Warning, err.Error())
		}
	}
}

// takeBack removes what the container has over the host's devices, and takes back what it was lent.
func (n *network) takeBack() error {
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	there, err := netlink.OpenIn(n.inside)
	if err != nil {
		return fmt.Errorf("Failed to enter the container's network namespace: %w", errno(err))
	}
	defer there.Close()
	for _, name := range n.below { // for a host's device has no two of the same address
		if index, err := there.Index(name); err == nil {
			_ = there.Delete(index)
		}
	}
	for _, d := range n.devices {
		index, e := there.Index(d.inside)
		if e == nil {
			e = there.Move(index, own, d.host)
		}
		if e != nil && err == nil {
			err = fmt.Errorf("Failed to move interface %s back to the host: %w", d.inside, errno(e))
		}
	}
	return err
}
