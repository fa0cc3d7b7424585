package lifecycle

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/internal/term"
	"ctl/sandbox/service"
)

// A notifyState is what a service has last told of itself, sd_notify(3).
type notifyState int

const (
	unheard notifyState = iota
	ready
	reloading
	stopping
)

// A notifier is the socket that a service notifies us by.
type notifier struct {
	fd    int
	path  string
	watch *watch
}

// stored is a descriptor of the service's, FileDescriptorStoreMax=.
type stored struct {
	name  string
	file  *os.File
	watch *watch
}

// access is NotifyAccess=, which notifications need.
func (a *activity) access() service.Access {
	n := a.s.NotifyAccess
	if n == service.AccessNone && (a.s.Type == service.Notify || a.s.Type == service.NotifyReload || a.s.Watchdog > 0 || a.s.FileDescriptorMax > 0) {
		return service.AccessMain
	}
	return n
}

func (a *activity) openNotify() error {
	if a.notify != nil {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	a.r.sockets++
	n := &notifier{fd: fd, path: filepath.Join(a.r.c.Runtime, "notify-"+decimal(a.r.sockets))}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: n.path})
	}
	if err == nil {
		err = os.Chmod(n.path, 0o777)
	}
	if err == nil {
		n.watch, err = a.r.loop.watch(fd, unix.EPOLLIN, func() { a.hear() })
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	a.notify = n
	return nil
}

func (a *activity) closeNotify() {
	if n := a.notify; n != nil {
		a.r.loop.forget(n.watch)
		unix.Close(n.fd)
		_ = os.Remove(n.path)
		a.notify = nil
	}
}

