package sandbox

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/cli"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

func setForwardJournal(c *Call, v string) (err error) {
	c.Opt.forwardJournal, err = absolute(v)
	if v != "" {
		c.Opt.forwardJournal = path.Clean(c.Opt.forwardJournal)
	}
	return err
}

func setForwardMaxUse(c *Call, v string) error      { return c.forwardLimit("max-use", v) }
func setForwardKeepFree(c *Call, v string) error    { return c.forwardLimit("keep-free", v) }
func setForwardMaxFileSize(c *Call, v string) error { return c.forwardLimit("max-file-size", v) }

func setForwardFiles(c *Call, v string) error { return c.forwardLimit("max-files", v) }

// forwardLimits are what limits a forwarded journal, in the order in which systemd-journal-remote(8) is told.
var forwardLimits = [...]string{"max-use", "keep-free", "max-file-size", "max-files"}

func (c *Call) forwardLimit(which, v string) error {
	n, err := uint64(0), error(nil)
	if which == "max-files" {
		n, err = unit.Unsigned(v, 64)
	} else {
		n, err = unit.Size(v, 1024)
	}
	if err != nil {
		return cli.Usage("Failed to parse --forward-journal-" + which + "= value: " + v)
	}
	c.Opt.forwardLimits[slices.Index(forwardLimits[:], which)] = &n
	return nil
}

// Where the container's journal is sent to: there, and on the host.
const forwardTarget = "/run/host/journal/socket"

func (c *Call) forwardSocket() string {
	return "/run/systemd/nspawn/" + c.Opt.machine + "/journal-remote-socket"
}

// forwardCredential is the credential that tells journald where to send what it is told.
const forwardCredential = "journal.forward_to_socket"

// secrets are the container's credentials.
func (c *Call) secrets() ([]container.Secret, error) {
	l := c.Opt.credentials
	if c.Opt.forwardJournal == "" {
		return l, nil
	}
	if slices.ContainsFunc(l, func(s container.Secret) bool { return s.Name == forwardCredential }) {
		return nil, cli.Usage("Credential '" + forwardCredential + "' already set via --set-credential=, refusing --forward-journal=.")
	}
	return append(slices.Clone(l), container.Secret{Name: forwardCredential, Data: []byte(forwardTarget)}), nil
}

// forward starts what writes the container's journal on the host, and returns what ends it.
func (c *Call) forward() (end func(), err error) {
	o := &c.Opt
	if o.forwardJournal == "" {
		return func() {}, nil
	}
	dir, mode := o.forwardJournal, "host"
	if strings.HasSuffix(dir, ".journal") {
		dir, mode = path.Dir(dir), "none"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("Failed to create journal directory for '%s': %w", o.forwardJournal, errno(err))
	}
	listener, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		return nil, cli.Usage("Failed to find systemd-socket-activate binary: " + strerror(unix.ENOENT))
	}
	writer, err := exec.LookPath("/usr/lib/systemd/systemd-journal-remote")
	if err != nil {
		writer, err = exec.LookPath("systemd-journal-remote")
	}
	if err != nil {
		return nil, cli.Usage("Failed to find systemd-journal-remote binary: " + strerror(unix.ENOENT))
	}
	socket := c.forwardSocket()
	made := os.Mkdir(path.Dir(socket), 0o755) == nil
	args := []string{"--listen", socket, writer, "--output", o.forwardJournal, "--split-mode", mode}
	for i, n := range o.forwardLimits {
		if n != nil {
			args = append(args, "--"+forwardLimits[i]+"="+strconv.FormatUint(*n, 10))
		}
	}
	cmd := exec.Command(listener, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM}
	clean := func() {
		_ = os.Remove(socket)
		if made {
			_ = os.Remove(path.Dir(socket))
		}
	}
	ended, err := startReady(cmd)
	if err != nil {
		clean()
		if c.systemdNspawn() { // which says nothing
			return nil, Exit(1)
		}
		return nil, fmt.Errorf("Failed to start %s: %w", listener, err)
	}
	return func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		<-ended
		clean()
	}, nil
}

// errEarly is a program that has ended before it was ready.
var errEarly = errors.New("it has ended before it was ready")

// startReady starts a program and waits until it says that it is ready, sd_notify(3). The channel is closed when it has ended.
func startReady(cmd *exec.Cmd) (ended chan struct{}, err error) {
	name := "\x00ctl/" + randomSuffix()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") }),
		"SYSTEMD_JOURNAL_REMOTE_CONFIG_FILE=/dev/null", "NOTIFY_SOCKET=@"+name[1:])
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // what our caller has left open is none of its business
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		conn.Close()
		close(over)
	}()
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, errEarly
		}
		if slices.Contains(strings.Split(string(buf[:n]), "\n"), "READY=1") {
			return over, nil
		}
	}
}
