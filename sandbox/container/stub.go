package container

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// StubName is what ctl is called by as the first process of a container in whose place something else is to run
// (systemd-nspawn(1) --as-pid2): it reaps, and turns signals for an init into the end of the container.
const StubName = "(sd-stubinit)"

// stubFD is where the stub finds what to run.
const stubFD = 3

// sealed opens our own program so that what executes it gets it from a mount that is read-only, and that nobody can make writable for it
// is nowhere: /proc/1/exe is no way to change a file of the host (CVE-2019-5736).
func sealed() (*os.File, error) {
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(exe)
	fd, err := cloneMount(exe, "", false)
	if err != nil {
		return nil, err
	}
	if err := setAttributes(fd, readOnly|noSuid|noDev, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), StubName), nil
}

// stubOrders is what the stub reads: the files to try, the arguments and the environment, each list ended by an empty string.
func (p *Process) stubOrders() (*os.File, error) {
	fd, err := unix.MemfdCreate("orders", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "orders")
	var b bytes.Buffer
	for _, l := range [][]string{p.Paths, p.Argv, p.Env} {
		fmt.Fprintf(&b, "%d\x00", len(l))
		for _, s := range l {
			b.WriteString(s + "\x00")
		}
	}
	if _, err := f.Write(b.Bytes()); err != nil {
		f.Close()
		return nil, err
	}
	_, err = f.Seek(0, 0)
	return f, err
}

func readOrders() (lists [3][]string, err error) {
	f := os.NewFile(stubFD, "orders")
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		return lists, err
	}
	words := strings.Split(b.String(), "\x00")
	for i := range lists {
		var n int
		if _, err := fmt.Sscan(words[0], &n); err != nil || n < 0 || n+1 > len(words) {
			return lists, unix.EBADMSG
		}
		lists[i], words = words[1:n+1], words[n+1:]
	}
	return lists, nil
}

// stopTimeout is how long the payload may take to end after it has been asked to.
const stopTimeout = 90 * time.Second

// Stub is the first process of a container that runs a program as its second one. It returns the exit status.
func Stub() int {
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // nobody is to look into it
	lists, err := readOrders()
	if err != nil {
		return stubFailed("read orders", err)
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	pid, err := startPayload(lists)
	if err != nil {
		return stubFailed("execv("+lists[1][0]+") failed", err)
	}
	reboot := 0
	var timeout <-chan time.Time
	for {
		for {
			var status unix.WaitStatus
			got, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			if err != nil || got <= 0 {
				break
			}
			if got == pid {
				return stubEnd(reboot, status)
			}
		}
		select {
		case s := <-signals:
			how := 0
			switch n := int(s.(syscall.Signal)); {
			case n == int(unix.SIGINT), n == 34+5, n == 34+6, n == 34+15, n == 34+16:
				how = unix.LINUX_REBOOT_CMD_RESTART
			case n == 34+3, n == 34+4, n == 34+13, n == 34+14:
				how = unix.LINUX_REBOOT_CMD_POWER_OFF
			}
			if how != 0 && reboot == 0 {
				reboot, timeout = how, time.After(stopTimeout)
				for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGCONT, unix.SIGHUP} {
					_ = unix.Kill(pid, s)
				}
			}
		case <-timeout:
			return stubEnd(reboot, 0)
		}
	}
}

// startPayload starts the first of the files that can be executed.
func startPayload(lists [3][]string) (int, error) {
	paths, argv, env := lists[0], lists[1], lists[2]
	_, err := unix.IoctlGetTermios(0, unix.TCGETS)
	attr := syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: err == nil}}
	err = unix.ENOENT
	for _, path := range paths {
		pid, e := syscall.ForkExec(path, argv, &attr)
		if e == nil {
			return pid, nil
		}
		if e != unix.ENOENT && e != unix.ENOTDIR || err == unix.ENOENT {
			err = e
		}
	}
	return 0, err
}

// stubEnd ends the container as its payload did, or as it was told to.
func stubEnd(reboot int, status unix.WaitStatus) int {
	if reboot != 0 {
		_ = unix.Reboot(reboot)
	}
	if status.Exited() {
		return status.ExitStatus()
	}
	return 255
}

func stubFailed(what string, err error) int {
	fmt.Fprintln(os.Stderr, Failure{what, err}.Error())
	return 1
}
