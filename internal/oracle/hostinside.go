package oracle

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// serveHost is the first process of a host: it makes the host, does one call, and with its end all of it is gone.
func serveHost() error {
	var spec hostSpec
	if err := gob.NewDecoder(os.Stdin).Decode(&spec); err != nil {
		return err
	}
	r, err := beHost(spec)
	if err != nil {
		r.Err = err.Error()
	}
	return gob.NewEncoder(os.Stdout).Encode(r)
}

type mount struct{ source, target, kind, options string }

// beHost changes into the host and does the call.
func beHost(spec hostSpec) (HostResult, error) {
	memory, err := enterHost(spec)
	if err != nil {
		return HostResult{}, err
	}
	c := spec.Call
	if c.Setup != "" {
		cmd := exec.Command("/bin/sh", "-ec", c.Setup)
		cmd.Dir, cmd.Env = HostDir, c.Env
		if out, err := cmd.CombinedOutput(); err != nil {
			return HostResult{}, fmt.Errorf("setup: %w: %s", err, out)
		}
	}
	before := surroundings(memory)
	result, terminal, err := runScript(c)
	if err != nil {
		return HostResult{}, err
	}
	reap()
	left := changes(before, surroundings(memory))
	return HostResult{Result: result, Left: append(left, terminal...)}, nil
}

// enterHost mounts the host and makes it the root. It returns the path of the directory where overlays keep what is changed.
func enterHost(spec hostSpec) (string, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", err
	}
	if err := unix.Mount("memory", spec.Dir, "tmpfs", 0, "mode=755"); err != nil {
		return "", err
	}
	for _, d := range []string{"root", "upper", "work", "full", "fullwork"} {
		if err := os.Mkdir(spec.Dir+"/"+d, 0o755); err != nil {
			return "", err
		}
	}
	root := spec.Dir + "/root"
	mounts := []mount{
		{"host", root, "overlay", "lowerdir=" + spec.Layer + ":" + spec.Tree + ",upperdir=" + spec.Dir + "/upper,workdir=" + spec.Dir + "/work"},
		{"proc", root + "/proc", "proc", ""},
		{"sysfs", root + "/sys", "sysfs", ""},
		{"cgroup2", root + "/sys/fs/cgroup", "cgroup2", ""},
		{"dev", root + "/dev", "tmpfs", "mode=755"},
		{"run", root + "/run", "tmpfs", "mode=755"},
		{"tmp", root + "/tmp", "tmpfs", "mode=1777"},
		{"vartmp", root + "/var/tmp", "tmpfs", "mode=1777"},
		{"machines", root + HostDir, "tmpfs", "mode=755"},
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return "", err
		}
		if err := unix.Mount(m.source, m.target, m.kind, 0, m.options); err != nil {
			return "", fmt.Errorf("mount %s: %w", m.source, err)
		}
	}
	if err := makeDev(root + "/dev"); err != nil {
		return "", err
	}
	if err := unix.Mount(spec.Bin, root+"/ctl", "", unix.MS_BIND, ""); err != nil {
		return "", err
	}
	if err := copyTree(root+HostDir+"/t", spec.Small); err != nil {
		return "", err
	}
	if spec.Call.Full {
		full := root + HostDir + "/full"
		if err := os.Mkdir(full, 0o755); err != nil {
			return "", err
		}
		options := "lowerdir=" + spec.Tree + ",upperdir=" + spec.Dir + "/full,workdir=" + spec.Dir + "/fullwork"
		if err := unix.Mount("full", full, "overlay", 0, options); err != nil {
			return "", fmt.Errorf("mount the full tree: %w", err)
		}
	}
	memory, err := unix.Open(spec.Dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Chdir(root); err != nil {
		return "", err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return "", err
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return "", err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil { // as systemd has it
		return "", err
	}
	if err := unix.Sethostname([]byte("host")); err != nil {
		return "", err
	}
	if err := loopbackUp(); err != nil {
		return "", err
	}
	unix.Umask(0o022)
	if err := os.WriteFile("/sys/fs/cgroup/caller/cgroup.procs", []byte("1"), 0); err != nil {
		return "", err
	}
	return "/proc/self/fd/" + strconv.Itoa(memory), os.Chdir("/")
}

func makeDev(dev string) error {
	for _, n := range []struct {
		name         string
		major, minor uint32
		mode         uint32
	}{
		{"null", 1, 3, 0o666}, {"zero", 1, 5, 0o666}, {"full", 1, 7, 0o666}, {"random", 1, 8, 0o666}, {"urandom", 1, 9, 0o666},
		{"tty", 5, 0, 0o666}, {"kmsg", 1, 11, 0o644}, {"fuse", 10, 229, 0o666}, {"net/tun", 10, 200, 0o666}, {"loop0", 7, 0, 0o660},
	} {
		if d, _, ok := strings.Cut(n.name, "/"); ok {
			if err := os.MkdirAll(dev+"/"+d, 0o755); err != nil {
				return err
			}
		}
		kind := uint32(unix.S_IFCHR)
		if n.name == "loop0" {
			kind = unix.S_IFBLK
		}
		if err := unix.Mknod(dev+"/"+n.name, kind|n.mode, int(unix.Mkdev(n.major, n.minor))); err != nil {
			return err
		}
		if err := os.Chmod(dev+"/"+n.name, os.FileMode(n.mode)); err != nil {
			return err
		}
	}
	for _, l := range [][2]string{{"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"}} {
		if err := os.Symlink(l[0], dev+"/"+l[1]); err != nil {
			return err
		}
	}
	pts := mount{"devpts", dev + "/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5"}
	for _, m := range []mount{pts, {"shm", dev + "/shm", "tmpfs", "mode=1777"}} {
		if err := os.Mkdir(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, unix.MS_NOSUID|unix.MS_NOEXEC, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.source, err)
		}
	}
	return nil
}

