package vmtest

import (
	"os"
	"testing"

	"ctl/internal/oracle"
)

// TestScript runs the script of CTL_VM_SCRIPT.
func TestScript(t *testing.T) {
	script, err := os.ReadFile(os.Getenv("CTL_VM_SCRIPT"))
	if err != nil {
		t.Skip("CTL_VM_SCRIPT names no script")
	}
	kernel := oracle.KernelNow
	if k := os.Getenv("CTL_VM_KERNEL"); k != "" {
		kernel = k
	}
	r := oracle.NewHost(t).VM(t, kernel, string(script))
	t.Logf("%d\n%s", r.Exit, r.Stdout)
}
