package sandbox

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/sandbox/container"
)

// inUsers is the environment variable that tells a ctl that it was started by one without rights, as root of a user namespace:
// "wait" until that has its user IDs, or "yes".
const inUsers = "CTL_SPAWN_USERS"

// asRoot starts ctl once more as root of a user namespace, for who is not root, and ends as it does. The namespace has the
// caller's ID alone, or also those that newuidmap(1) gives from subuid(5).
func (c *Call) asRoot() error {
	runtime.LockOSThread() // whose death is the child's
	uids, gids := subordinate("/etc/subuid", os.Getuid()), subordinate("/etc/subgid", os.Getuid())
	mapUsers, e1 := exec.LookPath("newuidmap")
	mapGroups, e2 := exec.LookPath("newgidmap")
	more := uids != nil && gids != nil && e1 == nil && e2 == nil
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	var begin *os.File
	if more {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		begin = w
		cmd.ExtraFiles = []*os.File{r}
		cmd.Env = append(os.Environ(), inUsers+"=wait")
	} else {
		cmd.Env = append(os.Environ(), inUsers+"=yes")
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("Failed to make a user namespace, without which only root can start containers: %w", errno(err))
	}
	go func() {
		for s := range signals {
			// What is typed at a terminal is sent to both of us.
			if s == unix.SIGTERM || s == unix.SIGHUP || !isTerminal(os.Stdin) {
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	if more {
		pid := strconv.Itoa(cmd.Process.Pid)
		for _, m := range [][]string{append([]string{mapUsers, pid, "0", strconv.Itoa(os.Getuid()), "1"}, uids...),
			append([]string{mapGroups, pid, "0", strconv.Itoa(os.Getgid()), "1"}, gids...)} {
			if out, err := exec.Command(m[0], m[1:]...).CombinedOutput(); err != nil {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				return fmt.Errorf("%s failed: %s", m[0], strings.TrimSpace(string(out)))
			}
		}
		begin.Close()
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		return Exit(max(code, 1))
	}
	return nil
}

// subordinate is the first range of IDs that subuid(5) or subgid(5) gives a user, as newuidmap(1) takes it, to follow ID 0.
func subordinate(file string, uid int) []string {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 3 && (f[0] == strconv.Itoa(uid) || f[0] == os.Getenv("USER")) {
			return []string{"1", f[1], f[2]}
		}
	}
	return nil
}

// becomeRoot is what a ctl does that was started by asRoot.
func becomeRoot() error {
	how := os.Getenv(inUsers)
	if how == "" {
		return nil
	}
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	if how != "wait" {
		return nil
	}
	// It has no rights until it is executed as the root that it becomes.
	f := os.NewFile(3, "begin")
	_, _ = io.ReadAll(f)
	f.Close()
	if err := os.Setenv(inUsers, "yes"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// shareUsers gives a container that is started in a user namespace which is not the host's one below it with the same IDs, as many as there
// are: so it has a mount namespace of its users, which the rest of what is done without rights needs.
func (c *Call) shareUsers(d *container.Container, ids uint32) error {
	d.Users = &container.UserMap{Range: ids, Owner: container.OwnedAsIs}
	return c.limits(d)
}