// hear takes all that has been sent.
func (a *activity) hear() {
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4*768))
	for a.notify != nil {
		n, oobn, flags, _, err := unix.Recvmsg(a.notify.fd, buf, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		var sender *unix.Ucred
		var fds []int
		messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
		for i := range messages {
			if cred, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
				sender = cred
			}
			if l, err := unix.ParseUnixRights(&messages[i]); err == nil {
				fds = append(fds, l...)
			}
		}
		if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) == 0 {
			fds = a.heard(string(buf[:n]), sender, fds)
		} else {
			a.say(term.Warning, "Received notify message exceeded maximum size. Ignoring.")
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

// permitted tells whether a process may notify, NotifyAccess=.
func (a *activity) permitted(pid int) bool {
	switch a.access() {
	case service.AccessMain:
		if pid != a.main.pid {
			text := "Got notification message from PID " + decimal(pid) + ", but reception only permitted for main PID "
			if a.main.pid > 0 {
				text += decimal(a.main.pid)
			} else {
				text += "which is currently not known"
			}
			a.say(term.Warning, text)
			return false
		}
	case service.AccessExec:
		if pid != a.main.pid && pid != a.control.pid {
			a.say(term.Warning, "Got notification message from PID "+decimal(pid)+", but reception only permitted for main PID "+
				decimal(a.main.pid)+" and control PID "+decimal(a.control.pid))
			return false
		}
	case service.AccessNone:
		a.say(term.Warning, "Got notification message from PID "+decimal(pid)+", but reception is disabled.")
		return false
	case service.AccessAll:
		if pid != a.main.pid && pid != a.control.pid && !a.has(pid) && a.r.owners[pid] != a { // one that has just ended counts
			a.say(term.Warning, "Cannot find unit for notify message of PID "+decimal(pid)+", ignoring.")
			return false
		}
	}
	return true
}

// heard does what a notification asks for, and returns the descriptors that are not kept.
func (a *activity) heard(text string, sender *unix.Ucred, fds []int) []int {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	value := func(key string) (string, bool) {
		for _, l := range lines {
			if k, v, ok := strings.Cut(l, "="); ok && k == key {
				return v, true
			}
		}
		return "", false
	}
	if _, ok := value("BARRIER"); ok { // who waits until all before has been heard waits for the descriptor to be closed
		return fds
	}
	if sender == nil || sender.Pid <= 0 || !a.permitted(int(sender.Pid)) {
		return fds
	}
	if v, ok := value("MAINPID"); ok {
		if pid, err := strconv.Atoi(v); err != nil || pid <= 1 {
			a.say(term.Warning, "Failed to parse MAINPID=: "+v)
		} else {
			a.adopt(pid, sender)
		}
	} else if _, ok := value("MAINPIDFD"); ok && len(fds) == 1 {
		if pid := pidOf(fds[0]); pid > 1 {
			a.adopt(pid, sender)
		}
	}
	if v, ok := value("STATUS"); ok {
		a.status = v
	}
	if v, ok := value("EXTEND_TIMEOUT_USEC"); ok {
		if n, err := strconv.ParseUint(v, 10, 62); err == nil {
			a.extend(time.Duration(min(n, 1<<52)) * time.Microsecond)
		}
	}
	if v, ok := value("WATCHDOG_USEC"); ok {
		if n, err := strconv.ParseUint(v, 10, 62); err == nil {
			a.patience = time.Duration(min(n, 1<<52)) * time.Microsecond
			if a.alive != nil {
				a.watch()
			}
		}
	}
	if v, ok := value("NOTIFYACCESS"); ok {
		for n, name := range [...]string{"none", "main", "exec", "all"} {
			if name == v {
				a.s.NotifyAccess = service.Access(n)
			}
		}
	}
	if _, ok := value("RESTART_RESET"); ok {
		a.restarts = 0
	}
	switch v, _ := value("WATCHDOG"); v {
	case "1":
		if a.alive != nil {
			a.watch()
		}
	case "trigger":
		a.unresponsive()
	}
	fds = a.keep(value, fds)
	a.progress(value)
	return fds
}

// keep stores descriptors or gives them up.
func (a *activity) keep(value func(string) (string, bool), fds []int) []int {
	name, named := value("FDNAME")
	if _, ok := value("FDSTOREREMOVE"); ok && named {
		a.removeStored(name)
		return fds
	}
	if v, _ := value("FDSTORE"); v != "1" {
		return fds
	}
	if !named || name == "" || len(name) > 255 || strings.ContainsAny(name, ":\n\x7f") {
		name = "stored"
	}
	poll, _ := value("FDPOLL")
	for len(fds) > 0 {
		if uint(len(a.store)) >= a.s.FileDescriptorMax {
			a.say(term.Warning, "Tried to store more fds than FileDescriptorStoreMax="+strconv.FormatUint(uint64(a.s.FileDescriptorMax), 10)+" allows, closing remaining.")
			break
		}
		s := stored{name: name, file: os.NewFile(uintptr(fds[0]), name)}
		if poll != "0" { // one whose other side is closed is of no use; files cannot be watched
			s.watch, _ = a.r.loop.watch(fds[0], unix.EPOLLRDHUP|unix.EPOLLET, func() { a.hungUp(s.file) })
		}
		a.store = append(a.store, s)
		fds = fds[1:]
	}
	return fds
}

func (a *activity) hungUp(f *os.File) {
	for i, s := range a.store {
		if s.file == f {
			a.forgetStored(i)
			return
		}
	}
}

func (a *activity) forgetStored(i int) {
	a.r.loop.forget(a.store[i].watch)
	a.store[i].file.Close()
	a.store = append(a.store[:i], a.store[i+1:]...)
}

func (a *activity) removeStored(name string) {
	for i := len(a.store) - 1; i >= 0; i-- {
		if a.store[i].name == name {
			a.forgetStored(i)
		}
	}
}

func (a *activity) dropStore() {
	for len(a.store) > 0 {
		a.forgetStored(len(a.store) - 1)
	}
}

// progress is what a service tells of where it is.
func (a *activity) progress(value func(string) (string, bool)) {
	if v, _ := value("STOPPING"); v == "1" {
		a.told = stopping
		if a.state == running {
			a.notifiedStop()
		}
		return
	}
	isReady, _ := value("READY")
	isReloading, _ := value("RELOADING")
	if isReloading == "1" {
		a.told = reloading
		switch a.state {
		case running:
			a.notifiedReload()
		case reloadSignal:
			a.expect(a.s.TimeoutStart)
			a.enter(reloadNotify)
		}
	}
	if isReady == "1" {
		before := a.told
		a.told = ready
		switch {
		case a.state == start && (a.s.Type == service.Notify || a.s.Type == service.NotifyReload) && a.main.alive():
			a.startPost()
		case a.state == reloadNotify:
			a.reloaded()
		case a.state == reloadSignal && before == reloading:
			a.reloaded()
		}
	}
}

// notifiedStop is a service that ends by itself: as if it had been sent its signal.
func (a *activity) notifiedStop() {
	a.expect(a.s.TimeoutStop)
	a.enter(stopTerm)
}

func (a *activity) notifiedReload() {
	a.expect(a.s.TimeoutStart)
	a.enter(reloadNotify)
}

// extend gives the service more time for what it is doing.
func (a *activity) extend(d time.Duration) {
	if a.timer == nil || a.deadline.IsZero() {
		if a.runtime != nil && a.state == running && time.Now().Add(d).After(a.runtime.at) {
			a.runtime.at = time.Now().Add(d)
		}
		return
	}
	if at := time.Now().Add(d); at.After(a.deadline) {
		a.deadline, a.timer.at = at, at
	}
}

// watch starts WatchdogSec= anew.
func (a *activity) watch() {
	a.r.loop.stop(a.alive)
	a.alive = nil
	limit := a.s.Watchdog
	if a.patience > 0 {
		limit = a.patience
	}
	if limit > 0 && limit < service.Forever {
		a.alive = a.r.loop.after(limit, func() {
			a.alive = nil
			a.say(term.Err, "Watchdog timeout (limit "+span(limit)+")!")
			a.kill(stopWatchdog, watchdog)
		})
	}
}

func (a *activity) unwatch() {
	a.r.loop.stop(a.alive)
	a.alive = nil
}

func (a *activity) unresponsive() {
	a.say(term.Warning, "Watchdog request from the service.")
	if a.state == running || a.state == startPost || a.state >= reload && a.state <= reloadPost {
		a.unwatch()
		a.kill(stopWatchdog, watchdog)
	}
}

// pidOf is the process of a pidfd, pidfd_open(2).
func pidOf(fd int) int {
	data, err := os.ReadFile("/proc/self/fdinfo/" + decimal(fd))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(l, "Pid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(v))
			return n
		}
	}
	return 0
}

// reason is the text of an error as the C library has it.
func reason(err error) string { return sys.Strerror(sys.Errno(err)) }
