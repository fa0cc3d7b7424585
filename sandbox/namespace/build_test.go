package namespace

import (
	"os"
	"runtime"
	"testing"

	"ctl/internal/oracle"
	"ctl/sandbox/service"
)

func TestBuild(t *testing.T) {
	oracle.NeedRoot(t, "mount namespaces")
	dir := t.TempDir()
	for _, d := range []string{"a", "b", "c"} {
		if err := os.Mkdir(dir+"/"+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := New(&Request{Sandbox: true, Exec: &service.Exec{
		ReadOnly:     []service.PathEntry{{Path: dir}},
		ReadWrite:    []service.PathEntry{{Path: dir + "/b"}},
		Inaccessible: []service.PathEntry{{Path: dir + "/c"}, {Path: "/nope", Optional: true}},
	}})
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.Build(Hooks{})
		if err == nil {
			if os.Mkdir(dir+"/a/x", 0o755) == nil {
				t.Error("a is writable")
			}
			if err := os.Mkdir(dir+"/b/x", 0o755); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(dir + "/c/."); err != nil {
				t.Error(err)
			}
			data, _ := os.ReadFile("/proc/thread-self/mountinfo")
			t.Logf("%s", data)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
