package lifecycle

import (
	"os"
	"time"

	"ctl/control/manager"
	"ctl/internal/term"
)

// A busName is what is known of the name that a Type=dbus service takes on the bus.
type busName struct{ owner string }

// awaitName waits for the service to take its name.
func (a *activity) awaitName() {
	if a.name == nil {
		a.name = &busName{}
		a.watchName()
	}
	if a.name.owner != "" && a.state == start {
		a.startPost()
	}
}

// ownsName tells whether the service has its name.
func (a *activity) ownsName() bool { return a.name != nil && a.name.owner != "" }

// watchName asks the bus who has the name, and to be told of each change, in a goroutine of its own, for reading from a bus blocks.
func (a *activity) watchName() {
	t := manager.Target{User: a.r.c.User, Full: true, Getenv: func(name string) string {
		if name == "DBUS_SYSTEM_BUS_ADDRESS" && a.r.c.Tree != "" {
			return "unix:path=" + a.r.inTree("/run/dbus/system_bus_socket")
		}
		return os.Getenv(name)
	}}
	told := func(owner string) { a.r.loop.post(func() { a.nameTaken(owner) }) }
	go func() {
		c, err := manager.Dial(t)
		if err == nil {
			_, err = c.Call(busCall("AddMatch", "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"+
				"member='NameOwnerChanged',arg0='"+a.s.BusName+"'"))
		}
		if err != nil {
			a.r.loop.post(func() {
				a.say(term.Err, "There is no bus for Type=dbus: "+err.Error())
				a.name = nil
				if a.state == start {
					a.kill(stopTerm, resources)
				}
			})
			return
		}
		var owner string
		if reply, err := c.Call(busCall("GetNameOwner", a.s.BusName)); err == nil && manager.Scan(reply, &owner) {
			told(owner)
		}
		for {
			s, err := c.NextSignal(time.Time{})
			if err != nil {
				told("")
				return
			}
			var name, old string
			if s.Member == "NameOwnerChanged" && manager.Scan(s.Body, &name, &old, &owner) && name == a.s.BusName {
				told(owner)
			}
		}
	}()
}

func busCall(method string, arg any) manager.Call {
	return manager.Call{Destination: "org.freedesktop.DBus", Path: "/org/freedesktop/DBus", Interface: "org.freedesktop.DBus", Method: method,
		Args: []any{arg}}
}

// nameTaken says what comes when the name has another owner, "" for none.
func (a *activity) nameTaken(owner string) {
	a.name.owner = owner
	switch {
	case owner != "" && a.state == start && a.main.alive():
		a.startPost()
	case owner == "" && a.state == running:
		a.run(success)
	}
}
