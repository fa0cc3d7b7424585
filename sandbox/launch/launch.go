// Package launch starts one command of a service in its surroundings, systemd.exec(5), in the order in which systemd does.
//
// A thread of its own gathers what the command is to have: descriptors, directories, namespaces. The child that it forks makes, of itself,
// what is left, by a program of system calls (sandbox/program), for it cannot run Go.
package launch

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/sys"
	"ctl/sandbox/copytree"
	"ctl/sandbox/image"
	"ctl/sandbox/mount"
	"ctl/sandbox/namespace"
	"ctl/sandbox/service"
)

// A Host is where services run: the machine, or the tree of --root=. All that is done on it comes from one goroutine, which may keep its thread.
type Host struct {
	Tree    string // the directory that services take for "/"; "" for "/"
	Runtime string // a directory of ours below /run, for what belongs to one activation; made by the caller
	User    bool   // it is a user's own manager that we stand for
	Users   bool   // we are in a user namespace that was made for the services

	home  *mount.Home // of the goroutine's thread, nil if it could not come back
	asked bool
}

// Options are what an activation has besides its unit.
type Options struct {
	Invocation string      // INVOCATION_ID, made up if ""
	Stdio      [3]*os.File // ours, which the journal and "inherit" stand for; nil for our own
	Terminal   bool        // Stdio[0], where it is "inherit", becomes the controlling terminal
	Join       *Room       // whose temporary directories, network and IPC namespace are shared, JoinsNamespaceOf=
	Warn       func(text string)
	Degraded   bool // what protects and cannot be had is done without, and told by Warn
}

// A Room is what all commands of one activation of a service share.
type Room struct {
	h  *Host
	s  *service.Exec
	u  *service.Unit
	o  Options
	id identity

	host         *os.File       // the root directory of the host that we are in
	proc         *os.File       // its /proc
	left         *os.File       // the list of what is to be removed
	tmp          [2]string      // PrivateTmp=yes: what is at /tmp and /var/tmp
	labels       []label        // by security modules
	creds        string         // the directory of the credentials
	credsMounted bool           // they are a file system of their own
	image        *image.Mounted // RootImage=
	images       namespace.Images
	copied       *copytree.Temporary // RootEphemeral= of RootDirectory=
	network      *os.File            // namespaces
	ipc          *os.File
	shares       *shares  // whose these and tmp are, but for namespaces with a path
	dynamic      *os.File // the lock of the user of DynamicUser=
	dynamicPath  string
	closed       bool
}

// Open prepares what the commands of one activation share. Its error is an *Error.
func Open(h *Host, s *service.Exec, u *service.Unit, o Options) (r *Room, err error) {
	r = &Room{h: h, s: s, u: u, o: o, shares: &shares{}}
	if o.Join != nil {
		r.shares = o.Join.shares
	}
	r.shares.users++
	if r.o.Invocation == "" {
		var b [16]byte
		sys.Random(b[:])
		r.o.Invocation = hex.EncodeToString(b[:])
	}
	for i, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if r.o.Stdio[i] == nil {
			r.o.Stdio[i] = f
		}
	}
	r.labels = newLabels("/", s)
	if r.o.Warn == nil {
		r.o.Warn = func(string) {}
	}
	if r.proc, err = os.OpenFile("/proc", unix.O_PATH|unix.O_DIRECTORY, 0); err == nil {
		r.host, err = os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	}
	if err == nil {
		err = r.openLeft()
	}
	if err == nil {
		err = r.thread(r.prepare)
	}
	if err != nil {
		_ = r.Close(false)
		return nil, at(namespaces, err)
	}
	return r, nil
}

// thread runs do on a thread that has the tree as its root directory, and may go into namespaces if it says so by leave. To make another thread takes
// more time than many commands, so that is only for where this one could not come back.
func (r *Room) thread(do func() error) error {
	inside := func() error {
		unix.Umask(0)
		if err := r.enterTree(); err != nil {
			return err
		}
		return do()
	}
	if !r.h.asked {
		r.h.asked = true
		runtime.LockOSThread()
		if home, err := mount.NewHome(); err == nil {
			r.h.home = home
		} else {
			runtime.UnlockOSThread()
		}
	}
	if r.h.home != nil {
		err := inside()
		if lost := r.h.home.Return(); lost != nil {
			return errors.Join(err, fmt.Errorf("return from the namespaces of %s: %w", r.u.Name, lost))
		}
		return err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = inside()
		}
		done <- err
	}()
	return <-done
}

