package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/lock"
)

// zoneLock is the file whose lock whoever makes or removes the bridge of a zone has.
const zoneLock = "/run/systemd/nspawn-network-zone"

// cannotJoin says that a device cannot be a port of a bridge, if there is an error.
func cannotJoin(name, bridge string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("Failed to add interface %s to bridge %s: %w", name, bridge, errno(err))
}

// join makes the host's end of the pair a port of a bridge, whose number is returned.
func (n *network) join(bridge string) (int32, error) {
	index, err := n.host.Index(bridge)
	if err == nil {
		err = n.host.Join(n.veth, index)
	}
	return index, err
}

// joinZone makes the host's end of the pair, which has that name, a port of the zone's bridge; the first one makes the bridge.
func (n *network) joinZone(name string) error {
	zone := n.c.Opt.zone
	l, err := lockZones()
	if err != nil {
		return err
	}
	defer l.Release()
	index, err := n.join(zone)
	if errors.Is(err, unix.ENODEV) {
		if err := n.host.AddBridge(zone); err != nil {
			return fmt.Errorf("Failed to create bridge interface %s: %w", zone, errno(err))
		}
		index, err = n.join(zone)
	}
	if err == nil {
		n.bridge = index
	}
	return cannotJoin(name, zone, err)
}

// leaveZone removes the bridge of the zone if nobody is left in it.
func (n *network) leaveZone() {
	if n.c.Opt.zone == "" || n.bridge == 0 {
		return
	}
	l, err := lockZones()
	if err == nil {
		defer l.Release()
		var used bool
		if used, err = n.host.HasPorts(n.bridge); err == nil && !used {
			err = n.host.Delete(n.bridge)
		}
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		n.c.say(term.Warning, "Failed to remove bridge interface "+n.c.Opt.zone+", ignoring: "+errno(err).Error())
	}
}

func lockZones() (*lock.Lock, error) {
	_ = unix.Mkdir("/run/systemd", 0o755)
	l, err := lock.Await(zoneLock, lock.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("Failed to take network zone lock: %w", errno(err))
	}
	return l, nil
}
