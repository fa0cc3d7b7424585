package run

import (
	"errors"
	"os"
	"slices"
	"sync"

	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/launch"
	"ctl/sandbox/lifecycle"
	"ctl/sandbox/service"
)

// start runs the units until they have ended.
func (c *Call) start(s *set) (err error) {
	if done, err := c.userNamespace(s); done || err != nil {
		return err
	}
	if c.signals == nil {
		c.signals = lifecycle.CatchSignals()
	}
	host := &launch.Host{Tree: c.Opt.root, User: c.Opt.scope == user, Users: c.users}
	l, err := c.take(host.User)
	if err != nil {
		return err
	}
	end := sync.OnceValue(l.end)
	defer func() { err = errors.Join(err, end()) }()
	host.Runtime = l.dir
	rooms := make(map[string]*launch.Room) // the last of each unit
	var t *terminal                        // of --shell
	if c.Opt.shell {
		t = openTerminal()
		defer t.close()
	}
	config := &lifecycle.Config{
		Tree:    c.Opt.root,
		User:    host.User,
		Runtime: host.Runtime,
		Signals: c.signals,
		End:     func() { _ = end() },
		Open: func(v *service.Service, invocation string) (lifecycle.Room, error) {
			o := launch.Options{Invocation: invocation, Join: s.joins(v, rooms), Degraded: c.Opt.degraded, Warn: func(text string) {
				c.say(term.Warning, v.Name+": "+text+t.end())
			}}
			if t != nil {
				o.Stdio, o.Terminal = [3]*os.File{t.slave, t.slave, t.slave}, true
			}
			r, err := launch.Open(host, &v.Exec, &v.Unit, o)
			if err != nil {
				return nil, err
			}
			rooms[v.Name] = r
			return r, nil
		},
		Instance: func(template, instance string) (*service.Service, error) {
			name, err := unit.WithInstance(template, instance)
			if err != nil {
				return nil, err
			}
			return service.Load(c.index, name, c.loading())
		},
		Say: func(m lifecycle.Message) {
			if !c.Opt.quiet && t == nil || m.Level <= term.Warning {
				c.say(m.Level, m.Text+t.end())
			}
		},
	}
	o, err := lifecycle.Run(config, &lifecycle.Set{Services: s.services, Sockets: s.sockets, Main: s.main})
	if err != nil {
		return err
	}
	if o.Status != 0 {
		return exit(o.Status)
	}
	return nil
}

// joins is the room of a unit whose namespaces a service is to share, nil if there is none: of those that it names, or that name it, the
// first that is active.
func (s *set) joins(v *service.Service, rooms map[string]*launch.Room) *launch.Room {
	names := slices.Clone(v.JoinsNamespaceOf)
	for _, o := range s.services {
		if slices.ContainsFunc(o.JoinsNamespaceOf, func(n string) bool { return slices.Contains(v.Names, n) }) {
			names = append(names, o.Name)
		}
	}
	for _, o := range s.services {
		if r := rooms[o.Name]; r != nil && r.Active() && o.Name != v.Name && slices.ContainsFunc(o.Names, func(n string) bool { return slices.Contains(names, n) }) {
			return r
		}
	}
	return nil
}
