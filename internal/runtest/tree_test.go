package runtest

import (
	"strings"
	"testing"
)

// TestTree starts a service of a tree: what its settings name are paths of the tree.
func TestTree(t *testing.T) {
	m := machine(t)
	copyTo(t, m, "/srv/tree/probe", buildProbe(t, "./mountprobe"))
	t.Cleanup(func() { m.Shell(t, "rm -rf /srv/tree") })
	m.Shell(t, `cd /srv/tree; mkdir -p etc/systemd/system usr/lib proc dev sys run tmp ext/e.v/e_1/usr/lib/extension-release.d ext/e.v/e_0/usr root.v/root_1/usr
echo ID=here >usr/lib/os-release; echo ID=_any >ext/e.v/e_1/usr/lib/extension-release.d/extension-release.e; touch ext/e.v/e_1/usr/marker root.v/root_1/usr/marker
cp probe root.v/root_1
printf '[Service]\nType=oneshot\nStandardOutput=inherit\nExtensionDirectories=/ext/e.v\nExecStart=/probe /usr/marker\n' >etc/systemd/system/e.service
printf '[Service]\nType=oneshot\nStandardOutput=inherit\nRootDirectory=/root.v\nReadOnlyPaths=/usr\nExecStart=/probe /usr/marker\n' >etc/systemd/system/r.service`)
	for _, unit := range []string{"e", "r"} {
		r := m.Run(t, "/ctl/ctl run -q --root=/srv/tree "+unit+".service")
		if r.Exit != 0 || !strings.Contains(r.Stdout, "/usr/marker 100644") {
			t.Errorf("%s: %d %s%s", unit, r.Exit, r.Stdout, r.Stderr)
		}
	}
}

// TestCopyOfRoot: with RootEphemeral=, commands that do not have the root directory have their working directory in the copy of it.
func TestCopyOfRoot(t *testing.T) {
	m := machine(t)
	copyTo(t, m, "/srv/copied/probe", buildProbe(t, "./mountprobe"))
	t.Cleanup(func() { m.Shell(t, "rm -rf /srv/copied /run/systemd/system/copied.service /run/copied") })
	m.Shell(t, `mkdir -p /srv/copied/usr/share /run/systemd/system
printf '[Service]\nType=oneshot\nRootDirectory=/srv/copied\nRootEphemeral=yes\nRootDirectoryStartOnly=yes\nWorkingDirectory=/usr/share\nStandardOutput=truncate:/run/copied\nExecStart=/probe\nExecStartPost=/bin/sh -c "pwd"\n' >/run/systemd/system/copied.service
systemctl daemon-reload`)
	look := "; echo $?; sed 's/#snapshot[.]/#/; s/service[0-9a-f]*/service/' /run/copied"
	want := m.Run(t, "systemctl start copied"+look) // which removes the copy when it finds the time
	got := m.Run(t, "/ctl/ctl run -q copied.service"+look+"; ls -A /var/lib/systemd/ephemeral-trees | grep snapshot || :")
	if want.Stdout != got.Stdout || !strings.Contains(want.Stdout, "/ephemeral-trees/") {
		t.Errorf("systemd %s\nctl %s%s", want.Stdout, got.Stdout, got.Stderr)
	}
}
