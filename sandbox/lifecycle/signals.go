package lifecycle

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Signals are the signals that a Run heeds. Until it runs, they do what they do to any program.
type Signals struct {
	ready chan struct{} // closed when they are caught
	mu    sync.Mutex
	to    func(os.Signal) // nil before the run
}

// CatchSignals catches them from when a Run is foreseen, which goes on at its side: for each signal, two threads have to be told. (A signalfd(2) needs
// signals that are blocked in all threads, which Go's are not.) They stay caught until the program ends.
func CatchSignals() *Signals {
	c := &Signals{ready: make(chan struct{})}
	came := make(chan os.Signal, 64)
	go func() {
		signal.Notify(came, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGQUIT)
		close(c.ready)
		for s := range came {
			c.deliver(s)
		}
	}()
	return c
}

// Wait waits until they are caught.
func (c *Signals) Wait() { <-c.ready }

func (c *Signals) deliver(s os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.to != nil:
		c.to(s)
	case s != unix.SIGCHLD && s != unix.SIGWINCH:
		signal.Reset(s)
		_ = unix.Kill(os.Getpid(), s.(syscall.Signal))
	}
}

// give names who gets the signals from now on.
func (c *Signals) give(to func(os.Signal)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = to
}
