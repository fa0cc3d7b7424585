package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func pointer(v *int32) uintptr { return uintptr(unsafe.Pointer(v)) }

// An attempt is something that is tried, in a process of its own.
type attempt struct {
	name string
	do   func() error
}

// attempts do what a container may or may not do. Each leaves things as they were, where it can.
func attempts() []attempt {
	l := []attempt{
		{"mount tmpfs", func() error { return unix.Mount("t", "/tmp", "tmpfs", 0, "") }},
		{"mount proc", func() error { return unix.Mount("p", "/tmp", "proc", 0, "") }},
		{"mount sysfs", func() error { return unix.Mount("s", "/tmp", "sysfs", 0, "") }},
		{"mount cgroup2", func() error { return unix.Mount("c", "/tmp", "cgroup2", 0, "") }},
		{"mount bpf", func() error { return unix.Mount("b", "/tmp", "bpf", 0, "") }},
		{"mount devtmpfs", func() error { return unix.Mount("d", "/tmp", "devtmpfs", 0, "") }},
		{"bind", func() error { return unix.Mount("/etc", "/tmp", "", unix.MS_BIND, "") }},
		{"umount /proc/keys", func() error { return unix.Unmount("/proc/keys", 0) }},
		{"umount /proc/kcore", func() error { return unix.Unmount("/proc/kcore", unix.MNT_DETACH) }},
		{"umount /sys", func() error { return unix.Unmount("/sys", unix.MNT_DETACH) }},
		{"remount /proc/sys", func() error { return unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"remount /", func() error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"pivot_root", func() error {
			if err := unix.Mount("t", "/tmp", "tmpfs", 0, ""); err != nil {
				return err
			}
			_ = os.Mkdir("/tmp/old", 0o755)
			return unix.PivotRoot("/tmp", "/tmp/old")
		}},
		{"chroot", func() error { return unix.Chroot("/usr") }},
		{"sethostname", func() error {
			name, _ := os.Hostname()
			return unix.Sethostname([]byte(name))
		}},
		{"setdomainname", func() error { return unix.Setdomainname([]byte("(none)")) }},
		{"settimeofday", func() error { return unix.Settimeofday(&unix.Timeval{Sec: -1, Usec: -1}) }},
		{"clock_settime", func() error { return unix.ClockSettime(unix.CLOCK_REALTIME, &unix.Timespec{Sec: -1}) }},
		{"adjtimex to read", func() error { _, err := unix.Adjtimex(new(unix.Timex)); return err }},
		{"setgroups", func() error { return number(unix.SYS_SETGROUPS, 0) }},
		{"setuid 1000", func() error { return number(unix.SYS_SETUID, 1000) }},
		{"setuid 70000", func() error { return number(unix.SYS_SETUID, 70000) }},
		{"nice -5", func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, -5) }},
		// ESRCH where it may be called. Asking to be traced would make the thread one that the caller has to wait for.
		{"ptrace", func() error { return number(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(os.Getpid())) }},
		{"ptrace the first", func() error { return unix.PtraceAttach(1) }},
		{"quotactl", func() error { return number(unix.SYS_QUOTACTL, 0x80000100) }},
		{"reboot", func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"keyctl", func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false); return err }},
		{"user keyring", func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err }},
		{"add_key", func() error {
			_, err := unix.AddKey("user", "probe", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
			return err
		}},
		{"session key of the caller", func() error {
			_, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "callers", 0)
			return err
		}},
		{"rlimit NOFILE", func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) }},
		{"setns pid", func() error {
			fd, err := unix.Open("/proc/self/ns/pid", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, 0)
		}},
		{"TIOCSTI", func() error {
			c := int32(' ')
			_, _, e := unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI, pointer(&c))
			return errno(e)
		}},
		{"TIOCSCTTY", func() error { return unix.IoctlSetInt(0, unix.TIOCSCTTY, 0) }},
		{"write /proc/self/loginuid", func() error { return os.WriteFile("/proc/self/loginuid", []byte("1"), 0) }},
		{"write /proc/1/oom_score_adj", func() error { return os.WriteFile("/proc/1/oom_score_adj", []byte("-1"), 0) }},
		{"open_by_handle_at", func() error {
			h, id, err := unix.NameToHandleAt(unix.AT_FDCWD, "/etc", 0)
			_ = id
			if err != nil {
				return fmt.Errorf("name_to_handle_at: %w", err)
			}
			fd, err := unix.Open("/", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			_, err = unix.OpenByHandleAt(fd, h, 0)
			return err
		}},
		{"set user.x", func() error { return unix.Setxattr("/tmp", "user.x", nil, 0) }},
		{"set trusted.x", func() error { return unix.Setxattr("/root", "trusted.x", []byte("x"), 0) }},
		{"set security.x", func() error { return unix.Setxattr("/root", "security.x", []byte("x"), 0) }},
		{"chown 1000", func() error { return os.Chown("/home", 0, 0) }},
		{"inotify", func() error { _, err := unix.InotifyInit1(0); return err }},
		{"fanotify", func() error { _, err := unix.FanotifyInit(0, 0); return err }},
		{"memfd", func() error { _, err := unix.MemfdCreate("x", 0); return err }},
		{"userfaultfd", func() error { return number(unix.SYS_USERFAULTFD, 1) }},
		{"map to write and execute", func() error {
			_, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			return err
		}},
		{"make executable what was written", func() error {
			b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
			if err != nil {
				return err
			}
			return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
		}},
		{"chmod u+s", func() error {
			fd, err := unix.MemfdCreate("x", 0)
			if err != nil {
				return err
			}
			return unix.Fchmod(fd, 0o4700)
		}},
		{"mkdir g+s", func() error {
			defer os.Remove("/tmp/probe-dir")
			return unix.Mkdir("/tmp/probe-dir", 0o2700)
		}},
		{"scheduler fifo", func() error {
			return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: 1, Priority: 1}, 0)
		}},
		{"scheduler batch", func() error { return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: 3}, 0) }},
		{"personality as it is", func() error {
			p, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
			if e != 0 {
				return e
			}
			return number(unix.SYS_PERSONALITY, p)
		}},
		{"personality of 32 bits", func() error { return number(unix.SYS_PERSONALITY, 8) }},
		{"syslog", func() error { return number(unix.SYS_SYSLOG, 10) }},
		{"init_module", func() error { return number(unix.SYS_INIT_MODULE) }},
		{"delete_module", func() error { return number(unix.SYS_DELETE_MODULE) }},
		{"ioperm", func() error { return number(unix.SYS_IOPERM) }},
		{"clone3 without size", func() error { return number(unix.SYS_CLONE3) }},
		{"bpf", func() error { return number(unix.SYS_BPF, 0xffff) }},
		{"open /proc/sys/kernel/hostname", func() error { _, err := unix.Open("/proc/sys/kernel/hostname", unix.O_WRONLY, 0); return err }},
		{"open /proc/sys/kernel/core_pattern", func() error { _, err := unix.Open("/proc/sys/kernel/core_pattern", unix.O_WRONLY, 0); return err }},
		{"open /proc/kmsg", func() error { _, err := unix.Open("/proc/kmsg", unix.O_RDONLY|unix.O_NONBLOCK, 0); return err }},
		{"open /sys/power/state", func() error { _, err := unix.Open("/sys/power/state", unix.O_WRONLY, 0); return err }},
		{"open /sys/fs/cgroup/cgroup.procs", func() error { _, err := unix.Open("/sys/fs/cgroup/cgroup.procs", unix.O_WRONLY, 0); return err }},
		{"send to 127.0.0.1", func() error { return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}) }},
		{"send to 127.0.0.9", func() error { return sendTo(unix.AF_INET, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 9}}) }},
		{"send to ::1", func() error { return sendTo(unix.AF_INET6, &unix.SockaddrInet6{Port: 9, Addr: [16]byte{15: 1}}) }},
		{"make a cgroup", func() error {
			data, err := os.ReadFile("/proc/self/cgroup")
			_, own, ok := strings.Cut(string(data), "0::")
			if err != nil || !ok {
				return err
			}
			dir := "/sys/fs/cgroup" + strings.TrimSpace(own) + "/probe"
			defer os.Remove(dir)
			return unix.Mkdir(dir, 0o755)
		}},
		{"open O_SYNC", func() error { return openSync(unix.O_SYNC) }},
		{"open O_DSYNC", func() error { return openSync(unix.O_DSYNC) }},
		{"fsync 0", func() error { return unix.Fsync(0) }},
		{"fsync 99", func() error { return unix.Fsync(99) }},
		{"fsync -1", func() error { return unix.Fsync(-1) }},
		{"syncfs 99", func() error { return number(unix.SYS_SYNCFS, 99) }},
		{"sync_file_range 99", func() error { return number(unix.SYS_SYNC_FILE_RANGE, 99) }},
		{"msync", func() error { return number(unix.SYS_MSYNC, 1, 1, 0) }},
	}
	for name, flag := range map[string]int{"user": unix.CLONE_NEWUSER, "mnt": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "net": unix.CLONE_NEWNET, "ipc": unix.CLONE_NEWIPC,
		"uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP, "time": unix.CLONE_NEWTIME} {
		l = append(l, attempt{"unshare " + name, func() error {
			_, _, e := unix.RawSyscall(unix.SYS_UNSHARE, uintptr(flag), 0, 0)
			return errno(e)
		}})
	}
	for _, family := range []int{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_VSOCK, unix.AF_ALG, unix.AF_BLUETOOTH, unix.AF_CAN, unix.AF_KEY, unix.AF_XDP} {
		l = append(l, attempt{fmt.Sprint("socket ", family), func() error {
			_, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
			if errors.Is(err, unix.ESOCKTNOSUPPORT) || errors.Is(err, unix.EPROTOTYPE) {
				_, err = unix.Socket(family, unix.SOCK_RAW, 0)
			}
			return err
		}})
	}
	for _, protocol := range []int{unix.NETLINK_ROUTE, unix.NETLINK_AUDIT, unix.NETLINK_KOBJECT_UEVENT, unix.NETLINK_NETFILTER} {
		l = append(l, attempt{fmt.Sprint("netlink ", protocol), func() error {
			_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, protocol)
			return err
		}})
	}
	for name, at := range map[string]int{"raw": unix.SOCK_RAW} {
		l = append(l, attempt{"inet " + name, func() error { _, err := unix.Socket(unix.AF_INET, at, unix.IPPROTO_ICMP); return err }})
	}
	l = append(l, attempt{"bind port 80", func() error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return unix.Bind(s, &unix.SockaddrInet4{Port: 80})
	}}, attempt{"lo up", func() error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		i, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		i.SetUint16(unix.IFF_UP)
		return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, i)
	}})
	for name, dev := range map[string][3]uint32{"null": {unix.S_IFCHR, 1, 3}, "disk": {unix.S_IFBLK, 254, 0}, "loop": {unix.S_IFBLK, 7, 0}, "kmsg": {unix.S_IFCHR, 1, 11}, "mem": {unix.S_IFCHR, 1, 1}, "fifo": {unix.S_IFIFO, 0, 0}} {
		l = append(l, attempt{"mknod " + name, func() error {
			p := "/tmp/probe-" + name
			defer os.Remove(p)
			return unix.Mknod(p, dev[0]|0o600, int(unix.Mkdev(dev[1], dev[2])))
		}})
	}
	for _, d := range []string{"null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun", "console", "ptmx"} {
		l = append(l, attempt{"open /dev/" + d, func() error { _, err := unix.Open("/dev/"+d, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0); return err }})
	}
	slices.SortFunc(l, func(a, b attempt) int { return strings.Compare(a.name, b.name) })
	return l
}

