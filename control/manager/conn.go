// Package manager is a systemd manager, and what else systemctl talks to, over D-Bus:
// connecting, calls, signals, errors. It returns values and never prints.
//
// The messages are godbus's. The connection is ours, for three things that
// godbus's own lacks: the handshake takes one round trip instead of four, a peer is
// spoken to without Hello, and dictionaries keep the order in which they were sent.
package manager

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// An ObjectPath is the D-Bus path of an object.
type ObjectPath = dbus.ObjectPath

// A Conn is a connection to a manager's private socket or to a bus. It is used by one
// goroutine: replies and signals are read when somebody waits for them.
type Conn struct {
	// Interactive lets the service ask the user for authorization (polkit).
	Interactive bool
	// Timeout is how long a call may take; 0 is for ever.
	Timeout time.Duration

	socket  *socket
	bus     bool   // a bus, not a peer
	program bool   // reached through a program's standard input and output
	sasl    bool   // whether the handshake's answer is still to come
	hello   uint32 // the serial of our Hello, 0 when it was answered or not sent
	name    string // the bus's for us, which the answer has
	serial  uint32
	in      []byte // what was read but not used yet
	buffer  []byte // which that is a part of
	kept    kept
	out     []byte // what is to go before the next call: Hello
	replies []*dbus.Message
	signals []*Signal
	watched []*watched
	failed  error // why the connection is of no use any more
}

// IsBus tells whether the other end is a bus, and not the manager itself.
func (c *Conn) IsBus() bool { return c.bus }

// A Signal is what a service said of its own accord.
type Signal struct {
	Path              ObjectPath
	Interface, Member string
	Body              []any
}

// A Call is a method call.
type Call struct {
	Destination       string // on a bus; a peer needs none
	Path              ObjectPath
	Interface, Method string
	Args              []any
	Timeout           time.Duration // instead of the connection's
	NoReply           bool          // nobody waits for a reply
}

// A Ticket stands for the reply to a call that was sent.
type Ticket struct {
	serial  uint32
	timeout time.Duration
}

// newConn speaks over a socket, of which the other end is a bus or a peer.
func newConn(socket *socket, bus bool) *Conn {
	c := &Conn{socket: socket, bus: bus, sasl: true, Timeout: 25 * time.Second}
	uid := strconv.Itoa(os.Geteuid())
	hex := make([]byte, 0, 2*len(uid))
	for i := range len(uid) {
		hex = append(hex, '3', uid[i]) // the digits' codes are 30 to 39
	}
	_, err := socket.Write([]byte("\x00AUTH EXTERNAL " + string(hex) + "\r\nBEGIN\r\n"))
	if err != nil {
		_ = c.fail(err) // the first call says so
	} else if bus {
		var t Ticket
		t, c.out, c.failed = c.encode(Call{Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus",
			Interface: "org.freedesktop.DBus", Method: "Hello"})
		c.hello = t.serial
	}
	return c
}

// Call calls a method and waits for its answer.
func (c *Conn) Call(call Call) ([]any, error) {
	t, err := c.Send(call)
	if err != nil {
		return nil, err
	}
	return c.Wait(t)
}

// Send sends a call. Its reply is waited for with Wait; several calls may be under way.
func (c *Conn) Send(call Call) (Ticket, error) {
	t, m, err := c.encode(call)
	if err == nil {
		err = c.write(m)
	}
	return t, err
}

func (c *Conn) encode(call Call) (Ticket, []byte, error) {
	var flags dbus.Flags
	if c.Interactive {
		flags |= dbus.FlagAllowInteractiveAuthorization
	}
	if call.NoReply {
		flags |= dbus.FlagNoReplyExpected
	}
	destination := ""
	if c.bus {
		destination = call.Destination
	}
	whole := plainCall(call, destination, flags, c.serial+1)
	if whole == nil {
		var err error
		if whole, err = anyCall(call, destination, flags, c.serial+1); err != nil {
			return Ticket{}, nil, err
		}
	}
	c.serial++
	t := Ticket{c.serial, c.Timeout}
	if call.Timeout != 0 {
		t.timeout = call.Timeout
	}
	return t, whole, nil
}

// anyCall has godbus write a call.
func anyCall(call Call, destination string, flags dbus.Flags, serial uint32) ([]byte, error) {
	m := &dbus.Message{Type: dbus.TypeMethodCall, Flags: flags, Body: call.Args, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath:      dbus.MakeVariant(call.Path),
		dbus.FieldInterface: dbus.MakeVariant(call.Interface),
		dbus.FieldMember:    dbus.MakeVariant(call.Method),
	}}
	if destination != "" {
		m.Headers[dbus.FieldDestination] = dbus.MakeVariant(destination)
	}
	if len(call.Args) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(call.Args...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(b.Bytes()[8:], serial)
	return b.Bytes(), nil
}

