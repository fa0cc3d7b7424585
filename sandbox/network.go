package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
	"ctl/sandbox/netlink"
)

// A network is what belongs to the container's network on the host's side.
type network struct {
	c       *Call
	host    *netlink.Conn
	veth    int32      // the host's end of a pair, 0 for none
	inside  *os.File   // the container's namespace, kept until its borrowed devices are back
	devices []borrowed // in the order in which they were moved
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
	if !o.veth && len(o.interfaces) == 0 {
		return n, nil
	}
	var err error
	if n.host, err = netlink.Open(); err != nil {
		return nil, fmt.Errorf("Failed to connect to netlink: %w", err)
	}
	for _, pair := range o.interfaces {
		host, inside, _ := strings.Cut(pair, ":")
		n.devices = append(n.devices, borrowed{host, inside})
	}
	return n, nil
}

// interfacesReady tells whether the devices that are to be moved are there.
func (c *Call) interfacesReady() error {
	if len(c.Opt.interfaces) == 0 {
		return nil
	}
	host, err := netlink.Open()
	if err != nil {
		return fmt.Errorf("Failed to connect to netlink: %w", err)
	}
	defer host.Close()
	for _, pair := range c.Opt.interfaces {
		name, _, _ := strings.Cut(pair, ":")
		if err := ready(host, name); err != nil {
			return err
		}
	}
	return nil
}

// ready tells whether a device is there and no longer what udev(7) still works on.
func ready(host *netlink.Conn, name string) error {
	index, err := host.Index(name)
	if err != nil {
		return Exit(1) // the reference says no word either
	}
	if _, err := os.Stat("/run/udev/control"); err != nil {
		return nil // nobody does
	}
	if _, err := os.Stat("/run/udev/data/n" + strconv.Itoa(int(index))); err != nil {
		return cli.Usage("Network interface " + name + " is not initialized yet.")
	}
	return nil
}

// give gives the network namespace of the container's first process its devices.
func (n *network) give(pid int) error {
	if len(n.devices) > 0 {
		if err := n.lend(pid); err != nil {
			return err
		}
	}
	if !n.c.Opt.veth {
		return nil
	}
	name, long := vethName("ve-" + n.c.Opt.machine)
	if long != "" {
		n.c.say(term.Info, "Using default interface naming scheme 'v261'.")
		n.c.say(term.Info, "Network interface name '"+long+"' has been changed to '"+name+"' to fit length constraints.")
	}
	inside := hardwareAddress(containerKey, n.c.Opt.machine)
	if mac, err := net.ParseMAC(os.Getenv("SYSTEMD_NSPAWN_NETWORK_MAC")); err == nil && len(mac) == len(inside) {
		inside = [6]byte(mac)
	}
	err := n.host.AddVeth(netlink.Device{Name: name, Address: hardwareAddress(hostKey, n.c.Opt.machine)},
		netlink.Device{Name: "host0", Address: inside}, pid)
	if err != nil {
		return fmt.Errorf("Failed to add new veth interfaces (%s:host0): %w", name, errno(err))
	}
	if n.veth, err = n.host.Index(name); err != nil {
		return fmt.Errorf("Failed to resolve interface %s: %w", name, errno(err))
	}
	if long != "" {
		if err := n.host.AddName(n.veth, long); err != nil {
			n.c.say(term.Warning, fmt.Sprintf("Failed to set alternative interface name '%s', ignoring: %s", long, errno(err)))
		}
	}
	return nil
}

// interfaces are the host's devices that lead to the container.
func (n *network) interfaces() []int32 {
	if n.veth == 0 {
		return nil
	}
	return []int32{n.veth}
}

// lend moves devices of the host to the namespace of a process.
func (n *network) lend(pid int) (err error) {
	if n.inside, err = os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net"); err != nil {
		return err
	}
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
	if n.host == nil {
		return
	}
	if n.veth != 0 {
		// With the namespace of the other end it goes anyway, but some time later.
		if err := n.host.Delete(n.veth); err != nil && !errors.Is(err, unix.ENODEV) {
			n.c.say(term.Warning, "Failed to remove veth interface, ignoring: "+errno(err).Error())
		}
		n.veth = 0
	}
	if n.inside != nil {
		if err := n.takeBack(); err != nil {
			n.c.say(term.Warning, err.Error())
		}
		n.inside.Close()
		n.inside = nil
	}
	n.host.Close()
	n.host = nil
}

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

// The keys that systemd hashes the names of machines with.
var (
	nameKey      = [2]uint64{0x514befa804a490e1, 0xa2fc119f3ac3cc8c}
	hostKey      = [2]uint64{0x0b45ec46c76f371a, 0xb15d600631d5a3ad}
	containerKey = [2]uint64{0x1cb257b519f9c4c3, 0xa2ee9c032714cfe6}
)

// vethName is a name that a device can have: what is too long ends in a hash of the whole, which is then returned as well.
func vethName(name string) (short, long string) {
	const most = unix.IFNAMSIZ - 1
	if len(name) <= most {
		return name, ""
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], uint32(unit.SipHash(nameKey, name)))
	return name[:most-4] + base64.URLEncoding.EncodeToString(sum[1:]), name
}

// hardwareAddress is the address of a device of a machine: always the same one on this host.
func hardwareAddress(key [2]uint64, machine string) [6]byte {
	var id []byte // on a host that has none the name alone counts
	if data, err := os.ReadFile("/etc/machine-id"); err == nil {
		text, _ := unit.MachineID(data)
		id, _ = hex.DecodeString(text)
	}
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], unit.SipHash(key, string(id)+machine))
	sum[0] = sum[0]&^1 | 2 // for one device, and given by nobody who makes devices
	return [6]byte(sum[:])
}
