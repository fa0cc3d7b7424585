package manager

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Target says whom to connect to.
type Target struct {
	User      bool   // the manager of a user, not the system's
	Transport string // "" for this machine; "host", "machine", "capsule"
	Remote    string // which one, as the option has it
	Full      bool   // a bus, with everybody on it, and not the manager alone
	Getenv    func(string) string
}

// ErrNoUserBus says that the environment does not tell where a user's manager is.
var ErrNoUserBus = errors.New("$DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined")

// Dial connects. The error has the errno that connecting ended with.
func Dial(t Target) (*Conn, error) {
	switch t.Transport {
	case "host":
		return dialHost(t)
	case "machine":
		return dialMachine(t)
	case "capsule":
		dir := "/run/capsules/" + t.Remote
		if t.Full {
			return dialPath(dir+"/bus", true)
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(dir, &st); err != nil {
			return nil, err
		}
		return dialPrivate(dir+"/systemd/private", int(st.Uid)) // a capsule's manager is the user's that its directory belongs to
	}
	if t.User {
		return dialUser(t)
	}
	if !t.Full && os.Geteuid() == 0 {
		return dialPath("/run/systemd/private", false)
	}
	if a := t.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); a != "" {
		return dialAddress(a)
	}
	return dialPath("/run/dbus/system_bus_socket", true)
}

func dialUser(t Target) (*Conn, error) {
	runtime, session := t.Getenv("XDG_RUNTIME_DIR"), t.Getenv("DBUS_SESSION_BUS_ADDRESS")
	switch {
	case !t.Full && runtime != "":
		return dialPath(runtime+"/systemd/private", false)
	case session != "":
		return dialAddress(session)
	case runtime != "":
		return dialPath(runtime+"/bus", true)
	}
	return nil, ErrNoUserBus
}

func dialPath(path string, bus bool) (*Conn, error) {
	if !bus {
		return dialPrivate(path, os.Geteuid())
	}
	s, err := dialSocket(path)
	if err != nil {
		return nil, err
	}
	return newConn(s, true), nil
}

// dialPrivate connects to a manager of root's or a user's.
func dialPrivate(path string, uid int) (*Conn, error) {
	s, err := dialSocket(path)
	if err != nil {
		return nil, err
	}
	if err := trusted(s, uid); err != nil {
		s.Close()
		return nil, err
	}
	return newConn(s, false), nil
}

// trusted tells whether who listens on a manager's own socket is root or the user. On a bus the bus sees to that.
func trusted(s *socket, uid int) error {
	peer, err := unix.GetsockoptUcred(s.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	switch {
	case err != nil:
		return err
	case peer.Pid <= 0:
		return syscall.ENODATA // of another PID namespace
	case peer.Uid != 0 && int(peer.Uid) != uid:
		return syscall.EPERM
	}
	return nil
}

// dialAddress connects to the first server of a list of addresses that answers,
// D-Bus specification, "Server Addresses".
func dialAddress(list string) (*Conn, error) {
	err := error(syscall.EINVAL)
	for a := range strings.SplitSeq(list, ";") {
		var c *Conn
		if c, err = dialOne(a); err == nil {
			return c, nil
		}
	}
	return nil, err
}

func dialOne(address string) (*Conn, error) {
	kind, rest, _ := strings.Cut(address, ":")
	if kind != "unix" {
		return nil, syscall.ECONNREFUSED
	}
	for kv := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(kv, "=")
		v, err := unescape(v)
		switch {
		case err != nil:
			return nil, err
		case k == "path":
			return dialPath(v, true)
		case k == "abstract":
			return dialPath("@"+v, true)
		}
	}
	return nil, syscall.EINVAL
}

// unescape undoes the %xx of an address.
func unescape(s string) (string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "%")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		if len(after) < 2 {
			return "", syscall.EINVAL
		}
		n, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil {
			return "", syscall.EINVAL
		}
		b.WriteByte(byte(n))
		s = after[2:]
	}
}
