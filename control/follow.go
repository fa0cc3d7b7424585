package control

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"ctl/internal/term"
)

// followJournal shows what units log from now on, until the returned function is called. It returns when journalctl(1) has
// told, as services do, that nothing escapes it any more.
func (c *Call) followJournal(units []string) (stop func()) {
	args := []string{"-q", "--follow", "--no-pager", "--lines=0", "--synchronize-on-exit=yes"}
	kind := "--unit="
	if c.scopeName() == "user" {
		kind = "--user-unit="
	}
	for _, u := range units {
		args = append(args, kind+u)
	}
	output := c.Opt.Output
	if output == "" {
		output = "short"
	}
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"}) // the kernel finds an address
	if err != nil {
		c.Log(term.Err, Failure{"start journalctl", err}.Error())
		return func() {}
	}
	cmd := exec.Command("journalctl", append(args, "--output="+output)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = c.Stdout, c.Stderr, append(os.Environ(), "NOTIFY_SOCKET="+told.LocalAddr().String())
	if err := cmd.Start(); err != nil {
		told.Close()
		c.Log(term.Err, Failure{"start journalctl", err}.Error())
		return func() {}
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		told.Close()
		close(ended)
	}()
	message := make([]byte, 4096)
	for ready := false; !ready; {
		n, err := told.Read(message)
		ready = err != nil || strings.Contains("\n"+string(message[:n])+"\n", "\nREADY=1\n")
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
}
