// Attack is run in a container and tries to get out, or at what is the host's, and prints what came of each attempt. With a
// word it does what the tests need beside the container: "elf", "listen", "keys".
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	prefix := ""
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "nested":
			prefix = "nested "
		default:
			act(os.Args[1], os.Args[2:])
			return
		}
	}
	see(prefix)
	if prefix == "" {
		nested() // first, for what root of the container undoes is undone for it too
	}
	for _, a := range attempts() {
		say(prefix+a.name, outcome(a.do))
	}
	callAll(prefix)
}

func say(name string, value any) { fmt.Printf("%s: %v\n", name, value) }

// outcome is the name of the error that an attempt fails with. Each has a thread of its own, which ends with it.
func outcome(do func() error) string {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_ = unix.Unshare(unix.CLONE_FS)
		done <- do()
	}()
	err := <-done
	var e unix.Errno
	switch {
	case err == nil:
		return "OK"
	case errors.As(err, &e):
		return unix.ErrnoName(e)
	}
	return err.Error()
}

// nested tries all again as root of a user namespace below the container's.
func nested() {
	cmd := exec.Command("/proc/self/exe", "nested")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	var e unix.Errno
	if errors.As(err, &e) {
		say("S15 unshare -U", unix.ErrnoName(e))
		return
	}
	if err != nil {
		say("S15 unshare -U", err)
		return
	}
	say("S15 unshare -U", "OK")
}

// see tells what can be seen without doing anything.
func see(prefix string) {
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, f := range fds {
		to, err := os.Readlink("/proc/self/fd/" + f.Name())
		if err == nil && len(f.Name()) > 0 && f.Name() > "2" && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") {
			say(prefix+"S2 descriptor "+f.Name(), to)
		}
	}
	wd, err := os.Getwd()
	say(prefix+"S3 cwd", fmt.Sprint(wd, " ", err))
	real, err := os.Readlink("/proc/self/cwd")
	say(prefix+"S3 cwd in proc", fmt.Sprint(real, " ", err))
	var fs unix.Statfs_t
	err = unix.Statfs("/proc", &fs)
	say(prefix+"S4 proc", fmt.Sprintf("%x %v", fs.Type, err))
	for _, d := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		var st unix.Stat_t
		err = unix.Lstat("/dev/"+d, &st)
		say(prefix+"S7 "+d, fmt.Sprintf("%o %d:%d %v", st.Mode&unix.S_IFMT, unix.Major(st.Rdev), unix.Minor(st.Rdev), err))
	}
	for _, f := range []string{"kallsyms", "kcore", "keys", "timer_list"} {
		data := make([]byte, 4096)
		n := -1
		if fd, err := unix.Open("/proc/"+f, unix.O_RDONLY, 0); err == nil {
			n, _ = unix.Read(fd, data)
		}
		say(prefix+"S19 "+f, n)
	}
	for _, f := range [][2]string{{"S20 first process", "/proc/1/environ"}, {"S21 own", "/proc/self/environ"}} {
		data, _ := os.ReadFile(f[1])
		say(prefix+f[0], strings.Contains(string(data), "CALLERS"))
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 2 && (strings.HasPrefix(f[0], "Cap") || f[0] == "NoNewPrivs:" || f[0] == "Seccomp:") {
			say(prefix+"S11 "+strings.TrimSuffix(f[0], ":"), f[1])
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[4] != "/" && strings.Contains(line, "/var/lib/machines") {
			say(prefix+"S27 mount", line)
		}
	}
}
