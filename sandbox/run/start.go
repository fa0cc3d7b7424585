package run

import (
	"errors"
	"os"
	"path/filepath"

	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/launch"
	"ctl/sandbox/lifecycle"
	"ctl/sandbox/service"
)

// start runs the units until they have ended.
func (c *Call) start(s *set) (err error) {
	host := &launch.Host{Tree: c.Opt.root, User: c.Opt.scope == user}
	if host.Runtime, err = runtimeDir(host.User); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(host.Runtime)) }()
	config := &lifecycle.Config{
		Tree:    c.Opt.root,
		User:    host.User,
		Runtime: host.Runtime,
		Open: func(v *service.Service, invocation string) (lifecycle.Room, error) {
			r, err := launch.Open(host, &v.Exec, &v.Unit, launch.Options{Invocation: invocation, Degraded: c.Opt.degraded, Warn: func(text string) {
				c.say(term.Warning, v.Name+": "+text)
			}})
			if err != nil {
				return nil, err
			}
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
			if !c.Opt.quiet || m.Level <= term.Warning {
				c.say(m.Level, m.Text)
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

// runtimeDir makes a directory for what lives as long as the call, which services may look through but not list.
func runtimeDir(user bool) (string, error) {
	top := "/run/ctl"
	if user {
		top = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "ctl")
		if !filepath.IsAbs(top) {
			top = filepath.Join(os.TempDir(), "ctl-"+os.Getenv("USER"))
		}
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(top, "run-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}
