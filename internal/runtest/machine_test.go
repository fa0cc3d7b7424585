package runtest

import (
	"strings"
	"sync"
	"testing"

	"ctl/internal/oracle"
)

// machine is the booted machine that the tests of this package share. Its systemd and `ctl run` start the same units in it.
func machine(t *testing.T) *oracle.Machine {
	t.Helper()
	oracle.NeedRoot(t, "booting a container")
	m, err := shared()
	oracle.Require(t, err)
	return m
}

var shared = sync.OnceValues(func() (*oracle.Machine, error) {
	tree, err := oracle.Tree()
	if err != nil {
		return nil, err
	}
	m, err := oracle.Start(tree, "", "--capability=CAP_BPF")
	if err == nil {
		oracle.AtEnd(m.End)
	}
	return m, err
})

// put writes a file in the machine.
func put(t *testing.T, m *oracle.Machine, path, text string) {
	t.Helper()
	cmd := m.Command("mkdir -p '" + path[:strings.LastIndexByte(path, '/')] + "' && cat >'" + path + "'")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", path, err, out)
	}
}
