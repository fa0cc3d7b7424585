package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/console"
	"ctl/sandbox/container"
)

// rebootStatus is what we end with when the container wants to be started again by who has started us.
const rebootStatus = 133

// runAll runs the container, again as long as it wants to be.
func (c *Call) runAll(p *prepared) error {
	for restarted := false; ; restarted = true {
		again, err := c.runOnce(p, restarted)
		if err != nil || !again {
			return err
		}
		if c.Opt.keepUnit {
			return Exit(rebootStatus)
		}
	}
}

// runOnce starts the container and waits until it has ended. again: it has asked to be started once more, which has happened if restarted.
func (c *Call) runOnce(p *prepared, restarted bool) (again bool, err error) {
	o := &c.Opt
	if !o.quiet {
		c.announce(p.dir)
	}
	end, err := c.forward()
	if err != nil {
		return false, err
	}
	defer end()
	d, network, err := c.decide(p)
	if err != nil {
		return false, err
	}
	defer network.close()
	if o.keepUnit && o.register == no && (o.slice != "" || len(o.properties) > 0) {
		c.say(term.Notice, noEffect)
	}
	managers, err := c.register(d)
	if err != nil {
		return false, err
	}
	defer managers.close()
	g := &group{}
	defer g.remove()
	signals := make(chan os.Signal, 8)
	// That is for ever, for what is removed in the end is to be removed. It takes its time, so it waits for the time in which the container's
	// first process is at work, unless there is something on the host already.
	catch := sync.OnceFunc(func() {
		signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT)
		signal.Ignore(unix.SIGPIPE) // who does not want to read any more is told of by write(2)
	})
	if p.image != nil || p.copy != nil {
		catch()
	}
	context, look := c.consoleLook()
	defer func() { c.print(context.End()) }()
	var con *console.Console
	if managers.bus == nil { // or it is a scope's cgroup, which there is not yet
		g.make("self", d, false)
		d.Cgroup = g.dir
	}
	r, err := d.Start(container.Hooks{Forked: func() { go catch() }, Created: func(r *container.Running) error {
		catch()
		for _, w := range r.Warnings {
			c.say(term.Warning, w)
		}
		err := c.checkCapabilities(d)
		if err == nil {
			err = network.give(r.PID)
		}
		if err == nil {
			err = managers.add(r, d, network.interfaces(), restarted)
		}
		if err == nil {
			switch {
			case managers.scope != "":
				g.make(strconv.Itoa(r.PID), d, true)
			case d.Cgroup == nil:
				g.make("self", d, false)
			}
			g.add(r.PID)
			r.Cgroup = strings.TrimPrefix(strings.TrimPrefix(g.path, cgroup.Root()), "/")
		}
		if err == nil && r.Console != nil {
			con, err = c.openConsole(r, look) // so that the payload finds it in the right size
		}
		return err
	}})
	if con != nil {
		defer con.Restore()
	}
	if f, ok := errors.AsType[*container.PayloadFailure](err); ok {
		return false, c.neverRan(f, d.Console)
	}
	if err != nil {
		return false, err
	}
	c.tell(r.PID)
	g.sweep()
	status, err := c.accompany(r, con, signals, managers.stop)
	if err != nil {
		return false, err
	}
	c.notify("STOPPING=1\nSTATUS=Terminating...")
	if status.Exited() {
		c.notify("EXIT_STATUS=" + strconv.Itoa(status.ExitStatus()))
	}
	again, err = c.ended(status)
	if con != nil && o.console == "passive" {
		over := make(chan struct{})
		close(over)
		_, _ = con.Run(over)
	}
	return again, err
}

// checkCapabilities says that there are not all capabilities that are to be kept. A bundle, which lists them all, is refused then.
func (c *Call) checkCapabilities(d *container.Container) error {
	o, all := &c.Opt, d.Limit.Capabilities
	if o.capabilities != nil {
		all |= o.capabilities.all()
	}
	switch {
	case d.Users != nil || all&^container.Capabilities() == 0:
	case o.capabilities != nil:
		return cli.Usage("Cannot set capabilities that are not in the current bounding set.")
	case !o.quiet:
		c.say(term.Warning, "Some capabilities will not be set because they are not in the current bounding set.")
	}
	return nil
}