func (c *Conn) write(m []byte) error {
	if c.failed != nil {
		return c.failed
	}
	if c.sasl {
		// A manager does not look again at what it read together with BEGIN.
		c.socket.deadline = c.patience()
		if err := c.handshake(); err != nil {
			return c.fail(err)
		}
	}
	if c.out != nil {
		m, c.out = append(c.out, m...), nil
	}
	if _, err := c.socket.Write(m); err != nil {
		// What came before the end is still to be read, the answer to Hello among it.
		for until := time.Now().Add(time.Second); c.failed == nil && c.receive(until) == nil; {
		}
		if c.failed == nil {
			_ = c.fail(err)
		}
		return c.failed
	}
	return nil
}

// fail remembers that the connection is gone.
func (c *Conn) fail(err error) error {
	var refused *Error
	switch {
	case errors.As(err, &refused):
	case c.sasl || c.hello != 0:
		err = syscall.ENOTCONN
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.EPIPE):
		err = syscall.ECONNRESET
	}
	c.failed = err
	return err
}

// Wait waits for the reply to a call and returns its values.
// An error of the service is an *Error; one of the connection has an errno.
func (c *Conn) Wait(t Ticket) ([]any, error) {
	m, err := c.await(t.serial, t.timeout)
	if err != nil {
		return nil, err
	}
	return body(m)
}

func body(m *dbus.Message) ([]any, error) {
	if m.Type != dbus.TypeError {
		return m.Body, nil
	}
	e := &Error{}
	e.Name, _ = m.Headers[dbus.FieldErrorName].Value().(string)
	if len(m.Body) > 0 {
		e.Message, _ = m.Body[0].(string)
	}
	return nil, e
}

func (c *Conn) await(serial uint32, timeout time.Duration) (*dbus.Message, error) {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		i := slices.IndexFunc(c.replies, func(m *dbus.Message) bool { return replyTo(m) == serial })
		if i >= 0 {
			m := c.replies[i]
			c.replies = slices.Delete(c.replies, i, i+1)
			return m, nil
		}
		if err := c.receive(deadline); err != nil {
			return nil, err
		}
	}
}

func replyTo(m *dbus.Message) uint32 {
	n, _ := m.Headers[dbus.FieldReplySerial].Value().(uint32)
	return n
}

// NextSignal returns the next signal, waiting for one until the deadline, or for ever if that is
// zero. After the deadline the error is ETIMEDOUT, and the connection still good.
func (c *Conn) NextSignal(deadline time.Time) (*Signal, error) {
	for len(c.signals) == 0 {
		if err := c.receive(deadline); err != nil {
			return nil, err
		}
	}
	s := c.signals[0]
	c.signals = c.signals[1:]
	return s, nil
}

// patience is until when the other end has to have answered the first time. A
// program such as ssh may ask the user for a password before.
func (c *Conn) patience() time.Time {
	if c.program {
		return time.Time{}
	}
	return time.Now().Add(90 * time.Second)
}

// receive reads one message and puts it where it belongs.
func (c *Conn) receive(deadline time.Time) error {
	if c.failed != nil {
		return c.failed
	}
	c.socket.deadline = deadline
	m, err := c.next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return syscall.ETIMEDOUT
	case err != nil:
		return c.fail(err)
	case m == nil:
		return nil
	}
	switch m.Type {
	case dbus.TypeMethodReply, dbus.TypeError:
		if c.hello != 0 && replyTo(m) == c.hello {
			c.hello = 0
			reply, err := body(m)
			if err != nil {
				return c.fail(err)
			}
			Scan(reply, &c.name)
			return nil
		}
		c.replies = append(c.replies, m)
	case dbus.TypeSignal:
		s := &Signal{Body: m.Body}
		s.Path, _ = m.Headers[dbus.FieldPath].Value().(ObjectPath)
		s.Interface, _ = m.Headers[dbus.FieldInterface].Value().(string)
		s.Member, _ = m.Headers[dbus.FieldMember].Value().(string)
		c.signals = append(c.signals, s)
	}
	return nil
}

// window is how many calls are under way at a time: enough to keep the manager busy
// while we read its replies, and few enough for its queues.
const window = 16

// sendAll sends several calls at once.
func (c *Conn) sendAll(calls []Call) ([]Ticket, error) {
	tickets := make([]Ticket, len(calls))
	var all []byte
	for i := range calls {
		t, m, err := c.encode(calls[i])
		if err != nil {
			return nil, err
		}
		tickets[i], all = t, append(all, m...)
	}
	return tickets, c.write(all)
}

// Each makes several calls, the next ones while the replies to the first are read, and
// hands each reply to f in the order of the calls. An error of f ends it.
func (c *Conn) Each(calls []Call, f func(i int, reply []any, err error) error) error {
	tickets := make([]Ticket, 0, len(calls))
	for i := range calls {
		if len(tickets) < min(i+window/2, len(calls)) {
			more, err := c.sendAll(calls[len(tickets):min(i+window, len(calls))])
			if err != nil {
				if told := f(i, nil, err); told != nil {
					return told
				}
				return err
			}
			tickets = append(tickets, more...)
		}
		reply, err := c.Wait(tickets[i])
		if err := f(i, reply, err); err != nil {
			return err
		}
	}
	return nil
}
