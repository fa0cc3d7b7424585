package namespace

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ctl/internal/oracle"
	"ctl/sandbox/service"
)

// inside builds the namespace of a request and does something in it.
func inside(t *testing.T, q *Request, do func()) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := New(q).Build(Hooks{})
		if err == nil && do != nil {
			do()
		}
		done <- err
	}()
	return <-done
}

// everything are settings that mount and make something at all paths that a tree may have replaced.
func everything() *service.Exec {
	path := func(l ...string) (e []service.PathEntry) {
		for _, p := range l {
			e = append(e, service.PathEntry{Path: p, Optional: true, InRoot: true})
		}
		return e
	}
	e := &service.Exec{
		ReadOnly: path("/vol/a/r", "/etc"), ReadWrite: path("/vol/a/w"), Inaccessible: path("/vol/a/i", "/root"), NoExecPaths: path("/vol/a/n"),
		Binds: []service.Bind{{Source: "/usr", Target: "/vol/a/b"}, {Source: "/etc/passwd", Target: "/vol/a/new/f", ReadOnly: true},
			{Source: "/usr", Target: "/vol/a/d/e"}},
		TemporaryFileSystems: []service.Temporary{{Path: "/vol/a/t"}, {Path: "/vol/a/x/y"}},
		PrivateDevices:       true, PrivateTmp: "disconnected", ProtectKernelTunables: true, ProtectKernelLogs: true, ProtectKernelModules: true,
		ProtectControlGroups: "yes", ProtectHome: "tmpfs", ProtectSystem: "strict", NoNewPrivileges: true,
	}
	e.Directories[service.StateDirectory].List = []service.ManagedDirectory{{Path: "foo", Links: []string{"bar/baz"}}}
	return e
}

// victim is a directory that nobody may change, and what it and the host's mounts look like.
func victim(t *testing.T, dir string) func() {
	t.Helper()
	for _, d := range []string{"b", "t", "x/y", "r", "w", "i", "n", "d", "new", "mark"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	look := func() string {
		var b strings.Builder
		_ = filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
			b.WriteString(p + " " + i.Mode().String() + "\n")
			return err
		})
		data, err := os.ReadFile("/proc/thread-self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return b.String() + string(data)
	}
	before := look()
	return func() {
		t.Helper()
		if after := look(); after != before {
			t.Errorf("changed: %s\nbefore: %s", after, before)
		}
	}
}

func request(t *testing.T, root, state string) *Request {
	t.Helper()
	if err := os.MkdirAll(state+"/foo", 0o755); err != nil {
		t.Fatal(err)
	}
	return &Request{Exec: everything(), Unit: "t.service", Root: root, Sandbox: true, Directories: [5]string{"/run", state, "/var/cache", "/var/log", "/etc"}}
}

// TestLinkedDirectories has every directory of a root directory that something is mounted on be a link that leads out of it.
func TestLinkedDirectories(t *testing.T) {
	oracle.NeedRoot(t, "mount namespaces")
	for _, up := range []string{"", "../../../../../../..", "/proc/self/root", "/proc/1/root"} {
		dir := t.TempDir()
		unchanged := victim(t, dir+"/victim")
		for _, name := range []string{"vol", "vol/a", "dev", "etc", "proc", "sys", "run", "tmp", "var", "root", "home", "usr", "usr/lib", "vol/a/d", "vol/a/new", "run/host", "run/systemd"} {
			root := dir + "/" + strings.ReplaceAll(name, "/", "-")
			if err := os.MkdirAll(filepath.Dir(root+"/"+name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(up+dir+"/victim", root+"/"+name); err != nil {
				t.Fatal(err)
			}
			err := inside(t, request(t, root, dir), func() {
				if _, err := os.Stat(dir + "/victim/mark"); err == nil {
					t.Errorf("%s: the victim is in the root directory", name)
				}
			})
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("%s: %v", name, err)
			}
			unchanged()
		}
	}
}

// TestSwapped exchanges directories with links that lead out of the root directory while that is built.
func TestSwapped(t *testing.T) {
	oracle.NeedRoot(t, "mount namespaces")
	dir := t.TempDir()
	unchanged := victim(t, dir+"/victim")
	root := dir + "/root"
	names := []string{"vol/a", "dev", "etc", "run", "tmp", "var"}
	for _, n := range names {
		if err := os.MkdirAll(root+"/"+n, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir+"/victim", root+"/"+n+".link"); err != nil {
			t.Fatal(err)
		}
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			for _, n := range names {
				select {
				case <-stop:
					return
				default:
					_ = unix.Renameat2(unix.AT_FDCWD, root+"/"+n, unix.AT_FDCWD, root+"/"+n+".link", unix.RENAME_EXCHANGE)
				}
			}
		}
	}()
	built := 0
	for range 100 {
		if inside(t, request(t, root, dir), nil) == nil {
			built++
		}
	}
	close(stop)
	<-stopped
	t.Logf("%d of 100 built", built)
	unchanged()
}

// TestSort has the order of the list and what is dropped, as systemd has it.
func TestSort(t *testing.T) {
	l := list{
		{Path: "/b", Kind: ReadOnly}, {Path: "/a/b", Kind: ReadWrite}, {Path: "/a-b", Kind: ReadOnly}, {Path: "/a", Kind: ReadOnly}, {Path: "/a/b/c", Kind: ReadWrite},
		{Path: "/b", Kind: Inaccessible}, {Path: "/b/c", Kind: Bind}, {Path: "/c", Kind: Tmpfs}, {Path: "/c", Kind: NoExec}, {Path: "/c/d", Kind: Exec},
	}
	l.sortAndDrop()
	var got []string
	for _, m := range l {
		got = append(got, m.Path+" "+m.Kind.String())
	}
	want := "/a read-only, /a/b writable, /a-b read-only, /b inaccessible, /c noexec, /c/d exec"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("%s; want %s", s, want)
	}
}
