package manager

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// dialHost reaches the bus of another machine by way of ssh(1) and systemd-stdio-bridge(1).
func dialHost(t Target) (*Conn, error) {
	args, err := sshArgs(t.Remote)
	if err != nil {
		return nil, err
	}
	ssh := t.Getenv("SYSTEMD_SSH")
	if ssh == "" {
		ssh = "ssh"
	}
	return dialProgram(ssh, args...)
}

// sshArgs makes arguments of [USER@]HOST[:PORT][/CONTAINER], where a container may also stand in
// the port's place. EINVAL: it is none of that.
func sshArgs(remote string) ([]string, error) {
	login, host := "", remote
	if i := strings.IndexByte(remote, '@'); i >= 0 {
		login, host = remote[:i+1], remote[i+1:]
		if host == "" || strings.Contains(host, "@") {
			return nil, syscall.EINVAL
		}
	}
	bracket, inner := strings.CutPrefix(host, "[")
	rest := ""
	if inner {
		var closed bool
		if host, rest, closed = strings.Cut(bracket, "]"); !closed {
			return nil, syscall.EINVAL
		}
	} else if i := strings.IndexAny(host, ":/"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	args := []string{"-xT"}
	container := ""
	if after, ok := strings.CutPrefix(rest, ":"); ok {
		var port string
		port, rest = after, ""
		if i := strings.IndexByte(after, '/'); i >= 0 {
			port, rest = after[:i], after[i:]
		}
		switch {
		case port != "" && strings.Trim(port, "0123456789") == "":
			args = append(args, "-p", port)
		case rest == "" && unit.Hostname(port):
			container = port
		default:
			return nil, syscall.EINVAL
		}
	}
	if after, ok := strings.CutPrefix(rest, "/"); ok && unit.Hostname(after) {
		container = after
	}
	args = append(args, "--", login+host, "systemd-stdio-bridge")
	if container != "" {
		args = append(args, "--machine="+container)
	}
	return args, nil
}

// dialProgram speaks to a bus over the standard input and output of a program.
func dialProgram(name string, args ...string) (*Conn, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(ends[1]), "program")
	defer theirs.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, os.Stderr
	// That it could not be started shows as a connection without another end, as with the reference.
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }()
	}
	c := newConn(&socket{fd: ends[0]}, true)
	c.program = true
	return c, nil
}

// dialMachine reaches the bus of a container, or of this machine (".host"). A user's
// manager is reached through a session for that user, by way of systemd-run(1).
func dialMachine(t Target) (*Conn, error) {
	login, machine, given := strings.Cut(t.Remote, "@")
	if !given {
		login, machine = "", t.Remote
	}
	if machine == "" {
		machine = ".host"
	}
	if machine == ".host" {
		self := login == "" || isSelf(login)
		switch {
		case !t.User && !given && os.Geteuid() != 0:
			return nil, syscall.EACCES // that is only for whoever may enter PID 1's namespaces
		case !t.User && self, given && self && knowsUserBus(t.Getenv):
			t.Transport, t.Full = "", true
			return Dial(t)
		}
	}
	if given || t.User {
		if login == "" {
			login = "root"
		}
		args := []string{"-M" + machine, "-PGq", "--wait", "-pUser=" + login, "-pPAMName=login", "systemd-stdio-bridge"}
		switch {
		case t.User && machine == ".host":
			args = append(args, "--user", "--quiet")
		case t.User:
			args = append(args, "-punix:path=${XDG_RUNTIME_DIR}/bus") // its bridge may not know users
		case machine == ".host":
			args = append(args, "--quiet")
		}
		return dialProgram("systemd-run", args...)
	}
	leader, err := leaderOf(machine)
	if err != nil {
		return nil, err
	}
	return dialPath("/proc/"+leader+"/root/run/dbus/system_bus_socket", true)
}

// knowsUserBus tells whether the environment says where our own manager is.
func knowsUserBus(getenv func(string) string) bool {
	return getenv("XDG_RUNTIME_DIR") != "" || getenv("DBUS_SESSION_BUS_ADDRESS") != ""
}

// isSelf tells whether login is our name or number.
func isSelf(login string) bool {
	if login == "root" {
		return os.Geteuid() == 0
	}
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	return login == strconv.Itoa(os.Geteuid()) || err == nil && u.Username == login
}

// leaderOf is the first process of a container that systemd-machined knows. EHOSTDOWN: it knows none; EMEDIUMTYPE: it
// is no container; ESRCH: it has ended.
func leaderOf(machine string) (string, error) {
	data, err := os.ReadFile("/run/systemd/machines/" + machine)
	if errors.Is(err, os.ErrNotExist) {
		return "", syscall.EHOSTDOWN
	}
	if err != nil {
		return "", err
	}
	leader, class := "", ""
	for line := range strings.Lines(string(data)) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch k {
		case "LEADER":
			leader = v
		case "CLASS":
			class = v
		}
	}
	pid, err := strconv.Atoi(leader)
	switch {
	case class != "container":
		return "", syscall.EMEDIUMTYPE
	case err != nil || pid <= 0 || syscall.Kill(pid, 0) == syscall.ESRCH:
		return "", syscall.ESRCH
	}
	return leader, nil
}
