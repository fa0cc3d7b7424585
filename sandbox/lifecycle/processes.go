package lifecycle

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/service"
)

// joined notes that a process was started for a service.
func (r *run) joined(a *activity, pid int) {
	r.alone = false
	r.owners[pid] = a
	r.guardian.watch(pid, a.s.KillMode)
}

// processes are those of a service that live. In a cgroup of its own the kernel says which they are; otherwise they are its commands with their
// descendants, of whom those whose parent has ended are ours, whose sessions tell whose they were.
func (r *run) processes(a *activity) []int {
	if a.group != nil {
		return a.members()
	}
	if r.alone { // who could start any?
		return nil
	}
	l := descendants(r.pid, r.guardian.id())
	r.alone = len(l) == 0
	of := make(map[int]relative, len(l))
	for _, p := range l {
		of[p.pid] = p
	}
	for range l { // one after the other, until nothing new is learnt
		learnt := false
		for _, p := range l {
			if r.owners[p.pid] != nil {
				continue
			}
			o := r.owners[p.parent]
			if o == nil && p.parent == r.pid {
				if o = r.owners[p.session]; o == nil {
					o = r.heir()
				}
			}
			if o != nil {
				r.owners[p.pid], learnt = o, true
			}
		}
		if !learnt {
			break
		}
	}
	var pids []int
	for _, p := range l {
		if r.owners[p.pid] == a && !p.zombie && p.pid != r.pid {
			pids = append(pids, p.pid)
		}
	}
	r.prune(of)
	return pids
}

// each calls f with every process of a service, and with those that they start meanwhile if it is their end.
func (r *run) each(a *activity, deadly bool, f func(pid int)) {
	seen := make(map[int]bool)
	for more := true; more; {
		more = false
		for _, pid := range r.processes(a) {
			if !seen[pid] {
				seen[pid], more = true, deadly
				f(pid)
			}
		}
	}
}

// prune forgets processes that are no more. Sessions are remembered as long as somebody is in them.
func (r *run) prune(of map[int]relative) {
	sessions := make(map[int]bool, len(of))
	for _, p := range of {
		sessions[p.session] = true
	}
	for pid := range r.owners {
		if _, lives := of[pid]; !lives && !sessions[pid] {
			delete(r.owners, pid)
		}
	}
}

// heir is the only service there is, whose a process must be that nobody else has.
func (r *run) heir() *activity {
	var one *activity
	for _, a := range r.activities {
		if a.state.over() || a.state == autoRestart {
			continue
		}
		if one != nil {
			return nil
		}
		one = a
	}
	return one
}

// adopt makes a process the main process.
func (a *activity) adopt(pid int, sender *unix.Ucred) {
	if pid == a.main.pid && a.main.known {
		return
	}
	p, ok := lookAt(pid)
	if !ok || p.zombie {
		a.say(term.Warning, "New main PID "+decimal(pid)+" does not exist or is a zombie.")
		return
	}
	if !a.has(pid) && (sender == nil || sender.Uid != 0) {
		a.say(term.Warning, "New main PID "+decimal(pid)+" does not belong to service, refusing.")
		return
	}
	a.setMain(p)
}

// has tells whether a process is the service's.
func (a *activity) has(pid int) bool {
	for _, p := range a.r.processes(a) {
		if p == pid {
			return true
		}
	}
	return false
}

func (a *activity) setMain(p relative) {
	if a.main.pid == p.pid {
		a.main.known = true
		return
	}
	a.r.loop.forget(a.main.alien)
	a.main = process{pid: p.pid, known: true}
	a.r.owners[p.pid] = a
	a.r.guardian.watch(p.pid, a.s.KillMode)
	if p.parent == a.r.pid {
		return
	}
	// Its end is its parent's to know; what we see is that it has ended.
	a.say(term.Warning, "Supervising process "+decimal(p.pid)+" which is not our child. We'll most likely not notice when it exits.")
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return
	}
	a.main.alien, err = a.r.loop.watch(fd, unix.EPOLLIN, func() {
		w := a.main.alien
		a.r.reap()
		if a.main.alien == w { // it was not ours even then
			a.mainEnded(0)
		}
		a.r.settle()
	})
	if err != nil {
		unix.Close(fd)
		return
	}
	a.main.alien.close = true
}

// guess takes the only process that a daemon has left us for its main process, GuessMainPID=.
func (a *activity) guess() {
	if !a.s.GuessMainPID || a.main.known || a.s.Type != service.Forking {
		return
	}
	var one relative
	for _, pid := range a.r.processes(a) {
		p, ok := lookAt(pid)
		if !ok || p.parent != a.r.pid || pid == a.control.pid {
			continue
		}
		if one.pid != 0 {
			return
		}
		one = p
	}
	if one.pid != 0 {
		a.setMain(one)
	}
}

// A pidFileError says why there is no main process in a PID file.
type pidFileError string

func (e pidFileError) Error() string { return string(e) }

// readPIDFile takes the main process from PIDFile=.
func (a *activity) readPIDFile() error {
	var data []byte
	var st unix.Stat_t
	err := a.r.within(func() error {
		f, err := os.OpenFile(a.s.PIDFile, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return err
		}
		data, err = io.ReadAll(io.LimitReader(f, 4096))
		return err
	})
	if err != nil {
		return pidFileError("Can't open PID file '" + a.s.PIDFile + "' (yet?) after " + a.state.String() + ": " + reason(err))
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(data)), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return pidFileError("Failed to parse PID from file " + a.s.PIDFile + ": Invalid argument")
	}
	if a.main.pid == pid && a.main.known {
		return nil
	}
	p, ok := lookAt(pid)
	if !ok || p.zombie {
		return pidFileError("PID " + decimal(pid) + " read from file " + a.s.PIDFile + " does not exist or is a zombie.")
	}
	if !a.has(pid) {
		if st.Uid != 0 {
			return pidFileError("New main PID " + decimal(pid) + " does not belong to service, and PID file is not owned by root. Refusing.")
		}
	}
	a.setMain(p)
	return nil
}

// awaitPIDFile waits for the daemon to write its PID file.
func (a *activity) awaitPIDFile() {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		a.kill(stopTerm, resources)
		return
	}
	const changes = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_CLOSE_WRITE | unix.IN_MODIFY | unix.IN_ATTRIB
	look := func() {
		_ = a.r.within(func() error {
			for dir := filepath.Dir(a.s.PIDFile); ; dir = filepath.Dir(dir) { // of directories that are missing, the first that is not
				if _, err := unix.InotifyAddWatch(fd, dir, changes); err == nil || dir == "/" {
					return err
				}
			}
		})
	}
	look()
	a.pidFile, err = a.r.loop.watch(fd, unix.EPOLLIN, func() {
		var events [4096]byte
		for {
			if _, err := unix.Read(fd, events[:]); err != nil && !errors.Is(err, unix.EINTR) {
				break
			}
		}
		look()
		a.foundPIDFile()
	})
	if err != nil {
		unix.Close(fd)
		a.kill(stopTerm, resources)
		return
	}
	a.pidFile.close = true
	a.r.loop.later(func() {
		if a.pidFile != nil && !a.foundPIDFile() && len(a.r.processes(a)) == 0 {
			a.emptied()
		}
	})
}

func (a *activity) foundPIDFile() bool {
	if a.pidFile == nil || a.readPIDFile() != nil {
		return false
	}
	a.r.loop.forget(a.pidFile)
	a.pidFile = nil
	if a.state == start {
		a.startPost()
	} else {
		a.run(success)
	}
	return true
}
