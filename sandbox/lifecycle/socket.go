package lifecycle

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// A socketUnit is what becomes of a socket unit: its sockets, which are listened on while no service has them.
type socketUnit struct {
	r      *run
	s      *service.Socket
	open   bool
	failed bool
	socks  []*listener
	starts []time.Time // of its service, TriggerLimitIntervalSec=
	number int         // of the last connection
	conns  []*member   // the services of connections, Accept=yes
	ended  bool
	run    socketCommands
	ending bool
}

// A listener is one line Listen…= and its descriptors.
type listener struct {
	of    *socketUnit
	l     service.Listen
	files []*os.File
	watch []*watch
	made  []string // paths to be removed with RemoveOnStop=
}

// fdName is FileDescriptorName=, which is the unit's name otherwise.
func (l *listener) fdName() string {
	if l.of.s.FDName != "" {
		return l.of.s.FDName
	}
	if l.of.s.Accept {
		return "connection"
	}
	return l.of.s.Name
}

// service is the unit that the socket starts.
func (u *socketUnit) service() string {
	if u.s.Service != "" {
		return u.s.Service
	}
	base := strings.TrimSuffix(u.s.Name, ".socket")
	if u.s.Accept {
		return base + "@.service"
	}
	return base + ".service"
}

// begin opens the sockets and listens.
func (u *socketUnit) begin(done func(ok bool)) {
	if !u.r.evaluate(&u.s.Unit, func(level term.Level, text string) { u.r.say(level, u.s.Name, text) }, "") {
		done(true)
		return
	}
	u.failed, u.ended, u.ending = false, false, false
	if len(u.s.StartPre)+len(u.s.StartPost) > 0 {
		u.r.announce(term.Info, u.s.Name, "Starting "+unitTitle(&u.s.Unit)+"...")
	}
	failed := func(f result) {
		u.closeRoom()
		u.fail(string(f))
		u.r.announce(term.Err, u.s.Name, "Failed to listen on "+unitTitle(&u.s.Unit)+".")
		done(false)
	}
	u.commands(u.s.StartPre, func(f result) {
		if f != success {
			failed(f)
			return
		}
		if err := u.r.within(u.openAll); err != nil {
			u.r.say(term.Err, u.s.Name, err.Error())
			u.shut(resources, failed)
			return
		}
		u.commands(u.s.StartPost, func(f result) {
			if f != success {
				u.shut(f, failed)
				return
			}
			if err := u.listen(); err != nil {
				u.r.say(term.Err, u.s.Name, err.Error())
				u.shut(resources, failed)
				return
			}
			u.open = true
			u.r.announce(term.Info, u.s.Name, "Listening on "+unitTitle(&u.s.Unit)+".")
			done(true)
		})
	})
}

// shut closes the sockets, with the commands of the stop.
func (u *socketUnit) shut(why result, then func(result)) {
	first := func(f result) {
		if why == success {
			why = f
		}
	}
	u.commands(u.s.StopPre, func(f result) {
		first(f)
		u.close()
		u.commands(u.s.StopPost, func(f result) {
			first(f)
			u.closeRoom()
			then(why)
		})
	})
}

func (u *socketUnit) fail(why string) {
	u.failed = true
	u.r.say(term.Warning, u.s.Name, "Failed with result '"+why+"'.")
}

// listen watches the sockets for what comes.
func (u *socketUnit) listen() error {
	for _, l := range u.socks {
		if len(l.watch) > 0 {
			continue
		}
		for _, f := range l.files {
			w, err := u.r.loop.watch(int(f.Fd()), unix.EPOLLIN, func() { u.incoming(l, f) })
			if err != nil {
				return err
			}
			l.watch = append(l.watch, w)
		}
	}
	return nil
}

// deafen ends that, for the service has the sockets.
func (u *socketUnit) deafen() {
	for _, l := range u.socks {
		for _, w := range l.watch {
			u.r.loop.forget(w)
		}
		l.watch = nil
	}
}

