package lifecycle

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ctl/sandbox/launch"
	"ctl/sandbox/service"
)

// A shell is a Room in which commands are run as they are.
type shell struct{ closed *int }

func (s shell) Start(q launch.Request) (*launch.Process, error) {
	env := slices.Concat(q.Env, []string{"NOTIFY_SOCKET=" + q.Notify, "PATH=" + os.Getenv("PATH")})
	pid, err := syscall.ForkExec(q.Command.Path, q.Command.Argv, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return nil, &launch.Error{Status: 203, Step: "EXEC", Path: q.Command.Path, Err: err}
	}
	return &launch.Process{PID: pid}, nil
}

func (s shell) Close(restarting bool) error {
	*s.closed++
	return nil
}

func sh(script string) service.Command {
	return service.Command{Path: "/bin/sh", Argv: []string{"sh", "-c", script}}
}

// plain is a service as it is without settings.
func plain(name string, start ...service.Command) *service.Service {
	return &service.Service{Unit: service.Unit{Name: name, Names: []string{name}}, Start: start, TimeoutStart: service.Forever,
		TimeoutStop: 10 * time.Second, TimeoutAbort: 10 * time.Second, RuntimeMax: service.Forever, RestartMaxDelay: service.Forever,
		Kill: service.Kill{KillMode: "control-group", KillSignal: unix.SIGTERM, FinalSignal: unix.SIGKILL, WatchSignal: unix.SIGABRT, SendSIGKILL: true}}
}

// play runs services and returns what is said and how it ends.
func play(t *testing.T, main string, l ...*service.Service) (string, int) {
	t.Helper()
	var said []string
	closed := 0
	c := &Config{Runtime: t.TempDir(), Signals: CatchSignals(), Say: func(m Message) { said = append(said, m.Text) },
		Open: func(*service.Service, string) (Room, error) { return shell{&closed}, nil }}
	o, err := Run(c, &Set{Services: l, Main: []string{main}})
	if err != nil {
		t.Fatal(err)
	}
	if closed == 0 && o.Status == 0 {
		t.Error("no room was closed")
	}
	return strings.Join(said, "\n"), o.Status
}

func TestFails(t *testing.T) {
	said, status := play(t, "a.service", plain("a.service", sh("exit 7")))
	want := "Started a.service.\na.service: Main process exited, code=exited, status=7/NOTRUNNING\na.service: Failed with result 'exit-code'."
	if said != want || status != 7 {
		t.Errorf("%d, %s", status, said)
	}
}

func TestMissing(t *testing.T) {
	_, status := play(t, "a.service", plain("a.service", service.Command{Path: "/nonexistent", Argv: []string{"x"}}))
	if status != 203 {
		t.Error(status)
	}
}

// TestOrphans: what a main process leaves is ended with it.
func TestOrphans(t *testing.T) {
	file := t.TempDir() + "/pid"
	s := plain("a.service", sh("setsid sleep 1000 & echo $! >"+file))
	if said, status := play(t, "a.service", s); status != 0 {
		t.Errorf("%d, %s", status, said)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(data))); err == nil {
		t.Error("it lives")
	}
}

func TestOrder(t *testing.T) {
	file := t.TempDir() + "/log"
	a, b, c := plain("a.service", sh("echo a >>"+file)), plain("b.service", sh("echo b >>"+file)), plain("c.service", sh("echo c >>"+file))
	for _, s := range []*service.Service{a, b, c} {
		s.Type = service.Oneshot
	}
	a.Requires, a.After, b.Wants, c.Before = []string{"b.service"}, []string{"b.service"}, []string{"c.service"}, []string{"b.service"}
	_, status := play(t, "a.service", a, b, c)
	if data, _ := os.ReadFile(file); string(data) != "c\nb\na\n" || status != 0 {
		t.Errorf("%d, %q", status, data)
	}
}

func TestDelay(t *testing.T) {
	s := plain("a.service")
	s.RestartDelay, s.RestartSteps, s.RestartMaxDelay = time.Second, 3, 8*time.Second
	a := &activity{s: s}
	var l []time.Duration
	for a.restarts = range 5 {
		l = append(l, a.delay().Round(time.Millisecond))
	}
	if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 8 * time.Second}; !slices.Equal(l, want) {
		t.Error(l)
	}
}

func TestConditions(t *testing.T) {
	r := &run{c: &Config{}}
	for _, c := range []struct {
		name, value string
		want        bool
	}{
		{"ConditionPathExists", "/proc", true}, {"ConditionPathIsDirectory", "/proc/version", false}, {"ConditionPathIsMountPoint", "/proc", true},
		{"ConditionPathExistsGlob", "/pro?", true}, {"AssertFileIsExecutable", "/bin/sh", true}, {"ConditionDirectoryNotEmpty", "/proc", true},
		{"ConditionKernelVersion", ">=3.0", true}, {"ConditionKernelVersion", "<3.0", false}, {"ConditionMemory", ">1M", true},
		{"ConditionCPUs", "0", true}, {"ConditionCPUs", ">100000", false}, {"ConditionArchitecture", "native", true},
		{"ConditionEnvironment", "PATH", true}, {"ConditionEnvironment", "PATH=x", false}, {"ConditionUser", "root", os.Getuid() == 0},
		{"ConditionFileNotEmpty", "/dev/null", false},
	} {
		if got := r.holds(&service.Condition{Name: c.name, Value: c.value}, ""); got != c.want {
			t.Errorf("%s=%s is %v", c.name, c.value, got)
		}
	}
}
