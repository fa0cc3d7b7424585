package difftest

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ctl/internal/oracle"
)

// Stops of ptrace(2).
const (
	traceSysGood   = 0x1
	traceClone     = 0x8
	traceExitKill  = 0x100000
	waitAllThreads = 0x40000000 // __WALL, waitpid(2)
)

// killAt starts the program and kills it at its n-th stop at a system call, all
// threads counted. It reports whether the program had ended before.
func killAt(t *testing.T, argv []string, n int) (ended bool) {
	t.Helper()
	runtime.LockOSThread() // one thread traces
	defer runtime.UnlockOSThread()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &ws, waitAllThreads, nil); err != nil {
		t.Fatal(err)
	}
	if err := syscall.PtraceSetOptions(pid, traceSysGood|traceClone|traceExitKill); err != nil {
		t.Fatal(err)
	}
	_ = syscall.PtraceSyscall(pid, 0)
	for stops := 0; ; {
		tid, err := syscall.Wait4(-1, &ws, waitAllThreads, nil)
		if err != nil {
			return true
		}
		if (ws.Exited() || ws.Signaled()) && tid == pid {
			return true
		}
		if !ws.Stopped() {
			continue
		}
		signal := 0
		switch s := ws.StopSignal(); {
		case s == syscall.SIGTRAP|0x80:
			if stops++; stops == n {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				for {
					tid, err := syscall.Wait4(-1, &ws, waitAllThreads, nil)
					if err != nil || tid == pid && (ws.Exited() || ws.Signaled()) {
						return false
					}
				}
			}
		case s == syscall.SIGTRAP, s == syscall.SIGSTOP:
		default:
			signal = int(s)
		}
		_ = syscall.PtraceSyscall(tid, signal)
	}
}

// TestKill kills ctl at every system call of a call that makes, replaces and removes
// links. Each is then the old or the new one, and the next run completes the work.
func TestKill(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	var s scenario
	s.file(usr+"a.service", "[Install]\nWantedBy=x.target y.target\nAlias=b.service\n")
	s.link(etc+"b.service", usr+"gone.service")
	s.link(etc+"y.target.wants/a.service", "/opt/a.service")
	s.link(etc+"old.target.wants/a.service", usr+"a.service")
	dir := t.TempDir()
	build := func(name string) string {
		root := filepath.Join(dir, name)
		s.build(t, root)
		return root
	}
	argv := func(root string) []string {
		return []string{bin, "--root=" + root, "-q", "-f", "reenable", "a.service"}
	}
	run := func(root string) {
		if out, err := exec.Command(bin, argv(root)[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	root := build("whole")
	before := oracle.Snapshot(root)
	run(root)
	after := oracle.Snapshot(root)
	for n := 1; ; n++ {
		root := build("killed")
		ended := killAt(t, argv(root), n)
		now := oracle.Snapshot(root)
		for p, v := range now {
			temporary := strings.HasPrefix(filepath.Base(p), ".ctl-")
			if v != before[p] && v != after[p] && !temporary {
				t.Errorf("killed at stop %d: %s is %s", n, p, v)
			}
		}
		for p := range before {
			if _, ok := now[p]; !ok && strings.HasPrefix(p, usr) {
				t.Errorf("killed at stop %d: %s is gone", n, p)
			}
		}
		run(root)
		// A directory that the killed run had emptied stays, as it would with the reference.
		completed := oracle.Snapshot(root)
		maps.DeleteFunc(completed, func(p string, e oracle.Entry) bool { return after[p] == oracle.Entry{} && e.Mode.IsDir() })
		if d := oracle.Diff(after, completed); d != "" {
			t.Errorf("killed at stop %d, the next run leaves:\n%s", n, d)
		}
		os.RemoveAll(root)
		if ended {
			if n < 50 {
				t.Fatalf("only %d stops", n)
			}
			t.Logf("%d stops", n)
			return
		}
	}
}

// TestTogether has many calls work on one tree at once.
func TestTogether(t *testing.T) {
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	var s scenario
	for i := range 20 {
		s.file(fmt.Sprintf("%su%d.service", usr, i), "[Install]\nWantedBy=x.target\nAlias=same.service\n")
	}
	s.build(t, root)
	var failed atomic.Int32
	done := make(chan struct{})
	for i := range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 5 {
				unit := fmt.Sprintf("u%d.service", i)
				for _, verb := range []string{"enable", "disable", "enable"} {
					if out, err := exec.Command(bin, "--root="+root, "-f", "-q", verb, unit).CombinedOutput(); err != nil {
						t.Errorf("%s %s: %v: %s", verb, unit, err, out)
						failed.Add(1)
					}
				}
			}
		}()
	}
	for range 20 {
		<-done
	}
	links := 0
	for p := range oracle.Snapshot(root) {
		if strings.HasPrefix(p, etc+"x.target.wants/u") {
			links++
		}
		if strings.Contains(p, ".ctl-") {
			t.Errorf("%s was left", p)
		}
	}
	if links != 20 || failed.Load() > 0 {
		t.Errorf("%d of 20 links", links)
	}
}
