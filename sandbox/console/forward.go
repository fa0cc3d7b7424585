package console

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Reason says why Run came to its end.
type Reason int

// The reasons.
const (
	Ended  Reason = iota // the payload has ended, and all that it wrote is written
	Killed               // ^] was typed three times within a second
	Failed               // nobody takes the output any more
)

// held is how much input may wait for a payload that does not read.
const held = 64 << 10

// Run carries bytes until ended is closed and all output is written, or the user wants the container's end. Then the
// caller's terminal is as it was.
//
// The payload may close its terminal and open it again, as systemd does all the time: that is no end. Nor is the end of
// the standard input or the hang-up of the caller's terminal.
func (c *Console) Run(ended <-chan struct{}) (Reason, error) {
	defer c.Restore()
	if c.cfg.Mode == Passive {
		<-ended
		if err := c.openStreams(); err != nil {
			return Failed, err
		}
	}
	p, err := newPoller(&c.master, &c.in, &c.out)
	if err != nil {
		return Failed, err
	}
	var watch sync.WaitGroup
	stop := make(chan struct{})
	defer func() {
		close(stop)
		watch.Wait()
		c.Restore() // as long as there is something to write to
		p.close()
		c.closeStreams()
	}()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, unix.SIGWINCH)
	defer signal.Stop(resized)
	if c.cfg.Size[0] == 0 {
		c.resize(false)
	}
	watch.Go(func() {
		for {
			select {
			case <-resized:
				c.resize(false)
			case <-ended:
				p.wake()
				return
			case <-stop:
				return
			}
		}
	})
	return c.forward(p)
}

func (c *Console) forward(p *poller) (Reason, error) {
	buf := make([]byte, 16<<10)
	over := false
	for {
		typed, killed := c.forwardInput(buf)
		if killed {
			return Killed, nil
		}
		said, err := c.forwardOutput(buf)
		switch {
		case err != nil:
			return Failed, err
		case typed || said:
		case over && !c.master.readable && len(c.output) == 0:
			return Ended, nil
		default:
			woken, err := p.wait()
			if err != nil {
				return Failed, err
			}
			if woken { // what the payload wrote last is to be read
				over, c.master.readable = true, true
			}
		}
	}
}

// forwardInput carries some of what is typed, and tells whether it did, and whether the container is to be killed.
func (c *Console) forwardInput(buf []byte) (moved, killed bool) {
	if c.in.fd >= 0 && c.in.readable && len(c.input) < held {
		n, err := c.in.read(buf)
		moved = err != syscall.EAGAIN
		if moved && n == 0 {
			c.in.close()
			c.input = append(c.input, c.endOfFile()...)
		}
		if n > 0 {
			if c.keys.scan(buf[:n], time.Now(), c.cfg.Hotkey) {
				return true, true
			}
			c.input = append(c.input, buf[:n]...)
			c.typed = buf[n-1]
		}
	}
	if len(c.input) > 0 && c.master.writable {
		n, err := c.master.write(c.input)
		c.input = append(c.input[:0], c.input[n:]...)
		moved = moved || n > 0
		if err != nil {
			c.master.writable = false // it is again when somebody opens the terminal
		}
	}
	return moved, false
}

// endOfFile is what makes a reader of the terminal see the end of the file, unless it takes bytes as they are.
func (c *Console) endOfFile() []byte {
	t, err := unix.IoctlGetTermios(c.master.fd, unix.TCGETS)
	if err != nil || t.Cc[unix.VEOF] == 0 {
		return nil
	}
	if c.typed != 0 && c.typed != '\n' && c.typed != '\r' {
		return []byte{t.Cc[unix.VEOF], t.Cc[unix.VEOF]} // the first ends the line
	}
	return []byte{t.Cc[unix.VEOF]}
}

// forwardOutput carries some of what the payload says, and tells whether it did.
func (c *Console) forwardOutput(buf []byte) (moved bool, err error) {
	c.restoring.Lock() // Restore wants to know how the output stands
	defer c.restoring.Unlock()
	if len(c.output) == 0 && c.master.readable {
		n, err := c.master.read(buf)
		if err != nil || n == 0 { // EIO: no process has the terminal open now
			c.master.readable = false
		}
		if n > 0 {
			c.output = c.filter.apply(c.output, buf[:n])
			c.said = buf[n-1]
			moved = true
		}
	}
	if c.out.fd < 0 {
		c.output = c.output[:0]
	}
	if len(c.output) > 0 && c.out.writable {
		n, err := c.out.write(c.output)
		c.output = append(c.output[:0], c.output[n:]...)
		moved = moved || n > 0
		switch {
		case errors.Is(err, syscall.EIO): // the terminal was hung up; the container goes on
			c.out.close()
			moved = true
		case err != nil:
			return moved, os.NewSyscallError("write", err)
		}
	}
	return moved, nil
}
