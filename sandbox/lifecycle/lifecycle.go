// Package lifecycle carries services and sockets from their start to their stop as systemd's manager does, systemd.service(5),
// systemd.kill(5), systemd.socket(5): types, notifications, timeouts, restarts, watchdogs, dependencies among several units. Commands are
// started by sandbox/launch.
package lifecycle

import (
	"errors"

	"ctl/internal/term"
	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// A Config is what all units of a Run have in common.
type Config struct {
	Tree     string                                                    // what services take for "/", "" for /
	User     bool                                                      // a user's manager is stood for
	Runtime  string                                                    // a directory of our own, for the sockets that services notify us by
	Open     func(s *service.Service, invocation string) (Room, error) // the surroundings of one activation
	Signals  *Signals                                                  // what comes meanwhile
	Instance func(template, instance string) (*service.Service, error) // the service for a connection, Accept=yes
	Say      func(m Message)
	End      func() // called when nothing of the services lives any more, while our guardian ends; nil for nothing
}

// A Message is what the manager would write to the journal about a unit.
type Message struct {
	Level term.Level
	Unit  string
	Text  string
}

// A Room is where the commands of one activation of a service are started: a launch.Room, but in tests.
type Room interface {
	Start(q launch.Request) (*launch.Process, error)
	Close(restarting bool) error
}

// A Set is which units are run.
type Set struct {
	Services []*service.Service
	Sockets  []*service.Socket
	Main     []string // those whose end is the end of all
}

// An Outcome is how it ended.
type Outcome struct {
	Status int // to exit with: 0 after success, what the main process of the first of Main that failed ended with, 128+n for a signal
}

// ErrNothing is a Set without units.
var ErrNothing = errors.New("no unit to run")