func sendTo(family int, sa unix.Sockaddr) error {
	s, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	return unix.Sendto(s, []byte("x"), 0, sa)
}

func openSync(flag int) error {
	fd, err := unix.Open("/tmp/sync", unix.O_CREAT|unix.O_RDWR|flag, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func errno(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func number(nr uintptr, args ...uintptr) error {
	for len(args) < 6 {
		args = append(args, 0)
	}
	_, _, e := unix.RawSyscall6(nr, args[0], args[1], args[2], args[3], args[4], args[5])
	return errno(e)
}

// child is one attempt, whose outcome is the exit status.
func child(args []string) int {
	name := strings.TrimPrefix(args[0], "child:")
	for _, a := range attempts() {
		if a.name == name {
			err := a.do()
			var e unix.Errno
			if err == nil {
				return 0
			} else if errors.As(err, &e) {
				return int(e)
			}
			return 255
		}
	}
	return 254
}

// alone are attempts that need a process of their own; for the others a thread is enough, and much faster.
func alone(name string) bool {
	return slices.Contains([]string{"unshare user", "unshare time", "rlimit NOFILE", "TIOCSCTTY"}, name)
}

func try(r *report) {
	for _, a := range attempts() {
		if a.name == "ptrace the first" && slices.Contains(os.Args, "spare") { // it is the host's, and would stop
			continue
		}
		if alone(a.name) {
			cmd := exec.Command("/proc/self/exe", "child:"+a.name)
			cmd.Stdin = os.Stdin
			err := cmd.Run()
			r.say(a.name, outcome(cmd, err))
			continue
		}
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with us
			flags := unix.CLONE_FS
			if strings.Contains(a.name, "mount") || a.name == "bind" || a.name == "pivot_root" {
				flags = unix.CLONE_NEWNS // that nothing stays mounted
			}
			if err := unix.Unshare(flags); flags == unix.CLONE_NEWNS {
				if err != nil && slices.Contains(os.Args, "spare") {
					done <- fmt.Errorf("not tried, for it would last: %w", err)
					return
				}
				_ = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
			}
			done <- a.do()
		}()
		err := <-done
		var e unix.Errno
		if errors.As(err, &e) {
			r.say(a.name, unix.ErrnoName(e))
		} else {
			r.try(a.name, err)
		}
	}
}

func outcome(cmd *exec.Cmd, err error) string {
	switch {
	case cmd.ProcessState == nil:
		return err.Error()
	case cmd.ProcessState.ExitCode() < 0:
		return cmd.ProcessState.String()
	case cmd.ProcessState.ExitCode() == 0:
		return "OK"
	}
	return unix.ErrnoName(unix.Errno(cmd.ProcessState.ExitCode()))
}

// calls tries each system call by number with arguments that are wrong, so that it fails; only what tells a filter from the kernel
// is said: the names of those that are denied with EPERM or do not exist.
func calls(r *report) {
	var denied, unknown, failed []string
	for nr := range 600 {
		switch nr {
		case unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_PAUSE, unix.SYS_RT_SIGRETURN, unix.SYS_RT_SIGSUSPEND, unix.SYS_KILL,
			unix.SYS_VHANGUP, unix.SYS_SETSID, unix.SYS_SELECT, unix.SYS_PSELECT6, unix.SYS_POLL, unix.SYS_PPOLL, unix.SYS_SYNC, unix.SYS_REBOOT, unix.SYS_RESTART_SYSCALL, unix.SYS_WAIT4, unix.SYS_WAITID,
			unix.SYS_CLOSE_RANGE, unix.SYS_ALARM, unix.SYS_MUNMAP, unix.SYS_BRK, unix.SYS_MLOCKALL, unix.SYS_ARCH_PRCTL, unix.SYS_SET_TID_ADDRESS, unix.SYS_SET_ROBUST_LIST, unix.SYS_PERSONALITY,
			unix.SYS_RT_SIGTIMEDWAIT, unix.SYS_ACCT, unix.SYS_UMASK, unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_RT_SIGPROCMASK, unix.SYS_RSEQ, unix.SYS_FUTEX, 335, 336:
			continue
		}
		// Arguments that are no pointers, no descriptors and no flags of anything.
		_, _, e := unix.RawSyscall6(uintptr(nr), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0), ^uintptr(0))
		switch e {
		case unix.EPERM:
			denied = append(denied, strconv.Itoa(nr))
		case unix.ENOSYS:
			unknown = append(unknown, strconv.Itoa(nr))
		default:
			failed = append(failed, fmt.Sprint(nr, "=", unix.ErrnoName(e)))
		}
	}
	r.say("EPERM", strings.Join(denied, " "))
	r.say("ENOSYS", strings.Join(unknown, " "))
	r.say("others", strings.Join(failed, " "))
	const x32 = 0x40000000
	_, _, e := unix.RawSyscall(x32|39, 0, 0, 0)
	r.say("x32 getpid", unix.ErrnoName(e))
	_, _, e = unix.RawSyscall(x32|unix.SYS_SETTIMEOFDAY, 0, 0, 0)
	r.say("x32 settimeofday", unix.ErrnoName(e))
}

// act does what a word says, and tells whether it knew it.
func act(words []string) bool {
	switch words[0] {
	case "init": // prints, says that it is ready, and ends as it is told
		fmt.Printf("init %q\n", words)
		notify("READY=1\nSTATUS=all is well")
		return true
	case "notify":
		fmt.Println("notify", notify(strings.Join(words[1:], "\n")))
		return true
	case "reboot", "poweroff", "halt", "kexec":
		fmt.Println(words[0])
		command := map[string]int{"reboot": unix.LINUX_REBOOT_CMD_RESTART, "poweroff": unix.LINUX_REBOOT_CMD_POWER_OFF, "halt": unix.LINUX_REBOOT_CMD_HALT, "kexec": 0x45584543}[words[0]]
		fmt.Println(unix.Reboot(command))
		return true
	case "wait": // for a signal, which it tells; those named end it
		c := make(chan os.Signal, 8)
		signal.Notify(c)
		fmt.Println("waiting")
		for s := range c {
			if s == unix.SIGURG || s == unix.SIGCHLD {
				continue
			}
			fmt.Println("signal", int(s.(syscall.Signal)))
			if slices.Contains(words[1:], strconv.Itoa(int(s.(syscall.Signal)))) {
				os.Exit(0)
			}
		}
		return true
	case "once": // reboots the first time, that is when the file that it makes is not there
		if os.Mkdir("/rebooted", 0o755) == nil {
			fmt.Println("first")
			_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
		}
		fmt.Println("second")
		return true
	case "listen": // SOCKET COMMAND: prints what the command tells the socket; not in a container, but beside it
		listen(words[1], words[2:])
		return true
	case "bundle": // DIR PATCH...: makes one; not in a container, but beside it
		if err := bundle(words[1], words[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return true
	case "exit":
		n, _ := strconv.Atoi(words[1])
		os.Exit(n)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "list":
		r := &report{part: "list"}
		for _, d := range words[1:] {
			list(r, filepath.Clean(d), true)
		}
		os.Stdout.WriteString(r.out.String())
		return true
	}
	return false
}

func notify(text string) error {
	to := os.Getenv("NOTIFY_SOCKET")
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	return unix.Sendto(s, []byte(text), 0, &unix.SockaddrUnix{Name: to})
}

func listen(at string, command []string) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(s, &unix.SockaddrUnix{Name: at})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+at)
	err = cmd.Run()
	fmt.Println("it ended:", err)
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(s, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		fmt.Printf("told %q\n", buf[:n])
	}
}
