package container

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/mount"
	"ctl/sandbox/program"
)

// Running is a container that has been started.
type Running struct {
	PID      int      // of its first process, on the host
	Process  *os.File // the same as a pidfd, for waiting and signals
	Console  *os.File // the host's side of its console, nil if it has none
	Notify   *os.File // the socket that receives what it tells, sd_notify(3)
	Warnings []string // what could not be done and was done without
	Cgroup   string   // where it is in the unified hierarchy of cgroups, relative to the root, which Hooks.Created finds out

	guardian int
	status   *os.File
	kept     []*os.File
}

// Hooks are called while a container starts.
type Hooks struct {
	// Forked is called when the first process is on its way. What it starts can go on while that one works.
	Forked func()
	// Created is called when the first process exists, in its namespaces; it does not get far before this returns. A container that is
	// to be in a cgroup or a unit, or known to a manager, is put there now. Of r there are the process, the console and the warnings.
	Created func(r *Running) error
}

// Start starts a container. It fails with what kept it from executing the payload, after all is gone again. The calling goroutine keeps its thread
// for ever, and the container dies with that.
func (c *Container) Start(h Hooks) (*Running, error) {
	runtime.LockOSThread()
	if c.Namespace.NetworkPath == nil {
		if home, err := mount.NewHome(); err == nil {
			defer home.Close()
			r, err := c.start(h, home)
			if err != nil {
				_ = home.Return()
			}
			return r, err
		}
	}
	runtime.UnlockOSThread()
	return c.startApart(h)
}

// startApart is Start where the thread that builds the container cannot come back.
func (c *Container) startApart(h Hooks) (*Running, error) {
	type result struct {
		r   *Running
		err error
	}
	done := make(chan result)
	// That thread has the container's root directory by the time the hook is called, so the hook is called here.
	created, answered := make(chan *Running), make(chan error)
	inside := Hooks{Forked: h.Forked}
	if h.Created != nil {
		inside.Created = func(r *Running) error {
			created <- r
			return <-answered
		}
	}
	go func() {
		// The kernel kills the guardian when this thread ends, so it never does; it belongs to the container from here on.
		runtime.LockOSThread()
		r, err := c.start(inside, nil)
		done <- result{r, err}
		if err == nil {
			select {}
		}
	}()
	for {
		select {
		case r := <-created:
			answered <- h.Created(r)
		case got := <-done:
			return got.r, got.err
		}
	}
}

// start builds the container and starts it. If there is a home, the thread is back there when the hook is called.
func (c *Container) start(h Hooks, home *mount.Home) (*Running, error) {
	b := &builder{c: c, users: -1, cgroups: -1, heap: program.FindHeap()} // as long as there is the host's /proc
	r := &Running{}
	if c.Users != nil && c.Users.Owner != OwnedAsIs {
		spans := c.Users.spans()
		if c.Users.Owner == OwnedForeign {
			spans = []idSpan{{foreignBase, c.Users.Base, c.Users.Range}}
		}
		ns, err := newUserNamespace(b.heap, spans, spans)
		if err != nil {
			return nil, Failure{"Failed to set up ID mapped mounts", err}
		}
		defer unix.Close(ns)
		b.users = ns
	}
	if err := b.openStub(); err != nil { // of a mount that is the host's
		return nil, err
	}
	if c.Namespace.NetworkPath != nil {
		if err := unix.Setns(int(c.Namespace.NetworkPath.Fd()), unix.CLONE_NEWNET); err != nil {
			return nil, fmt.Errorf("join a network namespace: %w", err)
		}
	}
	defer b.closeLate()
	if err := b.build(); err != nil {
		return nil, err
	}
	if !c.Namespace.Cgroup {
		b.cgroups, _ = mount.New("cgroup2", "", nil, locked)
		defer unix.Close(b.cgroups)
	}
	r.Console = b.master
	defer b.root.Close()
	if err := b.hold(r); err != nil {
		return nil, err
	}
	if c.Users == nil {
		if err := mount.Enter(b.root.Root()); err != nil {
			return nil, fmt.Errorf("enter the root directory: %w", err)
		}
	} else {
		pin("proc", "/proc")
		if c.networkView() {
			pin("sysfs", sysDir)
		}
		if err := unix.Fchdir(b.root.Root()); err != nil {
			return nil, err
		}
	}
	r.Warnings = b.warnings
	if err := c.launch(b, r, h, home); err != nil {
		return nil, err
	}
	if b.slave != nil {
		b.slave.Close()
	}
	return r, nil
}

