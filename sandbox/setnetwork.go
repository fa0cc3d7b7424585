package sandbox

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/unit"
)

func setPrivateNetwork(c *Call, _ string) error {
	c.Opt.privateNetwork = true
	c.Opt.given |= givenNetwork
	return nil
}

// interfaceName tells whether a network device may be called so.
func interfaceName(s string) bool {
	return s != "" && len(s) < unix.IFNAMSIZ && s != "." && s != ".." && s != "all" && s != "default" &&
		strings.Trim(s, "0123456789") != "" && !strings.ContainsAny(s, ":/% \t\n")
}

func setInterface(c *Call, v string) error {
	return c.interfaces(&c.Opt.interfaces, "Network interface, interface name not valid: ", v)
}

func setMACVLAN(c *Call, v string) error {
	return c.interfaces(&c.Opt.macvlan, "MACVLAN network interface, interface name not valid: ", v)
}

func setIPVLAN(c *Call, v string) error {
	return c.interfaces(&c.Opt.ipvlan, "IPVLAN network interface, interface name not valid: ", v)
}

// interfaces adds pairs of names, of the host's and the container's interface, to a list.
func (c *Call) interfaces(to *[]string, wrong, v string) error {
	c.Opt.given |= givenNetwork
	c.Opt.privateNetwork = true
	for w := range strings.FieldsSeq(v) {
		host, inside, has := strings.Cut(w, ":")
		if !has {
			inside = host
		}
		for _, n := range []string{host, inside} {
			if !interfaceName(n) {
				return cli.Usage(wrong + n)
			}
		}
		if to == &c.Opt.interfaces {
			w = host + ":" + inside
		}
		*to = append(*to, w) // without a name, it has that of the host's with a prefix
	}
	return nil
}

func setVethExtra(c *Call, v string) error {
	host, inside, has := strings.Cut(v, ":")
	if !has {
		inside = host
	}
	if !interfaceName(host) || !interfaceName(inside) {
		return cli.Usage("Failed to parse --network-veth-extra= parameter: " + v)
	}
	c.Opt.vethExtra = append(c.Opt.vethExtra, host+":"+inside)
	c.Opt.privateNetwork = true
	c.Opt.given |= givenNetwork
	return nil
}

func setBridge(c *Call, v string) error {
	if !interfaceName(v) {
		return cli.Usage("Bridge interface name not valid: " + v)
	}
	c.Opt.bridge = v
	return setVeth(c, "")
}

func setZone(c *Call, v string) error {
	if v != "" {
		if v = "vz-" + v; !interfaceName(v) {
			return cli.Usage("Network zone name not valid: " + v)
		}
	}
	c.Opt.zone = v
	return setVeth(c, "")
}

// errSamePort is a port that is exposed twice.
const errSamePort = cli.Usage("Duplicate port specification")

func setPort(c *Call, v string) error {
	p, err := port(v)
	switch {
	case err != nil:
		return cli.Usage("Failed to parse host port " + v + ": " + strerror(err))
	case slices.Contains(c.Opt.ports, p):
		return cli.Usage(string(errSamePort) + ": " + v)
	}
	c.Opt.ports = append(c.Opt.ports, p)
	c.Opt.given |= givenPorts
	return nil
}

// port parses [PROTOCOL:]HOST[:CONTAINER]; what it returns has all three.
func port(v string) (string, error) {
	protocol, rest, has := strings.Cut(v, ":")
	if protocol != "tcp" && protocol != "udp" {
		protocol, rest = "tcp", v
	} else if !has {
		return "", unix.EINVAL
	}
	host, inside, has := strings.Cut(rest, ":")
	if !has {
		inside = host
	}
	for _, p := range []string{host, inside} {
		n, err := unit.Unsigned(p, 16)
		if err != nil {
			return "", err
		}
		if n == 0 {
			return "", unix.EINVAL
		}
	}
	return protocol + ":" + host + ":" + inside, nil
}

func setVeth(c *Call, _ string) error {
	c.Opt.veth, c.Opt.privateNetwork = true, true
	c.Opt.given |= givenNetwork
	return nil
}

func setNetworkPath(c *Call, v string) (err error) {
	c.Opt.given |= givenNetwork
	c.Opt.networkPath, err = absolute(v)
	return err
}
