package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// status are the lines of /proc/self/status that are told.
var status = []string{"Umask", "Uid", "Gid", "Groups", "NStgid", "NSpid", "NSpgid", "NSsid", "CoreDumping", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
	"NoNewPrivs", "Seccomp", "Seccomp_filters", "Speculation_Store_Bypass", "Cpus_allowed_list"}

func process(r *report) {
	r.say("argv", fmt.Sprintf("%q", os.Args))
	dir, err := os.Getwd()
	r.say("cwd", fmt.Sprint(dir, " ", err))
	if link, err := os.Readlink("/proc/self/cwd"); err == nil {
		r.say("cwd link", link)
	}
	exe, _ := os.Readlink("/proc/self/exe")
	r.say("exe", exe)
	statusOf(r, "/proc/self/status", status)
	for _, p := range []struct {
		name   string
		option int
	}{{"dumpable", unix.PR_GET_DUMPABLE}, {"securebits", unix.PR_GET_SECUREBITS}, {"keepcaps", unix.PR_GET_KEEPCAPS},
		{"timerslack", unix.PR_GET_TIMERSLACK}, {"thp", unix.PR_GET_THP_DISABLE}, {"mdwe", unix.PR_GET_MDWE}} {
		v, err := unix.PrctlRetInt(p.option, 0, 0, 0, 0)
		r.say(p.name, fmt.Sprint(v, " ", err))
	}
	personality, _, _ := unix.Syscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	r.say("personality", fmt.Sprintf("%#x", personality))
	for _, f := range []string{"oom_score_adj", "loginuid", "sessionid", "coredump_filter", "uid_map", "gid_map", "setgroups", "cgroup", "timens_offsets", "autogroup"} {
		data, err := os.ReadFile("/proc/self/" + f)
		text := strings.TrimSpace(string(data))
		if f == "cgroup" { // of the first kind there are as many as the machine has
			text = text[strings.LastIndex(text, "\n")+1:]
		}
		if f == "autogroup" {
			_, text, _ = strings.Cut(text, " ")
		}
		r.say(f, fmt.Sprintf("%q %v", text, err))
	}
	nice, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	r.say("nice", 20-nice)
	policy, _, _ := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	r.say("policy", policy)
	ioprio, _, _ := unix.Syscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
	r.say("ioprio", ioprio)
	sid, _ := unix.Getsid(0)
	r.say("ids", fmt.Sprintf("pid %d ppid %d pgrp %d sid %d", os.Getpid(), os.Getppid(), unix.Getpgrp(), sid))
	var death int32
	_ = unix.Prctl(unix.PR_GET_PDEATHSIG, pointer(&death), 0, 0, 0)
	r.say("death signal", death)
	reaper := int32(0)
	_ = unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, pointer(&reaper), 0, 0, 0)
	r.say("subreaper", reaper)
}

func statusOf(r *report, file string, names []string) {
	data, err := os.ReadFile(file)
	if err != nil {
		r.say(file, err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if slices.Contains(names, name) {
			r.say(name, told(name, strings.Join(strings.Fields(value), " ")))
		}
	}
}

// told is the value of a line of /proc/PID/status without what no two programs need have alike: the two signals that glibc keeps for
// itself, and so cannot stop ignoring for its caller, are left out.
func told(name, value string) string {
	set, err := strconv.ParseUint(value, 16, 64)
	if err != nil || name != "SigIgn" {
		return value
	}
	return fmt.Sprintf("%016x", set&^(3<<31))
}

func limits(r *report) {
	data, _ := os.ReadFile("/proc/self/limits")
	for line := range strings.Lines(string(data)) {
		if len(line) > 26 && !strings.HasPrefix(line, "Limit") {
			r.say(strings.TrimSpace(line[:26]), strings.Join(strings.Fields(line[26:]), " "))
		}
	}
}

// signals are those of a program that a shell or execve(2) started; Go has set up its own here.
func signals(r *report) {
	for line := range strings.Lines(inherited()) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.HasPrefix(name, "Sig") || name == "ShdPnd" {
			if name != "SigCgt" && name != "SigQ" {
				r.say(name, told(name, strings.TrimSpace(value)))
			}
		}
	}
}

// inherited is /proc/self/status. What Go has changed is not in there: it only catches signals, and unblocks none.
func inherited() string {
	data, _ := os.ReadFile("/proc/self/status")
	return string(data)
}

