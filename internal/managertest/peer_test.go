package managertest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"ctl/internal/oracle"
)

// A peer is a manager, or a bus, that lies: what it writes is made by hand, for no library would write it.
type peer struct {
	net.Conn
	in  *bufio.Reader
	bus bool
}

// A call is a message that a peer got: its number, the method's name and the arguments as they came.
type call struct {
	serial uint32
	member string
	body   []byte
}

// peerEnv has the directory for a test binary that is to be all the peers of faults.
const peerEnv = "CTL_TEST_PEERS"

// peerSocket is where the fault of a number is served, as a bus or as the manager's own socket.
func peerSocket(dir string, number int, bus bool) string {
	if bus {
		return fmt.Sprintf("%s/bus%d", dir, number)
	}
	return fmt.Sprintf("%s/private%d", dir, number)
}

// startPeers starts this test binary again as a process of the machine, for systemctl looks at who listens.
func startPeers(t *testing.T, m *oracle.Machine, dir string) {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	cmd := m.Command("mkdir " + dir + "; " + peerEnv + "=" + dir + " exec /proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal("the peers: ", line, err)
	}
}

// servePeers is what such a process does until its standard input ends.
func servePeers(dir string) error {
	listen := func(socket string, bus bool, serve func(*peer)) error {
		l, err := net.Listen("unix", socket)
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					serve(&peer{Conn: c, in: bufio.NewReader(c), bus: bus})
				}()
			}
		}()
		return nil
	}
	var failed error
	for i, f := range faults {
		for _, bus := range []bool{true, false} {
			failed = errors.Join(failed, listen(peerSocket(dir, i, bus), bus, f.serve))
		}
	}
	for i := range pages {
		failed = errors.Join(failed, listen(pageSocket(dir, i), false, page(i)))
	}
	if failed != nil {
		return failed
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// TestMain runs the tests, or the peers.
func TestMain(m *testing.M) {
	if dir := os.Getenv(peerEnv); dir != "" {
		if err := servePeers(dir); err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	oracle.Main(m)
}

// authenticate does its half of the handshake and answers Hello, if there is one to come.
func (p *peer) authenticate() bool {
	for {
		line, err := p.in.ReadString('\n')
		line = strings.TrimLeft(line, "\x00")
		switch {
		case err != nil:
			return false
		case line == "AUTH EXTERNAL\r\n":
			p.say("DATA\r\n")
		case strings.HasPrefix(line, "AUTH"), strings.HasPrefix(line, "DATA"):
			p.say("OK 00112233445566778899aabbccddeeff\r\n")
		case strings.HasPrefix(line, "NEGOTIATE"):
			p.say("AGREE_UNIX_FD\r\n")
		case strings.HasPrefix(line, "BEGIN"):
			return true
		}
	}
}

func (p *peer) say(s string) { _, _ = io.WriteString(p.Conn, s) }

// next reads a call. What it is read from ends or is not understood: false.
func (p *peer) next() (c call, ok bool) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(p.in, head); err != nil {
		return c, false
	}
	c.serial = binary.LittleEndian.Uint32(head[8:])
	fields := make([]byte, (binary.LittleEndian.Uint32(head[12:])+7)&^7)
	_, err := io.ReadFull(p.in, fields)
	c.body = make([]byte, binary.LittleEndian.Uint32(head[4:]))
	_, errBody := io.ReadFull(p.in, c.body)
	// The field MEMBER: its code, the signature "s", the length.
	if i := strings.Index(string(fields), "\x03\x01s\x00"); i >= 0 {
		text := fields[i+8:]
		c.member = string(text[:fields[i+4]])
	}
	return c, errors.Join(err, errBody) == nil
}

// hello answers the first call on a bus.
func (p *peer) hello() bool {
	c, ok := p.next()
	if ok {
		p.reply(c, "s", text(":1.7"))
	}
	return ok
}

// reply sends a method's return with a body that ought to fit the signature.
func (p *peer) reply(to call, signature string, body []byte) {
	p.say(message(2, to.serial, signature, body))
}

// refuse sends an error.
func (p *peer) refuse(to call, name string, says string) {
	p.say(message(3, to.serial, "s", text(says), field(4, "s", text(name))))
}

// field is a header field, D-Bus specification, "Message Format".
func field(code byte, signature string, value []byte) []byte {
	return append([]byte{code, 1, signature[0], 0}, value...)
}

// message is one in little-endian order.
func message(kind byte, replyTo uint32, signature string, body []byte, more ...[]byte) string {
	fields := [][]byte{field(5, "u", binary.LittleEndian.AppendUint32(nil, replyTo)), field(7, "s", text("org.freedesktop.systemd1"))}
	if signature != "" {
		fields = append(fields, field(8, "g", append([]byte{byte(len(signature))}, signature+"\x00"...)))
	}
	var all []byte
	for _, f := range append(fields, more...) {
		all = append(pad(all, 8), f...)
	}
	b := []byte{'l', kind, 1, 1}
	for _, n := range []int{len(body), 1, len(all)} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return string(append(pad(append(b, all...), 8), body...))
}

func pad(b []byte, to int) []byte {
	for len(b)%to != 0 {
		b = append(b, 0)
	}
	return b
}

// text is a string, or an object path, as it is on the wire at the beginning of a body.
func text(s string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s+"\x00"...)
}

// variant is one of a string.
func variant(s string) []byte { return append([]byte("\x01s\x00\x00"), text(s)...) }
