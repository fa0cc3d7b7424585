package console

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A stream is one of the three that bytes come from or go to. What epoll(7) told of it last, edge-triggered, is in
// readable and writable; a try that would block takes it back.
type stream struct {
	fd                 int // -1 when there is none any more
	own                bool
	readable, writable bool
}

func (s *stream) read(b []byte) (int, error) {
	n, err := again(func() (int, error) { return unix.Read(s.fd, b) })
	if err == syscall.EAGAIN {
		s.readable = false
	}
	return n, err
}

// write is no failure when nothing can be written now.
func (s *stream) write(b []byte) (int, error) {
	n, err := again(func() (int, error) { return unix.Write(s.fd, b) })
	if err == syscall.EAGAIN {
		s.writable = false
		return 0, nil
	}
	return n, err
}

// again calls f until no signal interrupts it.
func again(f func() (int, error)) (int, error) {
	for {
		if n, err := f(); err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func (s *stream) close() {
	if s.own {
		unix.Close(s.fd)
	}
	*s = stream{fd: -1}
}

// A poller waits until something can be done with the streams. It is edge-triggered, for a master whose other side nobody
// has open would be reported all the time.
type poller struct {
	ep, event int
	streams   []*stream
}

func newPoller(streams ...*stream) (*poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	p := &poller{ep: ep, event: -1, streams: streams}
	if p.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		p.close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	err = p.add(p.event, unix.EPOLLIN)
	for _, s := range streams {
		// Files and /dev/null are always ready, and epoll(7) refuses them.
		if s.fd >= 0 && err == nil {
			if err = p.add(s.fd, unix.EPOLLIN|unix.EPOLLOUT); err == syscall.EPERM {
				err = nil
			}
		}
	}
	if err != nil {
		p.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	return p, nil
}

func (p *poller) add(fd int, events uint32) error {
	return unix.EpollCtl(p.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events | unix.EPOLLET&(1<<32-1), Fd: int32(fd)})
}

// wake ends a wait, this one or the next.
func (p *poller) wake() {
	_, _ = unix.Write(p.event, []byte{1, 1, 1, 1, 1, 1, 1, 1})
}

// wait waits until something happens, and tells whether it was a wake.
func (p *poller) wait() (woken bool, err error) {
	var events [4]unix.EpollEvent
	n, err := again(func() (int, error) { return unix.EpollWait(p.ep, events[:], -1) })
	for _, e := range events[:n] {
		woken = woken || int(e.Fd) == p.event
		for _, s := range p.streams {
			if s.fd == int(e.Fd) {
				s.readable = s.readable || e.Events&^unix.EPOLLOUT != 0
				s.writable = s.writable || e.Events&^unix.EPOLLIN != 0
			}
		}
	}
	return woken, os.NewSyscallError("epoll_wait", err)
}

func (p *poller) close() {
	unix.Close(p.ep)
	if p.event >= 0 {
		unix.Close(p.event)
	}
}
