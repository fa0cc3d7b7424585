package sandbox

import (
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
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
	c.Opt.given |= givenNetwork
	c.Opt.privateNetwork = true
	for w := range strings.FieldsSeq(v) {
		if err := c.Opt.moveInterface(w); err != nil {
			return err
		}
	}
	return nil
}

func (o *Settings) moveInterface(v string) error {
	host, inside, has := strings.Cut(v, ":")
	if !has {
		inside = host
	}
	for _, n := range []string{host, inside} {
		if !interfaceName(n) {
			return cli.Usage("Network interface, interface name not valid: " + n)
		}
	}
	o.interfaces = append(o.interfaces, host+":"+inside)
	return nil
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
