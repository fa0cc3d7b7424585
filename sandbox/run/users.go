package run

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/sandbox/container"
	"ctl/sandbox/service"
)

// inUsers is the variable by which ctl tells itself that it is in a user namespace of its own.
const inUsers = "CTL_RUN_USER_NAMESPACE"

// userNamespace runs this call once more in a user namespace, where a user may do what the sandboxes take: there, nobody but the user is
// known. As a user's manager does, it does so only if a service asks for any of it. It returns false if there is nothing of that to do, or
// no such namespace to be had.
func (c *Call) userNamespace(s *set) (bool, error) {
	if _, there := os.LookupEnv(inUsers); there {
		_ = os.Unsetenv(inUsers)
		c.users = true
		return false, nil
	}
	if c.Opt.scope != user || os.Geteuid() == 0 || !slices.ContainsFunc(s.services, func(v *service.Service) bool { return v.Exec.NeedsUsers() }) {
		return false, nil
	}
	uid, gid := os.Getuid(), os.Getgid()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inUsers+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}},
	}
	for i := range container.LastCapability() + 1 { // which execve(2) would take from anybody but root
		cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, uintptr(i))
	}
	runtime.LockOSThread() // whose death is its death; the rest is its guardian's
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	if err := cmd.Start(); err != nil {
		signal.Stop(signals)
		runtime.UnlockOSThread()
		return false, nil // what cannot be had without it will be told of
	}
	go func() {
		for sig := range signals {
			if (sig == unix.SIGINT || sig == unix.SIGQUIT) && foreground() {
				continue // the terminal sends it to both of us
			}
			_ = cmd.Process.Signal(sig)
		}
	}()
	err := cmd.Wait()
	if cmd.ProcessState == nil {
		return true, err
	}
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return true, exit(128 + int(status.Signal()))
	}
	return true, exit(status.ExitStatus())
}

// foreground tells whether we are in the foreground of a terminal.
func foreground() bool {
	group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