// incoming starts the service for what has come.
func (u *socketUnit) incoming(l *listener, f *os.File) {
	if u.r.ending {
		return
	}
	if u.s.Accept && (l.l.Setting == "ListenStream" || l.l.Setting == "ListenSequentialPacket") {
		u.acceptOne(f)
		return
	}
	m := u.r.member(u.service())
	if m == nil || m.a == nil {
		u.r.say(term.Err, u.s.Name, "Failed to queue service startup job: Unit "+u.service()+" not found.")
		u.close()
		u.fail("resources")
		return
	}
	if m.job != none || !m.over() {
		u.deafen()
		return
	}
	if u.tooOften(20) {
		return
	}
	u.deafen()
	u.r.want(m)
	u.r.loop.later(u.r.dispatch)
}

// tooOften counts how often the service is started, TriggerLimitBurst=.
func (u *socketUnit) tooOften(burst uint64) bool {
	interval := 2 * time.Second
	if v, ok := u.option("TriggerLimitIntervalSec"); ok {
		if n, err := parseSpan(v); err == nil {
			interval = n
		}
	}
	if v, ok := u.option("TriggerLimitBurst"); ok {
		if n, err := strconv.ParseUint(v, 10, 32); err == nil {
			burst = n
		}
	}
	if interval <= 0 || burst == 0 {
		return false
	}
	now := time.Now()
	if len(u.starts) > 0 && now.Sub(u.starts[0]) > interval {
		u.starts = nil
	}
	if uint64(len(u.starts)) >= burst {
		u.r.say(term.Warning, u.s.Name, "Trigger limit hit, refusing further activation.")
		u.close()
		u.fail("trigger-limit-hit")
		u.ended = true
		u.open = false
		return true
	}
	u.starts = append(u.starts, now)
	return false
}

// serviceEnded listens again when the service has ended.
func (u *socketUnit) serviceEnded(a *activity) {
	for i, m := range u.conns {
		if m.a == a {
			u.conns = slices.Delete(u.conns, i, i+1)
			u.r.loop.later(func() { u.r.remove(m) })
			break
		}
	}
	if a.s.Name != u.service() || !u.open || u.r.ending || u.s.Accept {
		return
	}
	if a.result == startLimitHit {
		u.close()
		u.open = false
		u.fail("service-start-limit-hit")
		return
	}
	u.flush()
	if err := u.listen(); err != nil {
		u.r.say(term.Warning, u.s.Name, err.Error())
	}
}

// flush throws away what waits, FlushPending=.
func (u *socketUnit) flush() {
	if v, _ := u.option("FlushPending"); v == "" {
		return
	} else if yes, _ := unit.Boolean(v); !yes {
		return
	}
	buf := make([]byte, 65536)
	for _, l := range u.socks {
		for _, f := range l.files {
			for {
				if fd, _, err := unix.Accept4(int(f.Fd()), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK); err == nil {
					unix.Close(fd)
					continue
				}
				if _, _, err := unix.Recvfrom(int(f.Fd()), buf, unix.MSG_DONTWAIT); err != nil {
					break
				}
			}
		}
	}
}

// busy tells whether connections are being served, or commands run.
func (u *socketUnit) busy() bool { return len(u.conns) > 0 || len(u.run.queue) > 0 }

// end closes the sockets, once.
func (u *socketUnit) end() {
	switch {
	case u.ending:
	case !u.open: // on its way up
		u.signal(unix.SIGTERM)
	default:
		u.ending = true
		u.deafen()
		if len(u.s.StopPre)+len(u.s.StopPost) > 0 {
			u.r.announce(term.Info, u.s.Name, "Stopping "+unitTitle(&u.s.Unit)+"...")
		}
		u.shut(success, func(f result) {
			u.open = false
			if f == success {
				u.r.say(term.Info, u.s.Name, "Deactivated successfully.")
			} else {
				u.fail(string(f))
			}
			u.r.announce(term.Info, u.s.Name, "Closed "+unitTitle(&u.s.Unit)+".")
			u.r.loop.later(u.r.dispatch)
		})
	}
}