// pin mounts a whole file system over that of the host, which only the container sees, and not for long: the kernel gives a user namespace
// a /proc or /sys of its own only if it sees a whole one, and in a container the host's has masks.
func pin(typ, path string) {
	place, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(place)
	fd, err := mount.New(typ, "", nil, api)
	if err != nil {
		return // it may do without
	}
	defer unix.Close(fd)
	_ = mount.Attach(fd, place)
}

// foreignBase is the first UID of what belongs to no user of this host, https://systemd.io/UIDS-GIDS.
const foreignBase = 0x7FFE0000

// hold opens what is in the container and belongs to the supervisor: the socket for notifications and the fifo that stands for the kernel's messages.
func (b *builder) hold(r *Running) error {
	fd, err := b.root.Handle(kmsgPath, unix.O_RDWR|unix.O_NONBLOCK)
	if err != nil {
		return err
	}
	r.kept = append(r.kept, os.NewFile(uintptr(fd), "kmsg"))
	d, err := b.root.OpenDir(hostDir)
	if err != nil {
		return err
	}
	defer d.Close()
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return err
	}
	r.Notify = os.NewFile(uintptr(fd), "notify")
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, soPassRights, 0) // Linux 6.16; nobody's descriptors are wanted
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: sys.FDPath(d.Fd()) + "/notify"}); err != nil {
		return fmt.Errorf("make %s: %w", notifyPath, err)
	}
	if err := unix.Fchmodat(d.Fd(), "notify", 0o200, 0); err != nil {
		return err
	}
	if err := b.own(d.Fd(), "notify", nil); err != nil {
		return err
	}
	return b.do(&Step{Do: Seal, Target: hostDir, Attr: locked}) // what the host says stays said
}

// soPassRights is SO_PASSRIGHTS.
const soPassRights = 83

// namespaces are the flags of clone(2).
func (c *Container) namespaces() uintptr {
	flags := uintptr(0)
	for _, n := range []struct {
		own  bool
		flag uintptr
	}{{c.Namespace.PID, unix.CLONE_NEWPID}, {c.Namespace.IPC, unix.CLONE_NEWIPC}, {c.Namespace.UTS, unix.CLONE_NEWUTS},
		{c.Namespace.Network, unix.CLONE_NEWNET}, {c.Users != nil, unix.CLONE_NEWUSER | unix.CLONE_NEWNS}} {
		if n.own {
			flags |= n.flag
		}
	}
	return flags
}