func descriptors(r *report) {
	l, _ := filepath.Glob("/proc/self/fd/*")
	for _, p := range l {
		to, err := os.Readlink(p)
		if err != nil || strings.HasPrefix(to, "anon_inode:[event") || strings.HasPrefix(to, "/proc/") {
			continue // ours
		}
		kind, rest, ok := strings.Cut(to, ":[")
		if ok {
			to = kind + ":[" + strings.Map(func(c rune) rune {
				if c >= '0' && c <= '9' {
					return -1
				}
				return c
			}, rest)
		}
		var st unix.Stat_t
		n, _ := strconv.Atoi(filepath.Base(p))
		_ = unix.Fstat(n, &st)
		flags, _ := unix.FcntlInt(uintptr(n), unix.F_GETFL, 0)
		fdflags, _ := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		r.say(filepath.Base(p), fmt.Sprintf("%s flags %#x %d mode %06o owner %d:%d rdev %d:%d", to, flags, fdflags, st.Mode, st.Uid, st.Gid, unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	}
}

func terminal(r *report) {
	for n := range 3 {
		t, err := unix.IoctlGetTermios(n, unix.TCGETS)
		if err != nil {
			r.say(fmt.Sprint("termios ", n), err)
			continue
		}
		r.say(fmt.Sprint("termios ", n), fmt.Sprintf("%x %x %x %x %x", t.Iflag, t.Oflag, t.Cflag, t.Lflag, t.Cc))
		w, err := unix.IoctlGetWinsize(n, unix.TIOCGWINSZ)
		r.say(fmt.Sprint("size ", n), fmt.Sprint(w, " ", err))
		sid, err := unix.IoctlGetInt(n, unix.TIOCGSID)
		r.say(fmt.Sprint("session ", n), fmt.Sprint(sid, " ", err))
		pgrp, err := unix.IoctlGetInt(n, unix.TIOCGPGRP)
		r.say(fmt.Sprint("foreground ", n), fmt.Sprint(pgrp, " ", err))
	}
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	r.try("/dev/tty", err)
	if err == nil {
		defer f.Close()
	}
	stat, _ := os.ReadFile("/proc/self/stat")
	if i := strings.LastIndexByte(string(stat), ')'); i > 0 {
		fields := strings.Fields(string(stat[i+1:]))
		r.say("tty_nr", fields[4])
	}
}

// first is about the process with the number 1 and those that are there besides.
func first(r *report) {
	for _, f := range []string{"comm", "cmdline", "environ"} {
		data, err := os.ReadFile("/proc/1/" + f)
		if err != nil {
			r.say(f, err)
			continue
		}
		words := strings.Split(strings.TrimRight(string(data), "\x00\n"), "\x00")
		if f == "environ" {
			slices.Sort(words)
		}
		for i, w := range words {
			if strings.HasPrefix(w, "container_uuid=") {
				words[i] = "container_uuid=..."
			}
		}
		r.say(f, fmt.Sprintf("%q", words))
	}
	for _, f := range []string{"exe", "cwd", "root"} {
		to, err := os.Readlink("/proc/1/" + f)
		r.say(f, fmt.Sprint(to, " ", err))
	}
	statusOf(r, "/proc/1/status", append([]string{"SigBlk", "SigIgn"}, status...))
	l, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, p := range l {
		data, _ := os.ReadFile(p)
		r.say("process", strings.TrimSpace(string(data)))
	}
	if fds, err := filepath.Glob("/proc/1/fd/*"); err == nil && os.Getpid() != 1 {
		r.say("descriptors", len(fds))
	}
}

func environment(r *report) {
	l := os.Environ()
	slices.Sort(l)
	for _, e := range l {
		name, value, _ := strings.Cut(e, "=")
		r.say(name, value)
	}
}

func namespaces(r *report) {
	for _, n := range []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"} {
		to, err := os.Readlink("/proc/self/ns/" + n)
		other, _ := os.Readlink("/proc/1/ns/" + n)
		host := os.Getenv("HOST_" + n) // the case passes it, to see whether it is the caller's
		r.say(n, fmt.Sprint(err, " as the first: ", to == other, ", the caller's: ", to == host))
	}
	var u unix.Utsname
	_ = unix.Uname(&u)
	r.say("host name", unix.ByteSliceToString(u.Nodename[:]))
	r.say("domain name", unix.ByteSliceToString(u.Domainname[:]))
	r.say("machine", unix.ByteSliceToString(u.Machine[:]))
}
