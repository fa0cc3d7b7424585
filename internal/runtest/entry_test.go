package runtest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
)

// firsts are services that ctl starts as the first process of a container. They send their signals to it themselves.
var firsts = []struct {
	name, args, text string
	exit             int
	said             string
}{
	{name: "fails", text: "ExecStart=/bin/sh -c 'exit 7'", exit: 7},
	{name: "killed", text: "ExecStart=/bin/sh -c 'kill -USR2 $$$$'", exit: 128 + 12},
	{name: "missing", text: "ExecStart=/nonexistent/program", exit: 203},
	{name: "refused", args: "--strict", text: "Nonsense=yes\nExecStart=/bin/echo started", exit: 1},
	{name: "stops", text: `ExecStart=/bin/sh -c 'trap "echo ended; exit 0" TERM; kill -TERM 1; while :; do sleep 0.05; done'
ExecStop=/bin/sh -c 'echo stop $$PPID; kill $MAINPID'
ExecStopPost=/bin/echo stoppost $SERVICE_RESULT $EXIT_CODE $EXIT_STATUS`, said: "stop 1\nended\nstoppost success exited 0\n"},
	{name: "reloads", text: `ExecStart=/bin/sh -c 'trap "echo hup; exit 0" HUP; sleep 0.2; kill -HUP 1; while :; do sleep 0.05; done'
ExecReload=/bin/sh -c 'echo reload; kill -HUP $MAINPID'`, said: "reload\nhup\n"},
	{name: "passes", text: `ExecStart=/bin/sh -c 'trap "echo usr1; exit 0" USR1; sleep 0.2; kill -USR1 1; while :; do sleep 0.05; done'`, said: "usr1\n"},
	// Of the children of one that has ended none is left as a zombie.
	{name: "reaps", text: `ExecStart=/bin/sh -c '(setsid sleep 0.1 & setsid sleep 0.1 &); sleep 0.5; cat /proc/[0-9]*/stat | grep -c ") Z" | sed s/^/zombies:/'`,
		said: "zombies:0\n"},
	// With the last of the service the container ends, whoever else it has.
	{name: "leaves", text: "KillMode=process\nExecStart=/bin/sh -c '(setsid sleep 1000 &); echo over'", said: "over\n"},
}

// entry starts a container whose first process is ctl, which runs this service.
func entry(t *testing.T, name, args, text string) *exec.Cmd {
	t.Helper()
	oracle.NeedRoot(t, "a container")
	tree, err := oracle.Tree()
	oracle.Require(t, err)
	bin, err := oracle.Ctl()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+name+".service", []byte("[Service]\n"+text+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bin, dir+"/ctl"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	words := []string{"spawn", "-qD", tree, "--volatile=overlay", "--private-network", "--pipe", "--register=no", "--keep-unit", "--bind-ro=" + bin + ":/usr/bin/ctl",
		"--bind-ro=" + dir + ":/etc/systemd/system", "--", "/usr/bin/ctl", "run", "-q"}
	return exec.CommandContext(ctx, dir+"/ctl", append(append(words, strings.Fields(args)...), name+".service")...)
}

// TestEntry has ctl be the first process of a container.
func TestEntry(t *testing.T) {
	for _, e := range firsts {
		t.Run(e.name, func(t *testing.T) {
			cmd := entry(t, e.name, e.args, e.text)
			var said, messages bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &messages
			err := cmd.Run()
			if cmd.ProcessState == nil {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != e.exit || said.String() != e.said {
				t.Errorf("exit %d, not %d; %q, not %q\n%s", code, e.exit, said.String(), e.said, messages.String())
			}
		})
	}
}

// TestEntryKilled kills the first process of a container, of whose services nothing may be left.
func TestEntryKilled(t *testing.T) {
	cmd := entry(t, "killed", "", `ExecStart=/bin/sh -c '(setsid setsid sleep 1000 &); echo up; exec sleep 1000'`)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	guardian := children(cmd.Process.Pid)
	if len(guardian) != 1 {
		t.Fatal(guardian)
	}
	var fds []int
	inside := []int{guardian[0]}
	for i := 0; i < len(inside); i++ {
		inside = append(inside, children(inside[i])...)
		fd, err := unix.PidfdOpen(inside[i], 0)
		if errors.Is(err, unix.ESRCH) { // a shell that had only to start another
			inside = append(inside[:i], inside[i+1:]...)
			i--
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	if len(inside) < 3 { // the guardian, ctl, the service
		t.Fatal(inside)
	}
	_ = unix.PidfdSendSignal(fds[1], unix.SIGKILL, nil, 0)
	for i, fd := range fds {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(p, 10000)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if n != 1 {
				t.Errorf("%d of %v still lives", inside[i], inside)
			}
			break
		}
	}
	_ = cmd.Wait()
}

// children are the processes that a process has started, by any of its threads.
func children(pid int) []int {
	var l []int
	threads, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, e := range threads {
		data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + e.Name() + "/children")
		for f := range strings.FieldsSeq(string(data)) {
			if n, err := strconv.Atoi(f); err == nil {
				l = append(l, n)
			}
		}
	}
	return l
}