func (u *socketUnit) close() {
	u.deafen()
	for _, l := range u.socks {
		for _, f := range l.files {
			f.Close()
		}
	}
	if u.s.RemoveOnStop && len(u.socks) > 0 {
		_ = u.r.within(func() error {
			for _, l := range u.socks {
				for _, p := range l.made {
					_ = unix.Unlink(p)
				}
			}
			for _, p := range u.s.Symlinks {
				_ = unix.Unlink(p)
			}
			return nil
		})
	}
	u.socks = nil
}

// option is the last value of a setting.
func (u *socketUnit) option(name string) (string, bool) {
	for _, o := range slices.Backward(u.s.Options) {
		if o[0] == name {
			return o[1], true
		}
	}
	return "", false
}

// listen gives a service the sockets that are open for it.
func (a *activity) listen() error {
	a.listens = nil
	if a.accept != nil {
		return nil
	}
	for _, name := range a.r.socketsOf(a) {
		if m := a.r.member(name); m != nil && m.s != nil && m.s.open {
			m.s.deafen()
			a.listens = append(a.listens, m.s.socks...)
		}
	}
	return nil
}

// A connection is what a service of Accept=yes is for.
type connection struct {
	file *os.File
	env  []string
}

func (c *connection) close() {
	if c != nil {
		c.file.Close()
	}
}

// acceptOne starts a service for a connection.
func (u *socketUnit) acceptOne(f *os.File) {
	fd, peer, err := unix.Accept4(int(f.Fd()), unix.SOCK_CLOEXEC)
	if err != nil {
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED) {
			u.r.say(term.Warning, u.s.Name, "Failed to accept socket: "+reason(err))
		}
		return
	}
	attach(u.s.AcceptAttributes, func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) })
	c := &connection{file: os.NewFile(uintptr(fd), "connection")}
	limit := u.s.MaxConnections
	if limit == 0 {
		limit = 64
	}
	if uint(len(u.conns)) >= limit {
		u.r.say(term.Warning, u.s.Name, "Too many incoming connections ("+decimal(len(u.conns))+"), dropping connection.")
		c.close()
		return
	}
	if u.tooOften(200) {
		c.close()
		return
	}
	instance := decimal(u.number) + u.describe(fd, peer, c)
	u.number++
	template := u.service()
	s, err := u.r.c.Instance(template, instance)
	if err != nil {
		u.r.say(term.Err, u.s.Name, "Failed to queue service startup job: "+err.Error())
		c.close()
		return
	}
	m := u.r.add(s)
	m.a.accept = c
	u.conns = append(u.conns, m)
	m.job = waiting
	u.r.loop.later(u.r.dispatch)
}

// describe is the part of an instance's name that tells who is connected, and what the service is told of it.
func (u *socketUnit) describe(fd int, peer unix.Sockaddr, c *connection) string {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return ""
	}
	here, there := endpoint(local), endpoint(peer)
	if here.IsValid() && there.IsValid() {
		c.env = []string{"REMOTE_ADDR=" + there.Addr().String(), "REMOTE_PORT=" + strconv.Itoa(int(there.Port()))}
		return "-" + written(here) + "-" + written(there)
	}
	if cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
		if a, ok := peer.(*unix.SockaddrUnix); ok && a.Name != "" && a.Name != "@" { // which stands for no name
			c.env = []string{"REMOTE_ADDR=" + a.Name}
		}
		return "-" + strconv.Itoa(int(cred.Pid)) + "-" + strconv.FormatUint(uint64(cred.Uid), 10)
	}
	return ""
}

// endpoint is an address of the internet.
func endpoint(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

func written(a netip.AddrPort) string { return a.Addr().String() + ":" + strconv.Itoa(int(a.Port())) }

// remove forgets the service of a connection.
func (r *run) remove(m *member) {
	m.a.closeNotify()
	m.a.group.Remove()
	r.members = slices.DeleteFunc(r.members, func(o *member) bool { return o == m })
	r.activities = slices.DeleteFunc(r.activities, func(o *activity) bool { return o == m.a })
}