// launch forks the guardian, which forks the payload, and sees both through until the payload has been executed.
func (c *Container) launch(b *builder, r *Running, h Hooks, home *mount.Home) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours := os.NewFile(uintptr(pair[0]), "payload")
	defer ours.Close()
	theirs := []int{pair[1]} // what the payload and the guardian are given
	closeTheirs := func() {
		for _, fd := range theirs {
			unix.Close(fd)
		}
		theirs = nil
	}
	defer closeTheirs()
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return err
	}
	var report, status, order [2]int
	if err := unix.Pipe2(report[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	theirs = append(theirs, report[1])
	failed := os.NewFile(uintptr(report[0]), "report")
	defer failed.Close()
	if err := unix.Pipe2(status[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	if c.Process.Stub {
		if err := unix.Pipe2(order[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		theirs = append(theirs, order[0], order[1])
	}
	theirs = append(theirs, status[1])
	r.status = os.NewFile(uintptr(status[0]), "status")
	p := newPayload(c, b, pair[0], pair[1], report[1], order)
	g := program.Place(&p.Program, &guardian{namespaces: c.namespaces(), report: uintptr(report[1]), status: uintptr(status[1]),
		stray: program.Places(&p.Program, c.strays(status[1]))})
	if c.Cgroup != nil {
		g.cgroup = program.Place(&p.Program, program.NewInto(int(c.Cgroup.Fd())))
	}
	g.payload = p.Runner(b.heap)
	mask := program.Hold()
	pid, e := g.start(b.heap)
	program.Release(mask)
	p.Free()
	closeTheirs()
	if e != 0 {
		return Failure{notForked, e}
	}
	r.guardian = int(pid)
	if h.Forked != nil {
		h.Forked()
	}
	if home != nil {
		err = home.Return()
	}
	if err == nil {
		err = c.accompany(pair[0], r, h)
	}
	if err != nil && !errors.Is(err, errGone) {
		r.Kill()
		_, _ = r.Wait()
		return err
	}
	var f program.Failure
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&f)), unsafe.Sizeof(f))
	// A payload that went wrong says so here; one that has been executed has closed it.
	if n, e := io.ReadFull(failed, buf); n == len(buf) {
		err = p.failed(f)
	} else if err == nil && !errors.Is(e, io.EOF) {
		err = e
	}
	if err != nil {
		r.Kill()
		_, _ = r.Wait()
		return err
	}
	return nil
}

// failed is the failure of the payload as an error.
func (p *payload) failed(f program.Failure) error {
	about := p.About(f)
	if f.Index == starting {
		about = notForked
	}
	if f.Errno == 0 {
		return fmt.Errorf("%s: the other side has gone", about)
	}
	return &PayloadFailure{Failure{about, syscall.Errno(f.Errno)}}
}

// accompany answers the payload's questions.
func (c *Container) accompany(socket int, r *Running, h Hooks) error {
	pid, err := hear(socket)
	if err != nil {
		return err
	}
	r.PID = pid
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("watch the payload: %w", err)
	}
	r.Process = os.NewFile(uintptr(fd), "process")
	if c.Users != nil {
		if err := writeMaps(pid, c.Users.within("uid_map"), c.Users.within("gid_map")); err != nil {
			return fmt.Errorf("give user IDs: %w", err)
		}
		if a := c.Limit.OOMScoreAdjust; a != nil { // which root of the container may not do by itself
			if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", strconv.AppendInt(nil, int64(*a), 10), 0); err != nil {
				return Failure{"Failed to adjust OOM score", err}
			}
		}
		if err := answer(socket, ""); err != nil {
			return err
		}
		if _, err := hear(socket); err != nil {
			return err
		}
	}
	if h.Created != nil {
		if err := h.Created(r); err != nil {
			return err
		}
	}
	return answer(socket, r.Cgroup)
}

// errGone is the payload that has ended too early; it says why elsewhere.
var errGone = errors.New("the payload has ended before its time")

// hear waits for a byte and returns who has sent it, unix(7).
func hear(socket int) (int, error) {
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(unix.SizeofUcred))
	for {
		n, oobn, _, _, err := unix.Recvmsg(socket, b[:], oob, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, errGone
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) == 0 {
			return 0, fmt.Errorf("who is the payload: %w", err)
		}
		cred, err := unix.ParseUnixCredentials(&messages[0])
		if err != nil {
			return 0, err
		}
		return int(cred.Pid), nil
	}
}

func answer(socket int, text string) error {
	_, err := unix.Write(socket, append([]byte(text), 0))
	return err
}

// strays are the file descriptors that the guardian closes: all but those it holds.
func (c *Container) strays(status int) []span {
	return gaps(0, append([]int{status}, c.Keep...))
}

// gaps are the file descriptors from one on that are not held.
func gaps(from int, held []int) []span {
	slices.Sort(held)
	var l []span
	next := uintptr(from)
	for _, fd := range held {
		if uintptr(fd) > next {
			l = append(l, span{next, uintptr(fd) - 1})
		}
		next = max(next, uintptr(fd)+1)
	}
	return append(l, span{next, uintptr(^uint32(0))})
}

// Signal sends a signal to the container's first process.
func (r *Running) Signal(s syscall.Signal) error {
	return unix.PidfdSendSignal(int(r.Process.Fd()), s, nil, 0)
}

// Kill ends all that is in the container. Its guardian does it, so that it can tell of one that ended of its own accord meanwhile.
func (r *Running) Kill() { _ = unix.Kill(r.guardian, unix.SIGTERM) }

// Wait waits until all that is in the container has ended and returns how its first process did.
func (r *Running) Wait() (syscall.WaitStatus, error) {
	var status uint32
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&status)), unsafe.Sizeof(status))
	_, err := io.ReadFull(r.status, buf)
	r.status.Close()
	for {
		if _, e := unix.Wait4(r.guardian, nil, 0, nil); !errors.Is(e, unix.EINTR) {
			break
		}
	}
	for _, f := range r.kept {
		f.Close()
	}
	if err != nil {
		return syscall.WaitStatus(unix.SIGKILL), nil // its guardian was killed, and it with it
	}
	return syscall.WaitStatus(status), nil
}
