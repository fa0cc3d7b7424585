// Killer starts `ctl run` again and again, kills it at one moment after the other, and tells what is left of it:
//
//	killer STEP NEXT PATTERNS COMMAND...
//
// It kills it at every STEP-th system call until the service says "up", and at each line that is said after that. Nobody may live then, and nothing be
// mounted or be at one of the patterns, if need be after NEXT was run, which is a command of the shell.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	traceSysGood   = 0x1
	traceClone     = 0x8
	waitAllThreads = 0x40000000 // __WALL, waitpid(2)
)

var next, patterns string

func main() {
	runtime.LockOSThread() // one thread traces
	step, _ := strconv.Atoi(os.Args[1])
	next, patterns = os.Args[2], os.Args[3]
	argv := os.Args[4:]
	must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) // whoever is left becomes ours
	before := state()
	calls, lines := 0, 0
	for n := 1; ; n += step {
		up := killed(argv, n, 1)
		settled(fmt.Sprintf("killed at system call %d", n), before)
		if calls++; up {
			break
		}
	}
	for n := 2; n <= 12; n += 2 {
		killed(argv, 0, n)
		settled(fmt.Sprintf("killed at line %d", n), before)
		lines++
	}
	fmt.Println("done", calls >= 5, lines)
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// killed starts a command and kills it at a stop at a system call, of any of its threads, or when it says so many lines, and tells which it was. With
// no such stop it is not traced.
func killed(argv []string, stop, line int) bool {
	r, w, err := os.Pipe()
	must(err)
	null, err := os.Open("/dev/null")
	must(err)
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null.Fd(), w.Fd(), w.Fd()}, Sys: &syscall.SysProcAttr{Ptrace: stop > 0, Setpgid: true}})
	must(err)
	w.Close()
	null.Close()
	var said atomic.Bool
	go func() {
		lines := bufio.NewScanner(r)
		for n := 1; lines.Scan(); n++ {
			if n == line {
				said.Store(true)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		r.Close()
	}()
	var ws syscall.WaitStatus
	if stop > 0 {
		_, err = syscall.Wait4(pid, &ws, waitAllThreads, nil)
		must(err)
		must(syscall.PtraceSetOptions(pid, traceSysGood|traceClone))
		_ = syscall.PtraceSyscall(pid, 0)
	}
	for stops := 0; ; {
		tid, err := syscall.Wait4(-1, &ws, waitAllThreads, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || tid == pid && (ws.Exited() || ws.Signaled()) {
			return said.Load()
		}
		if !ws.Stopped() {
			continue
		}
		if threadsOf(tid) != pid { // a process that sends no signal at its end counts as a thread
			_ = syscall.PtraceDetach(tid)
			continue
		}
		signal := 0
		switch s := ws.StopSignal(); {
		case s == syscall.SIGTRAP|0x80:
			if stops++; stops == stop {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		case s == syscall.SIGTRAP, s == syscall.SIGSTOP:
		default:
			signal = int(s)
		}
		_ = syscall.PtraceSyscall(tid, signal)
	}
}

// threadsOf is the process whose thread this is.
func threadsOf(tid int) int {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ := strings.Cut(rest, "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	return pid
}

// settled waits until nobody is left, and looks what is.
func settled(when, before string) {
	late := time.AfterFunc(10*time.Second, func() {
		pids, _ := os.ReadFile("/proc/self/task/" + strconv.Itoa(os.Getpid()) + "/children")
		for pid := range strings.FieldsSeq(string(pids)) {
			line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			fmt.Printf("%s: lives: %q %s\n", when, line, stat)
		}
		os.Exit(1)
	})
	for {
		var ws syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &ws, waitAllThreads, nil)
		if err != nil && err != syscall.EINTR {
			break
		}
		if ws.Stopped() {
			_ = syscall.PtraceDetach(tid)
		}
	}
	late.Stop()
	if state() == before {
		return
	}
	left := state()
	if out, err := exec.Command("/bin/sh", "-c", next).CombinedOutput(); err != nil {
		fmt.Printf("%s: the next: %v %s\n", when, err, out)
	}
	if now := state(); now != before {
		fmt.Printf("%s, this is left: %q; after the next: %q\n", when, more(left, before), more(now, before))
	}
}

// more are the lines that were not there before.
func more(now, before string) []string {
	return slices.DeleteFunc(strings.Split(now, "\n"), func(l string) bool { return slices.Contains(strings.Split(before, "\n"), l) })
}

// state is what there is at the patterns, and what is mounted.
func state() string {
	s := mounts()
	for p := range strings.FieldsSeq(patterns) {
		l, _ := filepath.Glob(p)
		for _, f := range l {
			s += f + "\n"
		}
	}
	return s
}

func mounts() string {
	s := ""
	l, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(l)) {
		s += strings.Fields(line)[4] + "\n"
	}
	return s
}
