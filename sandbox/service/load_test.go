package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ctl/enable"
	"ctl/internal/oracle"
	"ctl/internal/tree"
)

func open(t testing.TB, root string) *enable.Index {
	t.Helper()
	tr, err := tree.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	ix, err := enable.Open(enable.Config{Tree: tr, LookUp: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// TestDebian: of Debian's own units everything is understood.
func TestDebian(t *testing.T) {
	root, err := oracle.Tree()
	oracle.Require(t, err)
	ix := open(t, root)
	units, err := filepath.Glob(root + "/usr/lib/systemd/system/*.*")
	if err != nil || len(units) < 100 {
		t.Fatal(len(units), err)
	}
	loaded := 0
	for _, p := range units {
		name := strings.Replace(filepath.Base(p), "@.", "@x.", 1)
		var notices []Notice
		switch filepath.Ext(name) {
		case ".service":
			s, err := Load(ix, name, Options{})
			if err != nil {
				if e, ok := err.(*Error); !ok || e.State != "masked" {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			notices = s.Notices
		case ".socket":
			s, err := LoadSocket(ix, name, Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			notices = s.Notices
		default:
			continue
		}
		loaded++
		for _, n := range notices {
			// A tree that was never booted has no machine ID for %m.
			if n.Weight == Note && !strings.HasSuffix(n.Text, "No medium found") {
				t.Errorf("%s: %s", name, n)
			}
		}
	}
	if loaded < 80 {
		t.Errorf("%d units", loaded)
	}
}

// FuzzLoad: no unit file is too odd to be read.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"[Service]\nExecStart=-@/bin/sh a \"b\\x41\" ; /bin/true \\; x\nEnvironment=A=1 \"B=%n\"\n",
		"[Unit]\nConditionPathExists=|!/x\nAfter=a.service\n[Service]\nType=oneshot\nReadOnlyPaths=-+/a /b\nBindPaths=/a:/b:norbind\n",
		"[Service]\nSystemCallFilter=~@clock:EPERM read\nCapabilityBoundingSet=~CAP_KILL\nRestrictNamespaces=net\nLimitNOFILE=1:2\nCPUAffinity=0-3\n",
		"[Service]\nSetCredential=a:\\x41\nLoadCredential=a:/b\nImportCredential=a*:b\nRuntimeDirectory=a:b:ro\nTimeoutSec=1min 5\nDeviceAllow=/dev/x rw\n",
		"[Socket]\nListenStream=[::]:80\nListenNetlink=route 1\nSymlinks=/a /b\nExecStartPre=|\n",
	} {
		f.Add([]byte(seed))
	}
	ix := open(f, f.TempDir())
	f.Fuzz(func(_ *testing.T, data []byte) {
		read := func(string) ([]byte, error) { return data, nil }
		s := newService()
		l := &loader{ix: ix, unit: &s.Unit, exec: &s.Exec, kill: &s.Kill, resources: &s.Resources, service: s}
		l.unit.Name, l.unit.Path = "a-b@c.service", "/a"
		if l.file(read, "/a", "a") == nil {
			l.finishService()
		}
		k := newSocket()
		l = &loader{ix: ix, unit: &k.Unit, exec: &k.Exec, kill: &k.Kill, resources: &k.Resources, socket: k}
		l.unit.Name, l.unit.Path = "a.socket", "/a"
		if l.file(read, "/a", "a") == nil {
			l.finishSocket()
		}
	})
}
