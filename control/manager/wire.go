package manager

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// maxMessage is the most that a message may have, D-Bus specification, "Message Format".
const maxMessage = 1 << 27

// fill reads until n bytes are there.
func (c *Conn) fill(n int) error {
	for len(c.in) < n {
		if cap(c.in)-len(c.in) < 4096 {
			c.in = append(make([]byte, 0, max(2*cap(c.in), 32<<10)), c.in...)
		}
		k, err := c.socket.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+k]
		if k == 0 && err != nil {
			return err
		}
	}
	return nil
}

// handshake reads the answer to what newConn sent, "Authentication Protocol".
func (c *Conn) handshake() error {
	for {
		if line, rest, ok := bytes.Cut(c.in, []byte("\r\n")); ok {
			if !bytes.HasPrefix(line, []byte("OK ")) {
				return syscall.EPERM
			}
			c.in, c.sasl = rest, false
			return nil
		}
		if len(c.in) > 64<<10 {
			return syscall.EPROTO
		}
		if err := c.fill(len(c.in) + 1); err != nil {
			return err
		}
	}
}

// next reads one message.
func (c *Conn) next() (*dbus.Message, error) {
	if err := c.fill(16); err != nil {
		return nil, err
	}
	order := byteOrder(c.in[0])
	if order == nil {
		return nil, syscall.EBADMSG
	}
	body, fields := uint64(order.Uint32(c.in[4:])), uint64(order.Uint32(c.in[12:]))
	length := 16 + (fields+7)&^7 + body
	if length > maxMessage {
		return nil, syscall.EBADMSG
	}
	if err := c.fill(int(length)); err != nil {
		return nil, err
	}
	whole := c.in[:length]
	c.in = c.in[length:]
	keepOrder(whole[16:16+fields], order)
	m, err := dbus.DecodeMessage(bytes.NewReader(whole))
	if err != nil {
		return nil, syscall.EBADMSG
	}
	return m, nil
}

func byteOrder(b byte) binary.ByteOrder {
	switch b {
	case 'l':
		return binary.LittleEndian
	case 'B':
		return binary.BigEndian
	}
	return nil
}

// keepOrder makes structures of the dictionary entries in the signature of a message. On
// the wire both are alike, but godbus reads a dictionary into a map, which has no order.
// fields is the array of header fields, which begins at an offset of 16.
func keepOrder(fields []byte, order binary.ByteOrder) {
	for i := 0; i+4 <= len(fields); {
		code, kind := fields[i], fields[i+2]
		i += 4 // the code, and a signature of one letter
		switch kind {
		case 'g':
			if i >= len(fields) {
				return
			}
			end := i + 1 + int(fields[i])
			if end >= len(fields) {
				return
			}
			if code == byte(dbus.FieldSignature) {
				s := fields[i+1 : end]
				copy(s, strings.NewReplacer("{", "(", "}", ")").Replace(string(s)))
				return
			}
			i = end + 1
		case 's', 'o':
			if i+4 > len(fields) {
				return
			}
			n := order.Uint32(fields[i:])
			if uint64(n) > uint64(len(fields)) {
				return
			}
			i += 4 + int(n) + 1
		case 'u':
			i += 4
		default:
			return
		}
		i = (i + 7) &^ 7
	}
}
