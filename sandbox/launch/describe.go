package launch

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/sandbox/container"
	"ctl/sandbox/namespace"
	"ctl/sandbox/service"
)

// A Description is what a command of a service would be started with. Nothing is made for it.
type Description struct {
	User         string   // NAME (UID:GID), "" for a user that is made up at the start
	Groups       []string // supplementary ones, by number
	Environment  []string // without what there is only at the start
	Namespaces   []string
	Mounts       []namespace.Mount
	NoSUID       bool
	Capabilities uint64 // that processes of the service can ever have
	Ambient      uint64
	Instructions int // of the filter of system calls, 0 for none
}

// Describe tells what a command would be started with.
func Describe(h *Host, s *service.Exec, u *service.Unit, q Request) (d *Description, err error) {
	r := &Room{h: h, s: s, u: u, o: Options{Warn: func(string) {}}}
	if r.host, err = os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return nil, err
	}
	defer r.host.Close()
	var c *command
	d = &Description{Capabilities: ^uint64(0)}
	err = r.thread(func() error {
		_ = r.pickVersions() // which the start fails for
		c = newCommand(r, q)
		if !s.DynamicUser {
			if r.id, err = r.identify(); err != nil {
				return err
			}
			d.identity(&r.id)
		}
		for i, dir := range r.connected() {
			if dir != "" {
				r.tmp[i] = dir + "/systemd-private-…/tmp"
			}
		}
		return c.environment()
	})
	if err != nil {
		return nil, err
	}
	for _, v := range c.env {
		if !strings.Contains(v, pidPlace) && !strings.HasPrefix(v, "INVOCATION_ID=") {
			d.Environment = append(d.Environment, v)
		}
	}
	d.Namespaces = c.namespaces()
	if c.sandbox {
		b := &child{command: c, own: container.Capabilities()}
		d.Capabilities = r.bounding()
		d.Instructions = len(b.policy().Program())
		if p := namespace.New(c.mountRequest()); p != nil {
			d.Mounts, d.NoSUID = p.Mounts, p.NoSUID
			d.Namespaces = append([]string{"mount"}, d.Namespaces...)
		}
	}
	if c.drops {
		d.Ambient = s.AmbientCapabilities
	}
	return d, nil
}

func (d *Description) identity(id *identity) {
	name := id.name
	if !id.set {
		name = "root"
		if uid := os.Geteuid(); uid != 0 {
			name, id.uid, id.gid = "", uint32(uid), uint32(os.Getegid())
		}
	}
	d.User = strings.TrimSpace(name + " (" + strconv.Itoa(int(id.uid)) + ":" + strconv.Itoa(int(id.gid)) + ")")
	for _, g := range id.groups {
		d.Groups = append(d.Groups, strconv.Itoa(int(g)))
	}
}

// namespaces are those that the command is in by its settings, but for that of mounts.
func (c *command) namespaces() []string {
	var l []string
	s := c.s
	if !c.sandbox {
		return nil
	}
	for _, n := range [...]struct {
		on   bool
		name string
	}{{s.PrivateNetwork || s.NetworkNamespacePath != "", "network"}, {s.PrivateIPC || s.IPCNamespacePath != "", "ipc"},
		{s.PrivatePIDs && !c.q.Control, "pid"}, {s.PrivateUsers != "no" && s.PrivateUsers != "", "user"},
		{s.ProtectHostname == "yes" || s.ProtectHostname == "private", "uts"},
		{s.ProtectControlGroups == "private" || s.ProtectControlGroups == "strict", "cgroup"}} {
		if n.on {
			l = append(l, n.name)
		}
	}
	return l
}