// decide makes of what was asked for all that a container started from p is.
func (c *Call) decide(p *prepared) (*container.Container, *network, error) {
	d, err := c.describe(p.tree())
	if err != nil {
		return nil, nil, err
	}
	if p.layer {
		d.Changes = p.copy.Path
	}
	if p.image != nil {
		d.Tree, d.Parts, d.Enter = p.image.Place, p.image.Parts, p.image.Enter
	}
	if err := c.userNamespace(d, p); err != nil {
		return nil, nil, err
	}
	if err := c.bindUsers(d, p.tree()); err != nil {
		return nil, nil, err
	}
	d.Keep = p.fds()
	network, err := c.network(d)
	if err != nil {
		return nil, nil, err
	}
	if !c.Opt.dryRun {
		if err := c.linkJournal(d, p.tree()); err != nil {
			network.close()
			return nil, nil, err
		}
	}
	d.Console = c.Opt.console != "pipe"
	d.Process.Pipe = !d.Console
	d.Stdio = [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	d.Pass = c.sockets
	if n := len(d.Pass); n > 0 {
		d.Process.Env = append(d.Process.Env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_PID=1")
	}
	return d, network, nil
}

// takeSockets takes the sockets that we were started with for the container, sd_listen_fds(3).
func (c *Call) takeSockets() error {
	const first = 3
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || n > 1024 || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	for fd := first; fd < first+n; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return fmt.Errorf("Failed to collect file descriptors: %w", err)
		}
		// Whether a socket blocks is the container's affair, and a File changes that if it finds one that does not.
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK)
		c.sockets = append(c.sockets, os.NewFile(uintptr(fd), "LISTEN_FDS"))
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
	}
	return nil
}

// neverRan says why the payload could not be executed, where it would have said it itself.
func (c *Call) neverRan(f *container.PayloadFailure, console bool) error {
	if !console || !strings.HasPrefix(f.What, "execv(") {
		c.say(term.Err, f.Error())
		return Exit(1)
	}
	c.print(f.Error() + "\r\n")
	c.tell(0)
	c.notify("STOPPING=1\nSTATUS=Terminating...")
	c.notify("EXIT_STATUS=1")
	_, err := c.ended(syscall.WaitStatus(1 << 8))
	return err
}

// tell tells who has started us that the container runs, sd_notify(3).
func (c *Call) tell(pid int) {
	c.notify("STATUS=Container started.\nX_NSPAWN_LEADER_PID=" + strconv.Itoa(pid))
	if !c.Opt.notifyReady {
		c.notify("READY=1\n")
	}
}

// notify sends a message to the socket that NOTIFY_SOCKET names.
func (c *Call) notify(text string) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" || c.deaf {
		return
	}
	if name[0] == '@' {
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: name})
	if err == nil {
		_, err = conn.Write([]byte(text))
		conn.Close()
	}
	if err != nil {
		c.deaf = true
		c.say(term.Warning, "Failed to send readiness notification, ignoring: "+sys.Strerror(sys.Errno(err)))
	}
}

// accompany sees the container through until it has ended. It waits for that on its own thread: to wake another one first takes time.
func (c *Call) accompany(r *container.Running, con *console.Console, signals <-chan os.Signal, stop <-chan struct{}) (syscall.WaitStatus, error) {
	ended := make(chan struct{})
	go c.listen(r)
	go c.heed(r, signals, stop, ended)
	forwarded := make(chan struct{})
	if con == nil || c.Opt.console == "passive" {
		close(forwarded)
	} else {
		go func() {
			defer close(forwarded)
			reason, err := con.Run(ended)
			if err != nil && !errors.Is(err, unix.EPIPE) {
				c.say(term.Err, "Failed to write to pty output fd: "+sys.Strerror(sys.Errno(err)))
			}
			if reason != console.Ended {
				r.Kill()
			}
		}()
	}
	status, err := r.Wait()
	close(ended)
	<-forwarded
	return status, err
}

// heed ends the container when a signal comes, or somebody else wants it.
func (c *Call) heed(r *container.Running, signals <-chan os.Signal, stop, ended <-chan struct{}) {
	halting := false
	for {
		select {
		case s := <-signals:
			if c.Opt.killSignal != 0 && !halting && (s == unix.SIGTERM || s == unix.SIGINT) {
				halting = true
				c.say(term.Info, "Trying to halt container by sending "+strings.TrimPrefix(unix.SignalName(s.(syscall.Signal)), "SIG")+
					" to container PID "+strconv.Itoa(r.PID)+". Send SIGTERM again to trigger immediate termination.")
				if r.Signal(syscall.Signal(c.Opt.killSignal)) == nil {
					continue
				}
			}
			r.Kill()
		case <-stop:
			stop = nil
			if c.Opt.killSignal != 0 {
				c.say(term.Info, "Container termination requested. Attempting to halt container.")
				if r.Signal(syscall.Signal(c.Opt.killSignal)) == nil {
					continue
				}
			} else {
				c.say(term.Info, "Container termination requested. Exiting.")
			}
			r.Kill()
		case <-ended:
			return
		}
	}
}

