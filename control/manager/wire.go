package manager

import (
	"bytes"
	"encoding/binary"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// maxMessage is the most that a message may have, D-Bus specification, "Message Format".
const maxMessage = 1 << 27

// fill reads until n bytes are there.
func (c *Conn) fill(n int) error {
	const room = 4096
	for len(c.in) < n {
		if cap(c.in)-len(c.in) < room {
			// What was used makes room: memory that is touched for the first time is dearer than copying.
			if len(c.in)+room > cap(c.buffer) {
				c.buffer = make([]byte, 0, max(2*cap(c.buffer), 32<<10))
			}
			c.in = append(c.buffer, c.in...)
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
				return &Error{Name: prefixBus + "AccessDenied", errno: syscall.EPERM}
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

// next reads one message. It is nil if what came is to be passed over.
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
		return nil, syscall.ENOBUFS
	}
	if err := c.fill(int(length)); err != nil {
		return nil, err
	}
	whole := c.in[:length]
	c.in = c.in[length:]
	if whole[3] != 1 {
		return nil, nil // another version of the protocol
	}
	header := whole[16 : 16+fields]
	keepOrder(header, order)
	if m := plainMessage(whole, header, &c.kept); m != nil {
		return m, nil
	}
	m, err := dbus.DecodeMessage(bytes.NewReader(whole))
	if err != nil {
		return damaged(dbus.Type(whole[1]), header, order), nil
	}
	return m, nil
}

// A spoiled value stands for a body that cannot be read; it has the body's signature.
type spoiled string

// damaged is a message that godbus does not take. Who only wants to know that there is a reply does
// not mind what is in it. With a header that cannot be read it is nil.
func damaged(kind dbus.Type, header []byte, order binary.ByteOrder) *dbus.Message {
	m := &dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}}
	var signature string
	eachField(header, order, func(code dbus.HeaderField, kind byte, value []byte) {
		switch code {
		case dbus.FieldReplySerial:
			if len(value) == 4 {
				m.Headers[code] = dbus.MakeVariant(order.Uint32(value))
			}
		case dbus.FieldErrorName:
			m.Headers[code] = dbus.MakeVariant(string(value))
		case dbus.FieldSignature:
			signature = string(value)
		}
	})
	if _, err := dbus.ParseSignature(signature); err != nil || replyTo(m) == 0 {
		return nil
	}
	switch _, named := m.Headers[dbus.FieldErrorName]; {
	case kind == dbus.TypeMethodReply:
		m.Body = []any{spoiled(signature)}
	case kind != dbus.TypeError || !named:
		return nil
	}
	return m
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
func keepOrder(header []byte, order binary.ByteOrder) {
	eachField(header, order, func(code dbus.HeaderField, kind byte, value []byte) {
		if code != dbus.FieldSignature {
			return
		}
		for i, ch := range value {
			switch ch {
			case '{':
				value[i] = '('
			case '}':
				value[i] = ')'
			}
		}
	})
}

// eachField hands the types and bytes of the header's fields to f, of texts without their lengths, as far as they
// can be read.
// The header is an array that begins at an offset of 16 in its message.
func eachField(header []byte, order binary.ByteOrder, f func(code dbus.HeaderField, kind byte, value []byte)) (complete bool) {
	end, letters := 0, true
	for i := 0; i+5 <= len(header); i = (i + 7) &^ 7 {
		code, kind := dbus.HeaderField(header[i]), header[i+2]
		letters = letters && header[i+1] == 1
		i += 4 // the code, and a signature of one letter
		n := 4
		switch kind {
		case 'g':
			n = int(header[i])
			i++
		case 's', 'o':
			if i+4 > len(header) {
				return false
			}
			length := order.Uint32(header[i:])
			i += 4
			if uint64(length) > uint64(len(header)) {
				return false
			}
			n = int(length)
		case 'u':
		default:
			return false
		}
		if i+n > len(header) {
			return false
		}
		f(code, kind, header[i:i+n])
		i += n
		if kind != 'u' {
			i++ // the NUL
		}
		end = i
	}
	return letters && end == len(header)
}
