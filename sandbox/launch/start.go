package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/container"
	"ctl/sandbox/namespace"
	"ctl/sandbox/program"
	"ctl/sandbox/service"
)

// A command is what becomes of a Request.
type command struct {
	*Room
	q       Request
	sandbox bool   // it has the sandbox: no "+", no PermissionsStartOnly=
	drops   bool   // it becomes another user
	root    string // RootDirectory=
	std     streams
	env     environment
	argv    []string
	paths   []string // the files to execute, one after the other until there is one
	shell   string   // of "|"
	plan    *namespace.Plan
	chroots bool // the root directory is entered by the child

	opened          []*os.File // OpenFile=
	space           int        // UserNamespacePath=, -1 for none
	group, subgroup int        // the directories of its cgroups, -1 for none
}

// Start starts a command. Its error is an *Error: what would have been the exit status of the process; or an *Unready.
func (r *Room) Start(q Request) (p *Process, err error) {
	c := newCommand(r, q)
	if err = c.openGroups(); err == nil {
		err = r.thread(func() (err error) {
			p, err = c.start()
			return err
		})
	}
	c.std.close()
	for _, f := range c.opened {
		f.Close()
	}
	if _, ok := errors.AsType[*Unready](err); ok {
		return nil, err
	}
	if err != nil {
		err = at(execute, err)
		if e, ok := errors.AsType[*Error](err); ok && e.Path == "" {
			e.Path = c.name()
		}
		return nil, err
	}
	return p, nil
}

func newCommand(r *Room, q Request) *command {
	f := q.Command.Flags
	c := &command{Room: r, q: q, group: -1, subgroup: -1, space: -1}
	c.sandbox = f&service.FullyPrivileged == 0 && !q.NoPermissions
	c.drops = c.sandbox && f&service.NoSetUID == 0
	if !q.NoRoot && r.s.RootDirectory != "/" { // with "+", too
		c.root = r.s.RootDirectory
	}
	return c
}

// name is the executable, for messages.
func (c *command) name() string {
	if c.q.Command.Path == "" && len(c.argv) > 0 {
		return c.argv[0]
	}
	return c.q.Command.Path
}

func (c *command) start() (*Process, error) {
	if err := c.standard(); err != nil {
		return nil, err
	}
	if p := c.s.UserNamespacePath; p != "" && c.sandbox {
		fd, err := c.std.open(p, unix.O_RDONLY)
		if err == nil {
			_, err = unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE) // what is no namespace, ioctl_ns(2)
		}
		if err != nil {
			return nil, at(namespaces, err)
		}
		c.space = fd
	}
	if err := c.openFiles(); err != nil {
		return nil, err
	}
	if err := c.environment(); err != nil {
		return nil, err
	}
	c.line()
	c.find()
	if err := c.enter(); err != nil {
		return nil, err
	}
	if c.firstOfPIDs() || c.ownCgroups() { // what the child has of its own is mounted before the rest
		return c.fork()
	}
	if err := c.mounts(namespace.Hooks{}); err != nil {
		return nil, err
	}
	return c.fork()
}

// mounts moves the thread into the service's mount namespace, if it takes one.
func (c *command) mounts(h namespace.Hooks) error {
	if err := c.leaveTree(); err != nil { // whose path the plan has
		return at(namespaces, err)
	}
	c.plan = namespace.New(c.mountRequest())
	if c.plan == nil {
		c.chroots = c.root != ""
		return at(namespaces, c.enterTree())
	}
	err := c.plan.Build(h)
	if errors.Is(err, namespace.ErrDenied) && !c.plan.Essential {
		if err := c.without(namespaces, strings.Join(c.plan.Settings(), " "), err); err != nil {
			return err
		}
		c.chroots = c.root != ""
		return c.enterTree()
	}
	if err != nil {
		return detailed(namespaces, err, err.Error())
	}
	return nil
}

// mountRequest is what the mount namespace depends on.
func (c *command) mountRequest() *namespace.Request {
	q := &namespace.Request{Exec: c.s, Unit: c.u.Name, Tree: "/", Runtime: c.h.Runtime, Root: c.root, Sandbox: c.sandbox, User: c.h.User,
		Tmp: c.tmp[0], VarTmp: c.tmp[1], Credentials: c.creds, Notify: c.q.Notify}
	q.Images = c.images
	q.Without = func(setting string, err error) error { return c.without(namespaces, setting, err) }
	if !c.q.NoRoot {
		q.Image = c.image
		if c.copied != nil {
			q.Copy = c.copied.Path
		}
	}
	if c.h.Tree != "" {
		q.Tree = c.h.Tree
	}
	for k := range q.Directories {
		q.Directories[k] = c.top(service.DirectoryKind(k))
	}
	return q
}