// consoleLook is what the caller's terminal is told and changed to for the container; the first is written already.
func (c *Call) consoleLook() (*console.Context, console.Look) {
	o := &c.Opt
	mode, _ := console.ParseMode(o.console, c.interactive)
	context := console.NewContext(c.env, mode, os.Stdout, os.Stderr, o.machine)
	host, _ := os.Hostname()
	if context != nil {
		user := "root"
		if os.Getuid() != 0 {
			user = os.Getenv("USER")
		}
		id, _ := sys.ReadFile("/etc/machine-id")
		c.print(context.Start(user, host, strings.TrimSpace(string(id))))
	}
	return context, console.LookOf(c.env, mode, os.Stdin, os.Stdout, os.Stderr, o.background, o.machine, host)
}

func (c *Call) openConsole(r *container.Running, look console.Look) (*console.Console, error) {
	mode, _ := console.ParseMode(c.Opt.console, c.interactive)
	con, err := console.Open(console.Config{Mode: mode, Master: r.Console, In: os.Stdin, Out: os.Stdout, Getenv: os.Getenv, Look: look, Size: c.Opt.consoleSize,
		Hotkey: func(letter byte) {
			switch letter { // as systemd(1) understands them
			case 'r':
				c.request(r, 5, "reboot")
			case 'p':
				c.request(r, 4, "power off")
			default:
				c.say(term.Info, "Unknown hotkey sequence ^]^]"+string(rune(letter))+", ignoring.")
			}
		}})
	if err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	return con, nil
}

// request sends the container's first process a real-time signal that systemd(1) understands.
func (c *Call) request(r *container.Running, number int, what string) {
	if r.Signal(syscall.Signal(34+number)) == nil {
		c.say(term.Info, "Sent RTMIN+"+strconv.Itoa(number)+" ("+what+" request) to PID 1 of container.")
	}
}

// listen takes what the container's first process tells.
func (c *Call) listen(r *container.Running) {
	buf, oob := make([]byte, 4096), make([]byte, 256)
	conn, err := r.Notify.SyscallConn() // waits without a thread
	if err != nil {
		return
	}
	for {
		var n, oobn int
		var failed error
		err := conn.Read(func(fd uintptr) bool {
			n, oobn, _, _, failed = unix.Recvmsg(int(fd), buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err != nil || failed != nil {
			return
		}
		if sender(oob[:oobn]) != r.PID {
			continue // only the first process speaks for the container
		}
		ready := false
		for line := range strings.Lines(string(buf[:n])) {
			line = strings.TrimSpace(line)
			if status, ok := strings.CutPrefix(line, "STATUS="); ok {
				c.notify("STATUS=Container running: " + status)
			}
			ready = ready || line == "READY=1"
		}
		if ready {
			c.notify("READY=1\n")
		}
	}
}

// sender is the process that has sent a message, 0 if nobody can tell. Descriptors that came with it are closed.
func sender(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	pid := 0
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			for _, fd := range fds {
				unix.Close(fd)
			}
		}
		if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			pid = int(cred.Pid)
		}
	}
	return pid
}

// ended says how the container has ended.
func (c *Call) ended(s syscall.WaitStatus) (again bool, err error) {
	name := "Container " + c.Opt.machine
	say := func(level term.Level, text string) {
		if !c.Opt.quiet {
			c.say(level, name+" "+text)
		}
	}
	switch {
	case s.Exited() && s.ExitStatus() == 0:
		say(term.Info, "exited successfully.")
		return false, nil
	case s.Exited():
		say(term.Info, "failed with error code "+strconv.Itoa(s.ExitStatus())+".")
		if s.ExitStatus() == rebootStatus {
			return false, Exit(1) // it means something else
		}
		return false, Exit(s.ExitStatus())
	case s.Signaled() && s.Signal() == unix.SIGINT:
		say(term.Info, "has been shut down.")
		return false, nil
	case s.Signaled() && s.Signal() == unix.SIGHUP:
		say(term.Info, "is being rebooted.")
		return true, nil
	case s.Signaled():
		c.say(term.Err, name+" terminated by signal "+strings.TrimPrefix(unix.SignalName(s.Signal()), "SIG")+".")
	default:
		c.say(term.Err, name+" failed due to unknown reason.")
	}
	return false, Exit(1)
}
