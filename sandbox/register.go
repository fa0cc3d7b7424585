package sandbox

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"ctl/control/assign"
	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/sandbox/container"
)

// A registration is what the host's managers know of the container: a scope that it is in, systemd.scope(5), and that it is a
// machine, machinectl(1). On a host without them it is empty.
type registration struct {
	c       *Call
	bus     *manager.Conn // nil where nobody is told
	scope   string        // the unit's name, "" if the container is in ours
	machine bool          // whether it is known as a machine
	stop    chan struct{} // closed when it is
	cancel  *os.File      // closed when nobody needs to know any more
	over    chan struct{} // closed when nobody waits for that any more
	passage string        // a directory of the host, whose mounts appear in the container
}

const passages = "/run/systemd/nspawn/propagate"

// register finds the managers. That there are none is only an error if something was asked for that takes one.
func (c *Call) register(d *container.Container) (*registration, error) {
	o, r := &c.Opt, &registration{c: c, stop: make(chan struct{})}
	if o.keepUnit && o.register == no {
		return r, nil
	}
	settings := !o.keepUnit && (o.slice != "" || len(o.properties) > 0)
	asked := o.register == yes || settings && o.register != no
	if !asked && !managed() {
		if settings { // programs that do without a manager give them all the same
			c.say(term.Notice, noEffect)
		}
		return r, nil
	}
	bus, err := manager.Dial(manager.Target{Full: true, Getenv: os.Getenv})
	if err != nil && asked {
		return nil, fmt.Errorf("Failed to open system bus: %w", errno(err))
	}
	if err != nil {
		return r, nil
	}
	r.bus = bus
	if o.register != no {
		r.open(d)
	}
	return r, nil
}

// managed tells whether the host has a manager and a bus, so that no time is lost where it has none.
func managed() bool {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return false
	}
	_, err := os.Stat("/run/dbus/system_bus_socket")
	return err == nil || os.Getenv("DBUS_SYSTEM_BUS_ADDRESS") != ""
}

// open makes the directory by which `machinectl bind` gets mounts into the container. Without it the container is no worse.
func (r *registration) open(d *container.Container) {
	p := path.Join(passages, r.c.Opt.machine)
	if os.MkdirAll(passages, 0o755) != nil {
		return
	}
	if err := os.Mkdir(p, 0o600); err != nil && !errors.Is(err, os.ErrExist) {
		return
	}
	r.passage, d.Incoming = p, p
}

// add makes a container known whose first process waits. again: it was known before.
func (r *registration) add(running *container.Running, d *container.Container, interfaces []int32, again bool) error {
	o := &r.c.Opt
	if r.bus == nil {
		return nil
	}
	if !o.keepUnit {
		if err := r.addScope(running.PID, again); err != nil {
			return err
		}
	}
	if o.register != no {
		if err := r.addMachine(running.PID, d, interfaces); err != nil && o.register == yes {
			return fmt.Errorf("Failed to register machine: %w", errno(err))
		}
	}
	if r.scope == "" {
		return nil
	}
	return r.watch()
}

func (r *registration) addMachine(pid int, d *container.Container, interfaces []int32) error {
	id, err := hex.DecodeString(d.Identity.UUID)
	if err != nil {
		return err
	}
	err = r.bus.RegisterMachine(manager.Machine{Name: r.c.Opt.machine, ID: id, Service: "systemd-nspawn", Class: "container",
		Leader: uint32(pid), Root: d.Tree, Interfaces: interfaces})
	r.machine = err == nil
	return err
}

func (r *registration) addScope(pid int, again bool) error {
	o := &r.c.Opt
	scope := o.machine + ".scope"
	r.bus.WatchStop()
	name, err := r.bus.UniqueName()
	if err != nil {
		return fmt.Errorf("Failed to open system bus: %w", errno(err))
	}
	l, err := r.properties(pid, name)
	if err != nil {
		return err
	}
	if err := r.bus.StartTransient(scope, l, again); err != nil {
		return cli.Usage("Failed to allocate scope: " + errno(err).Error())
	}
	r.scope = scope
	return nil
}

// watch waits for the manager's wish that the scope stops. From here on until close the connection is its.
func (r *registration) watch() error {
	wait, cancel, err := os.Pipe()
	if err != nil {
		return err
	}
	r.cancel, r.over = cancel, make(chan struct{})
	go func() {
		defer close(r.over)
		defer wait.Close()
		if r.bus.AwaitStop(r.scope, wait) {
			close(r.stop)
		}
	}()
	return nil
}

// slice is where the scope goes.
func (c *Call) slice() string {
	if c.Opt.slice == "" {
		return "machine.slice"
	}
	return c.Opt.slice
}

// properties are those of the scope; the caller's come last.
func (r *registration) properties(pid int, controller string) ([]manager.Assignment, error) {
	o := &r.c.Opt
	allow := []manager.PathText{{Path: "/dev/net/tun", Text: "rwm"}, {Path: "char-pts", Text: "rw"}, {Path: "/dev/fuse", Text: "rwm"}}
	for _, m := range o.mounts {
		var st unix.Stat_t
		if m.Kind != container.Bind || m.InTree || unix.Stat(m.Source, &st) != nil {
			continue
		}
		if t := st.Mode & unix.S_IFMT; t == unix.S_IFCHR || t == unix.S_IFBLK {
			mode := "rw"
			if m.ReadOnly {
				mode = "r"
			}
			allow = append(allow, manager.PathText{Path: m.Source, Text: mode})
		}
	}
	l := []manager.Assignment{
		{Name: "PIDs", Value: []uint32{uint32(pid)}}, {Name: "Description", Value: "Container " + o.machine}, {Name: "Delegate", Value: true},
		{Name: "CollectMode", Value: "inactive-or-failed"}, {Name: "AddRef", Value: true}, {Name: "Slice", Value: r.c.slice()},
		{Name: "Controller", Value: controller}, {Name: "DevicePolicy", Value: "closed"}, {Name: "DeviceAllow", Value: allow},
	}
	if o.killSignal != 0 {
		l = append(l, manager.Assignment{Name: "KillSignal", Value: int32(o.killSignal)}, manager.Assignment{Name: "KillMode", Value: "mixed"})
	}
	if o.start == startBoot {
		l = append(l, manager.Assignment{Name: "CoredumpReceive", Value: true})
	}
	more, err := assign.Read(o.machine+".scope", o.properties, r.c.say)
	return slices.Concat(l, more, o.resources), err
}

// close makes the container unknown again.
func (r *registration) close() {
	if r.bus != nil {
		if r.cancel != nil {
			r.cancel.Close()
			<-r.over
		}
		if r.scope != "" {
			r.bus.EndScope(r.scope)
		}
		if r.machine {
			r.bus.UnregisterMachine(r.c.Opt.machine)
		}
		r.bus.Close()
		r.bus = nil
	}
	if r.passage != "" {
		_ = unix.Rmdir(r.passage)
	}
}