func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, r)
}

// A stream keeps what was said, and wakes who waits for a text.
type stream struct {
	mu   sync.Mutex
	cond *sync.Cond
	out  [2]strings.Builder
	all  strings.Builder
	over bool
}

type half struct {
	s *stream
	n int
}

func (h half) Write(p []byte) (int, error) {
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.out[h.n].Write(p)
	h.s.all.Write(p)
	h.s.cond.Broadcast()
	return len(p), nil
}

// await waits until a text was said after the position from, and returns the position behind it.
func (s *stream) await(text string, from int) (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if i := strings.Index(s.all.String()[from:], text); i >= 0 {
			return from + i + len(text), true
		}
		if s.over {
			return from, false
		}
		s.cond.Wait()
	}
}

// runScript runs the script of a call. What it did to the terminal is returned as well.
func runScript(c HostCall) (Result, []string, error) {
	s := new(stream)
	s.cond = sync.NewCond(&s.mu)
	cmd := exec.Command("/bin/sh", "-c", c.Script)
	cmd.Dir, cmd.Env = HostDir, c.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = time.Second
	input, terminal, err := connect(c, cmd, s)
	if err != nil {
		return Result{}, nil, err
	}
	var was *unix.Termios
	if terminal != nil {
		if was, err = unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS); err != nil {
			return Result{}, nil, err
		}
	}
	if err := cmd.Start(); err != nil {
		return Result{}, nil, err
	}
	missed := make(chan string, 1)
	go func() { missed <- doSteps(c.Steps, s, input, terminal, cmd.Process) }()
	timer := time.AfterFunc(hostLimit, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	late := !timer.Stop()
	var left []string
	if terminal != nil {
		if now, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS); err != nil || *now != *was {
			left = append(left, "the terminal's settings are not what they were")
		}
		flushTerminal(s, terminal)
	}
	s.mu.Lock()
	s.over = true
	s.cond.Broadcast()
	r := Result{Exit: cmd.ProcessState.ExitCode(), Stdout: s.out[0].String(), Stderr: s.out[1].String()}
	s.mu.Unlock()
	if text := <-missed; text != "" {
		r.Stderr += "\nnever came: " + text
	}
	if late {
		r.Stderr += "\nit took too long"
	}
	if r.Exit < 0 {
		r.Stderr += "\n" + cmd.ProcessState.String()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return r, nil, err
	} else if errors.Is(err, exec.ErrWaitDelay) {
		left = append(left, "something holds the output open")
	}
	return r, left, nil
}

// connect gives a command its standard streams. It returns where to write for it to read, and its terminal.
func connect(c HostCall, cmd *exec.Cmd, s *stream) (input, terminal *os.File, err error) {
	cmd.Stdout, cmd.Stderr = half{s, 0}, half{s, 1}
	if c.TTY {
		master, slave, err := openTerminal(80)
		if err != nil {
			return nil, nil, err
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr.Setctty = true
		go func() {
			buf := make([]byte, 4096)
			for {
				n, err := master.Read(buf)
				_, _ = half{s, 0}.Write(buf[:n])
				if err != nil {
					return
				}
			}
		}()
		return master, slave, nil
	}
	switch {
	case c.Stdin == "pipe":
		r, w, err := os.Pipe()
		cmd.Stdin = r
		return w, nil, err
	case c.Stdin == "closed":
		cmd.Args[2] = "exec 0<&-; " + cmd.Args[2]
	case strings.HasPrefix(c.Stdin, "="):
		f, err := os.CreateTemp("/dev/shm", "stdin")
		if err != nil {
			return nil, nil, err
		}
		os.Remove(f.Name())
		if _, err := f.WriteString(c.Stdin[1:]); err != nil {
			return nil, nil, err
		}
		_, err = f.Seek(0, 0)
		cmd.Stdin = f
		return nil, nil, err
	}
	return nil, nil, nil
}

// flushTerminal waits until all that was written to the terminal was read: the mark comes last.
func flushTerminal(s *stream, terminal *os.File) {
	const mark = "\x00end\x00"
	if _, err := terminal.WriteString(mark); err != nil {
		return
	}
	timer := time.AfterFunc(time.Second, func() {
		s.mu.Lock()
		s.over = true
		s.cond.Broadcast()
		s.mu.Unlock()
	})
	defer timer.Stop()
	s.await(mark, 0)
	s.mu.Lock()
	defer s.mu.Unlock()
	text := strings.ReplaceAll(s.out[0].String(), mark, "")
	s.out[0].Reset()
	s.out[0].WriteString(text)
}

// doSteps does what is to be done meanwhile, and returns the text that never came.
func doSteps(steps []Step, s *stream, input, terminal *os.File, p *os.Process) string {
	at := 0
	for _, step := range steps {
		switch step.Do {
		case "expect":
			var ok bool
			if at, ok = s.await(step.Text, at); !ok {
				return step.Text
			}
		case "send":
			_, _ = input.WriteString(step.Text)
		case "close":
			input.Close()
		case "signal":
			n, _ := strconv.Atoi(step.Text)
			_ = p.Signal(syscall.Signal(n))
		case "size":
			rows, columns, _ := strings.Cut(step.Text, "x")
			r, _ := strconv.Atoi(rows)
			c, _ := strconv.Atoi(columns)
			_ = unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(r), Col: uint16(c)})
		}
	}
	return ""
}

// reap waits for the children that the script left to us, the first process, but not for long.
func reap() {
	done := make(chan struct{})
	go func() {
		for {
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && !errors.Is(err, unix.EINTR) {
				close(done)
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(500 * time.Millisecond):
	}
}
