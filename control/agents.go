package control

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"ctl/enable"
	"ctl/internal/term"
)

// An agent is a program beside us that asks the user for a password when somebody needs one.
type agent struct{ cmd *exec.Cmd }

// mayAsk tells whether there is somebody to ask for passwords that this machine's services need: whoever sits at our
// controlling terminal.
func (c *Call) mayAsk() (terminal *os.File, ok bool) {
	if c.Opt.NoAskPassword || c.Opt.Scope != enable.System || c.Opt.Transport != "" {
		return nil, false
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	return terminal, err == nil
}

// askForAuthorization starts the agent of polkit(8), which a service asks whether the caller may do something; root may
// anyway. It waits until the agent is ready.
func (c *Call) askForAuthorization() {
	if c.asksPolkit || os.Geteuid() == 0 {
		return
	}
	c.asksPolkit = true
	terminal, ok := c.mayAsk()
	if !ok {
		return
	}
	defer terminal.Close()
	ready, theirs, err := os.Pipe()
	if err != nil {
		return
	}
	defer ready.Close()
	const fd = 3 // the first of ExtraFiles
	cmd := exec.Command("/usr/bin/pkttyagent", "--notify-fd", strconv.Itoa(fd), "--fallback")
	cmd.ExtraFiles = []*os.File{theirs}
	c.startAgent(cmd, terminal)
	theirs.Close()
	_, _ = ready.Read(make([]byte, 1)) // it ends when the agent is ready, or gone
}

// askForPasswords starts the agent that asks for what units need as they start, systemd-tty-ask-password-agent(1).
func (c *Call) askForPasswords() {
	terminal, ok := c.mayAsk()
	if !ok {
		return
	}
	defer terminal.Close()
	c.startAgent(exec.Command("/usr/bin/systemd-tty-ask-password-agent", "--watch"), terminal)
}

// startAgent starts an agent on the terminal, where its streams do not lead there anyway. Without it things go on: not
// every system has one.
func (c *Call) startAgent(cmd *exec.Cmd, terminal *os.File) {
	on := func(f *os.File) *os.File {
		if term.IsTerminal(f) {
			return f
		}
		return terminal
	}
	// Whoever kills us does not know of the agent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = on(c.Stdin), on(c.Stdout), on(c.Stderr)
	if cmd.Start() == nil {
		c.agents = append(c.agents, agent{cmd})
	}
}

// stopAgents ends the agents. One that the terminal has stopped has to go on to notice.
func (c *Call) stopAgents() {
	for _, a := range c.agents {
		_ = a.cmd.Process.Signal(syscall.SIGTERM)
		_ = a.cmd.Process.Signal(syscall.SIGCONT)
		_ = a.cmd.Wait()
	}
	c.agents = nil
}
