package oracle

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// ownMountsEnv tells the tests that they have mounts of their own.
const ownMountsEnv = "CTL_TEST_NAMESPACE"

// OwnMounts runs the tests of a package in a mount namespace of their own, so that whatever they mount ends with them, after prepare, which may mount
// too and may be nil. Nobody but root gets one.
func OwnMounts(m *testing.M, prepare func() error) {
	if os.Geteuid() != 0 {
		os.Exit(m.Run())
	}
	if os.Getenv(ownMountsEnv) != "" {
		if prepare != nil {
			if err := prepare(); err != nil {
				panic(err)
			}
		}
		os.Exit(m.Run())
	}
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownMountsEnv+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err = cmd.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		panic(err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}