// leave is called before the thread goes into another namespace than of mounts.
func (r *Room) leave(name string, flag int) error {
	if r.h.home == nil {
		return nil
	}
	return r.h.home.Leave(int(r.proc.Fd()), name, flag)
}

// enterTree makes the tree the root directory of the thread.
func (r *Room) enterTree() error {
	if r.h.Tree == "" || r.h.Tree == "/" {
		return nil
	}
	if err := unix.Chroot(r.h.Tree); err != nil {
		return err
	}
	return unix.Chdir("/")
}

// leaveTree undoes enterTree.
func (r *Room) leaveTree() error {
	if r.h.Tree == "" || r.h.Tree == "/" {
		return nil
	}
	if err := unix.Fchdir(int(r.host.Fd())); err != nil {
		return err
	}
	return unix.Chroot(".")
}

// prepare makes what is shared.
func (r *Room) prepare() (err error) {
	if r.id, err = r.identify(); err != nil {
		return err
	}
	if err := r.pickVersions(); err != nil {
		return err
	}
	if err := r.openImages(); err != nil {
		return err
	}
	if err := r.copyRoot(); err != nil {
		return err
	}
	if err := r.temporary(); err != nil {
		return err
	}
	if err := r.share(); err != nil {
		return err
	}
	if err := r.directories(); err != nil {
		return err
	}
	return r.credentials()
}

// invocation is INVOCATION_ID as bytes.
func (r *Room) invocation() (id [16]byte) {
	_, _ = hex.Decode(id[:], []byte(r.o.Invocation))
	return id
}

// Active tells whether the activation lasts.
func (r *Room) Active() bool { return !r.closed }

// Close removes what the activation leaves: RuntimeDirectory= and temporary directories, unless they are to be preserved.
func (r *Room) Close(restarting bool) error {
	if r.closed {
		return nil
	}
	r.closed = true
	var err error
	if r.host != nil {
		err = r.thread(func() error { return r.remove(restarting) })
	}
	for _, m := range slices.Concat([]*image.Mounted{r.image}, r.images.Mount, r.images.Extension) {
		if m != nil {
			m.Close()
		}
	}
	if r.copied != nil {
		err = errors.Join(err, r.copied.Remove())
	}
	for _, f := range [...]*os.File{r.network, r.ipc} {
		if f != nil && f != r.shares.network && f != r.shares.ipc {
			f.Close()
		}
	}
	if r.shares.users--; r.shares.users == 0 {
		r.shares.close()
	}
	for _, f := range [...]*os.File{r.proc, r.host, r.left} {
		if f != nil {
			f.Close()
		}
	}
	return err
}

// A Request is about one command.
type Request struct {
	Command       service.Command
	Control       bool               // it is not the main process
	NoRoot        bool               // RootDirectoryStartOnly=: it has the host's root directory
	NoPermissions bool               // PermissionsStartOnly=: it has no sandbox and no user
	Terminal      bool               // it may have the terminal: of conditions, before the start, the start
	Stopping      bool               // it is of the stop, and has no credentials
	Env           []string           // MAINPID=, SERVICE_RESULT=, ...: what is of this command
	Files         []*os.File         // passed from 3 on
	Names         []string           // LISTEN_FDNAMES, one for each file, or nil for none of these variables
	Open          []service.OpenFile // opened and passed after these
	Sockets       int                // how many of Files are for LISTEN_FDS
	NonBlocking   bool               // they are made non-blocking
	Socket        *os.File           // StandardInput=socket
	Notify        string             // NOTIFY_SOCKET, "" for none
	Watchdog      time.Duration      // WATCHDOG_USEC, 0 for none
	Cgroup        string             // the directory of the cgroup that it is started in, "" for ours
	Joins         bool               // it cannot be forked into that, but has to be moved
	Delegate      bool               // it becomes the user's, to make groups in it
	Subgroup      string             // one of these, where the command runs; "" for none
	Argv          []string           // instead of the command's, for a shell in the surroundings of a service
	Before        func()             // called when all is there for the process to be made; nil for nothing
}

// PidfdID is what tells a process from all others that have had or will have its PID: the inode of its pidfd, since Linux 6.9.
func PidfdID(pid int) uint64 {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	const pidfs = 0x50494446
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fs) != nil || uint64(fs.Type) != pidfs || unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Ino
}

// A Process is a command that has been started.
type Process struct {
	PID int
	FD  *os.File // the same as a pidfd
}

var errUnfinished = errors.New("the child has gone")
