package manager

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// entry is how the manager takes a property.
type entry struct {
	Name  string
	Value dbus.Variant
}

func entries(l []Assignment) []entry {
	all := make([]entry, len(l))
	for i, a := range l {
		all[i] = entry{a.Name, dbus.MakeVariant(a.Value)}
	}
	return all
}

// ErrJob is the end of a job that has not done what it was for.
var ErrJob = errors.New("the job has failed")

// StartTransient makes a unit that has these properties, starts it, and waits until it has started. If a unit of that name is just
// about to go, which succeeds says, and which a scope can tell itself, its end is waited for.
func (c *Conn) StartTransient(unit string, l []Assignment, succeeds bool) error {
	type auxiliary struct {
		Name       string
		Properties []entry
	}
	c.WatchJobs()
	for watched := false; ; {
		job, err := Ask[ObjectPath](c, "StartTransientUnit", unit, "fail", entries(l), []auxiliary{})
		if IsName(err, "UnitExists") && (succeeds || c.goes(unit)) {
			if watched {
				err = c.awaitRemoval(unit)
			} else { // it may be gone before that is told
				watched, err = true, c.watchRemoval()
			}
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		result := ""
		if err := c.WaitForJobs([]ObjectPath{job}, func(r JobResult) { result = r.Result }); err != nil {
			return err
		}
		if result != "done" {
			return ErrJob
		}
		return nil
	}
}

// goes tells whether a scope is on its way out: it was let go of, or stops, or nobody is in it any more.
func (c *Conn) goes(scope string) bool {
	p, err := c.Property(UnitPath(scope), UnitInterface, "SubState")
	state, _ := p.Value.(string)
	return err == nil && slices.Contains([]string{"abandoned", "stop-sigterm", "stop-sigkill", "dead"}, state)
}

// watchRemoval has the manager tell which units it forgets.
func (c *Conn) watchRemoval() error {
	c.watch("type='signal',sender='" + Service + "',path='" + string(ManagerPath) + "',interface='" + ManagerInterface +
		"',member='UnitRemoved'")
	if _, err := c.Manager("Subscribe"); err != nil && !IsName(err, "AlreadySubscribed") {
		return err
	}
	return nil
}

// awaitRemoval waits until the manager has forgotten a unit.
func (c *Conn) awaitRemoval(unit string) error {
	for until := time.Now().Add(c.Timeout); ; {
		s, err := c.NextSignal(until)
		if err != nil {
			return err
		}
		var name string
		if s.Member == "UnitRemoved" && Scan(s.Body, &name) && name == unit {
			return nil
		}
	}
}

// UniqueName is our name on the bus.
func (c *Conn) UniqueName() (string, error) {
	if c.out != nil {
		if err := c.write(nil); err != nil {
			return "", err
		}
	}
	for c.hello != 0 {
		if err := c.receive(c.patience()); err != nil {
			return "", err
		}
	}
	return c.name, nil
}

// WatchStop has the manager tell the controller of a scope when the scope is to stop.
func (c *Conn) WatchStop() {
	c.watch("type='signal',sender='" + Service + "',interface='" + prefix + "Scope',member='RequestStop'")
}

// AwaitStop waits until the manager wants a scope to stop, true, or cancel can be read.
func (c *Conn) AwaitStop(scope string, cancel *os.File) bool {
	for {
		for len(c.signals) == 0 {
			if len(c.in) == 0 && !c.readable(cancel) {
				return false
			}
			if c.receive(time.Time{}) != nil {
				return false
			}
		}
		s := c.signals[0]
		c.signals = c.signals[1:]
		if s.Member == "RequestStop" && s.Path == UnitPath(scope) {
			return true
		}
	}
}

// readable waits until there is something to be read, true, or until cancel can be read.
func (c *Conn) readable(cancel *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(cancel.Fd()), Events: unix.POLLIN}, {Fd: int32(c.socket.fd), Events: unix.POLLIN}}
	err := retried(func() error {
		_, err := unix.Poll(fds, -1)
		return err
	})
	return err == nil && fds[0].Revents == 0
}

// EndScope ends what is in a scope and lets go of it. A scope that is gone already is no error.
func (c *Conn) EndScope(scope string) {
	_, _ = c.Manager("AbandonScope", scope)
	_, _ = c.Manager("KillUnit", scope, "all", int32(syscall.SIGKILL))
	_, _ = c.Manager("UnrefUnit", scope)
}

// A Machine is what org.freedesktop.machine1(5) is told of one.
type Machine struct {
	Name       string
	ID         []byte
	Service    string
	Class      string
	Leader     uint32
	Root       string
	Interfaces []int32
}

// RegisterMachine makes a machine known, whose processes are in a unit already.
func (c *Conn) RegisterMachine(m Machine) error {
	_, err := c.machined("RegisterMachineWithNetwork", m.Name, m.ID, m.Service, m.Class, m.Leader, m.Root, append([]int32{}, m.Interfaces...))
	return err
}

// UnregisterMachine makes a machine unknown. One that is so already is no error.
func (c *Conn) UnregisterMachine(name string) { _, _ = c.machined("UnregisterMachine", name) }

func (c *Conn) machined(method string, args ...any) ([]any, error) {
	return c.Call(Call{Destination: "org.freedesktop.machine1", Path: "/org/freedesktop/machine1",
		Interface: "org.freedesktop.machine1.Manager", Method: method, Args: args})
}

// Close ends the connection. What was only kept for us goes with it.
func (c *Conn) Close() {
	_ = c.fail(syscall.ECONNRESET)
	_ = c.socket.Close()
}
