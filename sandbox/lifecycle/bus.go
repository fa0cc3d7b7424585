package lifecycle

import "ctl/internal/term"

// awaitName waits for a Type=dbus service to have its name on the bus.
func (a *activity) awaitName() {
	a.say(term.Err, "Type=dbus needs a bus, and there is none here.")
	a.kill(stopTerm, resources)
}

// ownsName tells whether the service has its name.
func (a *activity) ownsName() bool { return false }
