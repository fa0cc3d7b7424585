package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// The keys that systemd hashes the names of machines with.
var (
	nameKey           = [2]uint64{0x514befa804a490e1, 0xa2fc119f3ac3cc8c}
	hostKey           = [2]uint64{0x0b45ec46c76f371a, 0xb15d600631d5a3ad}
	containerKey      = [2]uint64{0x1cb257b519f9c4c3, 0xa2ee9c032714cfe6}
	extraHostKey      = [2]uint64{0x9e4c9deab7f6c748, 0x66bfd591ded428b7}
	extraContainerKey = [2]uint64{0x354df9ce611750af, 0x59cebe54202b0d84}
	macvlanKey        = [2]uint64{0x81448366bc6d1300, 0x6fa6241f51f90cbb}
)

// deviceName is a name that a device can have: what is too long ends in a hash of the whole, which is then returned as well, and said.
func (c *Call) deviceName(name string) (short, long string) {
	const most = unix.IFNAMSIZ - 1
	if len(name) <= most {
		return name, ""
	}
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], uint32(unit.SipHash(nameKey, name)))
	short = name[:most-4] + base64.URLEncoding.EncodeToString(sum[1:])
	if !c.schemeSaid {
		c.say(term.Info, "Using default interface naming scheme 'v261'.")
		c.schemeSaid = true
	}
	c.say(term.Info, "Network interface name '"+name+"' has been changed to '"+short+"' to fit length constraints.")
	return short, name
}

// unnamed says that a device could not be given its long name besides, if that is so.
func (c *Call) unnamed(short, long string, err error) {
	if err != nil {
		c.say(term.Warning, "Failed to set alternative interface name '"+long+"' to '"+short+"', ignoring: "+errno(err).Error())
	}
}

// hardwareAddress is the address of the device with a number of a machine: always the same one on this host.
func hardwareAddress(key [2]uint64, machine string, number int) [6]byte {
	var id []byte // on a host that has none the name alone counts
	if data, err := sys.ReadFile("/etc/machine-id"); err == nil {
		text, _ := unit.MachineID(data)
		id, _ = hex.DecodeString(text)
	}
	id = append(id, machine...)
	if number > 0 {
		id = binary.LittleEndian.AppendUint64(id, uint64(number))
	}
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], unit.SipHash(key, string(id)))
	sum[0] = sum[0]&^1 | 2 // for one device, and given by nobody who makes devices
	return [6]byte(sum[:])
}
