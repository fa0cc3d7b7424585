package container

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ctl/sandbox/mount"
)

// StubName is what ctl is called by as the first process of a container in whose place something else is to run
// (systemd-nspawn(1) --as-pid2): it reaps, and turns signals for an init into the end of the container.
const StubName = "(sd-stubinit)"

// sealed opens our own program so that what executes it gets it from a mount that is read-only, and that nobody can make writable for it
// is nowhere: /proc/1/exe is no way to change a file of the host (CVE-2019-5736).
func sealed() (*os.File, error) {
	exe, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(exe)
	fd, err := mount.Clone(exe, "", false)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) { // the mount is in somebody else's namespace
		return copied()
	}
	if err != nil {
		return nil, err
	}
	if err := mount.Set(fd, readOnly|noSuid|noDev, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), StubName), nil
}

// copied is our own program as a file in memory that nobody can change any more, memfd_create(2).
func copied() (*os.File, error) {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer exe.Close()
	fd, err := unix.MemfdCreate(StubName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), StubName)
	if _, err = io.Copy(f, exe); err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// stopTimeout is how long the payload may take to end after it has been asked to.
const stopTimeout = 90 * time.Second

// stubPayload is the process that the stub is there for. It was forked before the stub had threads, which have numbers too.
const stubPayload = 2

// Stub is the first process of a container that runs a program as its second one. It returns the exit status.
func Stub() int {
	if fd, err := unix.Open("/proc/self/comm", unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		_, _ = unix.Write(fd, []byte(StubName)) // ps(1) is to show what it is
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // nobody is to look into it
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	if unix.CloseRange(3, 1<<31-1, 0) != nil { // what is the payload's, and what it waits for (payload.stub)
		for fd := range 1024 {
			_ = unix.Close(max(fd, 3))
		}
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
			if got == stubPayload {
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
					_ = unix.Kill(stubPayload, s)
				}
			}
		case <-timeout:
			return stubEnd(reboot, 0)
		}
	}
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
