package lifecycle

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A loop waits for all that a Run waits for: descriptors that can be read, points in time, signals. What it calls is called one after the
// other, so that nothing else has to be locked.
type loop struct {
	ep, woken int
	watched   []*watch
	timers    []*timer
	next      []func() // to be called before anything is waited for

	signals *Signals
	mu      sync.Mutex
	pending []os.Signal
	posted  []func()
}

// A watch is about a descriptor.
type watch struct {
	fd    int
	call  func()
	gone  bool
	close bool // the descriptor with it
}

// A timer is a call at a point in time.
type timer struct {
	at   time.Time
	call func()
}

func newLoop(signals *Signals) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loop{ep: ep}
	if l.woken, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(ep)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if _, err := l.watch(l.woken, unix.EPOLLIN, func() {
		var count [8]byte
		_, _ = unix.Read(l.woken, count[:])
	}); err != nil {
		unix.Close(ep)
		unix.Close(l.woken)
		return nil, err
	}
	l.signals = signals
	signals.give(func(s os.Signal) {
		l.mu.Lock()
		l.pending = append(l.pending, s)
		l.mu.Unlock()
		l.wake()
	})
	return l, nil
}

func (l *loop) close() {
	l.signals.give(func(os.Signal) {})
	unix.Close(l.ep)
	unix.Close(l.woken)
}

// post has f called by the loop; other goroutines may call it.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	l.mu.Unlock()
	l.wake()
}

func (l *loop) wake() { _, _ = unix.Write(l.woken, []byte{1, 0, 0, 0, 0, 0, 0, 0}) }

// taken are the signals that have come. What was posted is to be called next.
func (l *loop) taken() []os.Signal {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next, l.posted = append(l.next, l.posted...), nil
	s := l.pending
	l.pending = nil
	return s
}

// watch has f called whenever something can be read.
func (l *loop) watch(fd int, events uint32, f func()) (*watch, error) {
	w := &watch{fd: fd, call: f}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	l.watched = append(l.watched, w)
	return w, nil
}

// forget ends a watch.
func (l *loop) forget(w *watch) {
	if w == nil || w.gone {
		return
	}
	w.gone = true
	_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_DEL, w.fd, nil)
	if w.close {
		unix.Close(w.fd)
	}
	for i, o := range l.watched {
		if o == w {
			l.watched = append(l.watched[:i], l.watched[i+1:]...)
			return
		}
	}
}

// after has f called when the time is over; never if that is Forever.
func (l *loop) after(d time.Duration, f func()) *timer {
	t := &timer{call: f}
	if d > 1<<61 {
		return t
	}
	t.at = time.Now().Add(d)
	l.timers = append(l.timers, t)
	return t
}

// stop ends a timer, which may be none.
func (l *loop) stop(t *timer) {
	for i, o := range l.timers {
		if o == t {
			l.timers = append(l.timers[:i], l.timers[i+1:]...)
			return
		}
	}
}

// later has f called when what is being done now is done.
func (l *loop) later(f func()) { l.next = append(l.next, f) }

// turn waits once and calls what is to be called. Descriptors come before signals: who notifies and ends has notified before it ended.
func (l *loop) turn(onSignal func(os.Signal)) error {
	for len(l.next) > 0 {
		f := l.next[0]
		l.next = l.next[1:]
		f()
		if len(l.next) == 0 {
			return nil // the caller looks whether this was all
		}
	}
	var events [32]unix.EpollEvent
	n, err := unix.EpollWait(l.ep, events[:], l.timeout())
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	came := l.taken()
	if len(came) > 0 { // what was written before a process ended can be read by now
		if n, err = unix.EpollWait(l.ep, events[:], 0); err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
	}
	for _, e := range events[:max(n, 0)] {
		for _, w := range l.watched {
			if w.fd == int(e.Fd) {
				w.call()
				break
			}
		}
	}
	for _, s := range came {
		onSignal(s)
	}
	l.elapse()
	return nil
}

// timeout is how many milliseconds may be waited.
func (l *loop) timeout() int {
	wait := time.Duration(-1)
	now := time.Now()
	for _, t := range l.timers {
		if d := max(t.at.Sub(now), 0); wait < 0 || d < wait {
			wait = d
		}
	}
	if wait < 0 {
		return -1
	}
	const day = 24 * time.Hour
	return int((min(wait, day) + time.Millisecond - 1) / time.Millisecond)
}

// elapse calls what is due.
func (l *loop) elapse() {
	now := time.Now()
	for {
		var due *timer
		for _, t := range l.timers {
			if !t.at.After(now) && (due == nil || t.at.Before(due.at)) {
				due = t
			}
		}
		if due == nil {
			return
		}
		l.stop(due)
		due.call()
	}
}

// reaped are the children that have ended; none tells that there are no others, but the guardian.
func reaped(each func(pid int, s syscall.WaitStatus)) (none bool) {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return err == syscall.ECHILD
		}
		each(pid, s)
	}
}
