package seccomp

import (
	"cmp"
	"slices"
	"testing"
)

// TestTables: names are in order, and the numbers of an ABI are those of one call each and fit into what the compiler has for them.
func TestTables(t *testing.T) {
	if !slices.IsSortedFunc(calls[:], func(a, b call) int { return cmp.Compare(a.name, b.name) }) {
		t.Error("calls are not in order")
	}
	for a := range ABI(len(abis)) {
		seen := make(map[uint16]string)
		for _, c := range calls {
			n := c.numbers[a]
			if n == no {
				continue
			}
			if seen[n] != "" || int(n) >= slots || n >= arm && a != ARM {
				t.Errorf("%s: %s has the number %d, as %s has", a, c.name, n, seen[n])
			}
			seen[n] = c.name
		}
		if len(seen) < 300 {
			t.Errorf("%s has %d calls", a, len(seen))
		}
	}
	if calls[ipcCall].name != "ipc" || calls[socketcallCall].name != "socketcall" {
		t.Error("calls with special rules are others")
	}
	if len(groups) > 32 {
		t.Error("there are more groups than bits")
	}
}
