package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/sandbox/container"
)

// A network is what belongs to the container's network on the host's side.
type network struct {
	c *Call
}

// network decides which network the container has.
func (c *Call) network(d *container.Container) (*network, error) {
	o := &c.Opt
	if o.veth || len(o.interfaces) > 0 {
		return nil, cli.Usage("Network devices are not implemented yet.")
	}
	if o.networkPath != "" {
		f, err := os.Open(o.networkPath)
		if err != nil {
			return nil, fmt.Errorf("Cannot open file %s: %w", o.networkPath, errno(err))
		}
		if t, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || t != unix.CLONE_NEWNET {
			f.Close()
			return nil, cli.Usage("Path " + o.networkPath + " doesn't refer to a network namespace, refusing.")
		}
		d.Namespace.NetworkPath = f
	}
	return &network{c: c}, nil
}

// give gives a process's network namespace its devices.
func (n *network) give(int) error { return nil }

func (n *network) close() {}
