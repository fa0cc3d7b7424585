package console

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit is how long anything here may take on a busy machine.
const limit = 60 * time.Second

// devpts returns the root directory of a devpts file system that is mounted nowhere.
func devpts(t *testing.T) int {
	t.Helper()
	fs, err := unix.Fsopen("devpts", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Skipf("not here: fsopen: %v", err)
	}
	defer unix.Close(fs)
	for _, o := range [][2]string{{"ptmxmode", "666"}, {"mode", "620"}, {"gid", "5"}} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func pair(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, slave, err := NewPair(devpts(t), -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

// A screen is the terminal of the caller: what is typed there and what is seen.
type screen struct {
	*os.File // the master
	slave    *os.File
	mu       sync.Mutex
	seen     bytes.Buffer
	more     chan struct{}
	gone     chan struct{}
}

func newScreen(t *testing.T) *screen {
	t.Helper()
	m, s := pair(t)
	sc := &screen{File: m, slave: s, more: make(chan struct{}, 1), gone: make(chan struct{})}
	sc.size(t, 40, 100)
	go sc.watch()
	return sc
}

func (s *screen) watch() {
	defer close(s.gone)
	buf := make([]byte, 4096)
	for {
		n, err := s.Read(buf)
		s.mu.Lock()
		s.seen.Write(buf[:n])
		s.mu.Unlock()
		select {
		case s.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *screen) size(t *testing.T, rows, columns uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(s.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

// text is all that was seen.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.String()
}

// await waits until text is seen.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	end := time.After(limit)
	for !strings.Contains(s.text(), text) {
		select {
		case <-s.more:
		case <-end:
			t.Fatalf("no %q in %q", text, s.text())
		}
	}
}

func (s *screen) typeIn(t *testing.T, text string) {
	t.Helper()
	if _, err := s.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// A session is a Console at work with a shell for a payload.
type session struct {
	*Console
	cmd    *exec.Cmd
	ended  chan struct{}
	reason chan Reason
	err    error
}

// start runs a script on a terminal of its own, which a Console connects with cfg's In and Out.
func start(t *testing.T, cfg Config, script string) *session {
	t.Helper()
	master, slave, err := NewPair(devpts(t), -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	cfg.Master = master
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	s := &session{ended: make(chan struct{}), reason: make(chan Reason, 1)}
	if s.Console, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command("/bin/sh", "-c", script)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = slave, slave, slave
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	err = s.cmd.Start()
	slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	go func() {
		r, err := s.Run(s.ended)
		s.err = err
		s.reason <- r
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.ended
	})
	return s
}

// wait waits for Run's end.
func (s *session) wait(t *testing.T) Reason {
	t.Helper()
	select {
	case r := <-s.reason:
		return r
	case <-time.After(limit):
		t.Fatal("Run goes on")
		return 0
	}
}

func TestInteractive(t *testing.T) {
	sc := newScreen(t)
	before, _ := unix.IoctlGetTermios(int(sc.slave.Fd()), unix.TCGETS)
	s := start(t, Config{In: sc.slave, Out: sc.slave}, `stty size; trap 'echo GOT' INT; read x; echo "<$x>"; read x; exit 3`)
	sc.await(t, "40 100\r\n")
	sc.typeIn(t, "abc\r")
	sc.await(t, "abc\r\n<abc>\r\n")
	sc.typeIn(t, "\x03")
	sc.await(t, "^CGOT\r\n")
	sc.typeIn(t, "\r")
	if r := s.wait(t); r != Ended || s.err != nil || s.cmd.ProcessState.ExitCode() != 3 {
		t.Error(r, s.err, s.cmd.ProcessState)
	}
	after, _ := unix.IoctlGetTermios(int(sc.slave.Fd()), unix.TCGETS)
	if *before != *after {
		t.Errorf("terminal: %+v, was %+v", after, before)
	}
}

func TestSizeFollows(t *testing.T) {
	sc := newScreen(t)
	s := start(t, Config{In: sc.slave, Out: sc.slave}, `trap 'stty size; exit' WINCH; echo ready; while :; do read x; done`)
	sc.await(t, "ready")
	sc.size(t, 20, 60)
	// The screen is not the terminal of this process, which so has to be told.
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	sc.await(t, "20 60")
	s.wait(t)
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		typed, hot string
		want       Reason
	}{
		{"a\x1d\x1d\x1d", "", Killed},
		{"\x1d\x1dr\x1d\x1dp\x1d\x1dx\x1d\x1dX\x1d\x1d1\n\x04", "rpx", Ended},
	} {
		sc := newScreen(t)
		hot := ""
		s := start(t, Config{In: sc.slave, Out: sc.slave, Hotkey: func(b byte) { hot += string(b) }}, `echo ready; cat`)
		sc.await(t, "ready")
		sc.typeIn(t, c.typed)
		if r := s.wait(t); r != c.want || hot != c.hot {
			t.Errorf("%q: %v, %q", c.typed, r, hot)
		}
	}
}

func TestKeysInTime(t *testing.T) {
	var k keys
	at := time.Unix(0, 0)
	for i, ms := range []int{0, 700, 1300, 2400, 3000} {
		if k.scan([]byte{escapeKey}, at.Add(time.Duration(ms)*time.Millisecond), nil) {
			t.Errorf("killed at %d", i)
		}
	}
	if !k.scan([]byte{escapeKey}, at.Add(3300*time.Millisecond), nil) {
		t.Error("not killed")
	}
}

// TestLargeOutput: nothing is lost, whoever is slow, also what is written just before the end.
func TestLargeOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const size = 10_000_000
	s := start(t, Config{Mode: ReadOnly, Out: w}, `stty -opost; head -c 10000000 /dev/zero | tr '\0' x`)
	w.Close()
	n := 0
	buf := make([]byte, 1<<16)
	for {
		k, err := r.Read(buf)
		if n += k; err != nil {
			break
		}
		if bytes.Trim(buf[:k], "x") != nil && n < size {
			t.Fatalf("%q", buf[:k])
		}
	}
	if s.wait(t); n != size+1 { // and the end of the line
		t.Errorf("%d bytes", n)
	}
}

func TestClosedTerminal(t *testing.T) {
	sc := newScreen(t)
	s := start(t, Config{In: sc.slave, Out: sc.slave}, `exec 9<.; echo one; exec <&- >&- 2>&-
n=0; while [ $n -lt 30 ]; do n=$((n+1)); sleep 0.01; done
exec 0</proc/self/fd/9 && exit 4; exit 5`)
	if r := s.wait(t); r != Ended {
		t.Error(r)
	}
	sc.await(t, "one\r\n")
}

func TestEndOfInput(t *testing.T) {
	for _, in := range []string{"", "x\n", "x"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		sc := newScreen(t)
		s := start(t, Config{In: r, Out: sc.slave}, `cat; echo end; exit 6`)
		if _, err := w.WriteString(in); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if r := s.wait(t); r != Ended || s.cmd.ProcessState.ExitCode() != 6 {
			t.Errorf("%q: %v %v", in, r, s.cmd.ProcessState)
		}
		sc.await(t, "end")
		r.Close()
	}
}

func TestPassive(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := start(t, Config{Mode: Passive, Out: w}, `stty size; echo hi`)
	s.wait(t)
	w.Close()
	buf := make([]byte, 100)
	if n, _ := r.Read(buf); string(buf[:n]) != "0 0\r\nhi\r\n" {
		t.Errorf("%q", buf[:n])
	}
}

func TestNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	s := start(t, Config{Mode: ReadOnly, Out: w}, `echo a; sleep 1000`)
	w.Close()
	if r := s.wait(t); r != Failed || !errors.Is(s.err, syscall.EPIPE) {
		t.Error(r, s.err)
	}
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		s         string
		terminals bool
		want      Mode
		ok        bool
	}{{"interactive", false, Interactive, true}, {"read-only", true, ReadOnly, true}, {"passive", true, Passive, true}, {"pipe", true, Pipe, true},
		{"autopipe", true, Interactive, true}, {"autopipe", false, Pipe, true}, {"", true, 0, false}, {"foo", true, 0, false}} {
		if m, ok := ParseMode(c.s, c.terminals); m != c.want || ok != c.ok {
			t.Errorf("%q: %v %v", c.s, m, ok)
		}
	}
	if DefaultMode(true) != Interactive || DefaultMode(false) != ReadOnly {
		t.Error("default")
	}
}

func TestPair(t *testing.T) {
	for _, noPeer := range []bool{false, true} {
		testOnlyNoPeer = noPeer
		m, s, err := NewPair(devpts(t), 1000, 1001)
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(s.Fd()), &st); err != nil || st.Uid != 1000 || st.Gid != 1001 || st.Mode&0o777 != 0o620 {
			t.Error(err, st)
		}
		m.Close()
		s.Close()
	}
	testOnlyNoPeer = false
}

// TestNoTerminals: what only looks like a devpts is not used.
func TestNoTerminals(t *testing.T) {
	dir := t.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, ptmx := range []func(string) error{
		func(p string) error { return os.Symlink("/dev/ptmx", p) },
		func(p string) error { return os.WriteFile(p, nil, 0o600) },
		func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(5, 2))) },
		func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) },
	} {
		if err := ptmx(dir + "/ptmx"); err != nil {
			t.Fatal(err)
		}
		if m, _, err := NewPair(int(d.Fd()), -1, -1); err == nil {
			m.Close()
			t.Error("a terminal")
		}
		if err := os.Remove(dir + "/ptmx"); err != nil {
			t.Fatal(err)
		}
	}
}