// line makes the command line.
func (c *command) line() {
	c.argv = slices.Clone(c.q.Command.Argv)
	if c.q.Argv != nil {
		c.argv = slices.Clone(c.q.Argv)
	} else if c.q.Command.Flags&service.NoExpansion == 0 {
		var unset []string
		c.argv, unset = c.env.expand(c.argv)
		if len(unset) > 0 {
			c.o.Warn(fmt.Sprintf("Referenced but unset environment variable evaluates to an empty string: %s", strings.Join(unset, ", ")))
		}
	}
	if c.q.Argv == nil && c.q.Command.Flags&service.ViaShell != 0 {
		c.viaShell()
	}
	c.env.withdraw(c.s.UnsetEnvironment)
}

// viaShell has the words run by the shell of the user.
func (c *command) viaShell() {
	c.shell = "/bin/sh"
	if c.id.shell != "" && c.id.set {
		c.shell = c.id.shell
	}
	name := path.Base(c.shell)
	if c.q.Command.Flags&service.LoginShell != 0 {
		name = "-" + name
	}
	words := c.argv[1:]
	c.argv = []string{name}
	if len(words) > 0 {
		c.argv = append(c.argv, "-c", strings.Join(words, " ")) // the shell parts them anew
	}
}

// find lists where the executable may be, in the root directory of the service.
func (c *command) find() {
	name := c.q.Command.Path
	if c.q.Argv != nil {
		name = c.q.Argv[0]
	} else if c.shell != "" {
		name = c.shell
	}
	if strings.Contains(name, "/") {
		c.paths = []string{name}
		return
	}
	dirs := c.s.SearchPath
	if len(dirs) == 0 {
		dirs = strings.Split(searchPath, ":")
	}
	for _, d := range dirs {
		c.paths = append(c.paths, path.Join(d, name))
	}
}

// fork starts the child and waits until it has executed the command. With a PID namespace of its own, or one of the cgroup that it is
// started in, it is forked before its mount namespace is made.
func (c *command) fork() (*Process, error) {
	if c.group >= 0 && !c.q.Joins {
		again := *c
		p, err := c.forkIn(true)
		if !errors.Is(err, errNotBorn) {
			return p, err
		}
		*c = again
	}
	return c.forkIn(false)
}

// errNotBorn says that the kernel does not fork into a cgroup, or not for us.
var errNotBorn = errors.New("not forked into a cgroup")

// forkIn is fork. If born, the child is in its cgroup from the start, or the error is errNotBorn.
func (c *command) forkIn(born bool) (*Process, error) {
	var report [2]int
	if err := unix.Pipe2(report[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	failed := os.NewFile(uintptr(report[0]), "report")
	defer failed.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(report[1])
		return nil, err
	}
	defer unix.Close(pair[0])
	b := &child{command: c, born: born, report: report[1], socket: pair[1], own: container.Capabilities()}
	defer b.lower()
	err = b.raiseAll()
	unix.Close(report[1])
	unix.Close(pair[1])
	if err != nil {
		return nil, at(fds, err)
	}
	b.prepare(pair[0])
	if b.q.Before != nil {
		b.q.Before()
	}
	heap := program.FindHeap()
	if born {
		heap.Into(b.group)
	}
	var pidfd int32
	pid, e := b.Start(heap, unix.CLONE_PIDFD|b.clone|uintptr(unix.SIGCHLD), uintptr(b.report), &pidfd)
	b.lower()
	if e != 0 && born {
		return nil, errNotBorn
	}
	if e != 0 {
		return nil, e
	}
	p := &Process{PID: int(pid), FD: os.NewFile(uintptr(pidfd), "process "+strconv.Itoa(int(pid)))}
	if err = b.answer(pair[0], p.PID); err == nil {
		var f program.Failure
		buf := unsafe.Slice((*byte)(unsafe.Pointer(&f)), unsafe.Sizeof(f))
		n, e := io.ReadFull(failed, buf)
		if errors.Is(e, io.EOF) { // closed by execve(2)
			return p, nil
		}
		if err = errUnfinished; n == len(buf) {
			err = b.failure(f)
		}
	}
	_ = unix.PidfdSendSignal(int(pidfd), unix.SIGKILL, nil, 0)
	_, _ = unix.Wait4(p.PID, nil, 0, nil)
	p.FD.Close()
	return nil, err
}

// answer does what the child asks for. A child that asks no more says in its report why.
func (b *child) answer(socket, pid int) error {
	var buf [1]byte
	for _, do := range b.asks {
		n, err := unix.Read(socket, buf[:])
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Read(socket, buf[:])
		}
		if n <= 0 {
			return nil
		}
		reply, err := do(pid)
		if err != nil {
			return err
		}
		if _, err := unix.Write(socket, reply); err != nil {
			return nil
		}
	}
	return nil
}
