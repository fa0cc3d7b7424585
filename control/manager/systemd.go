package manager

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"ctl/internal/unit"
)

// Service, ManagerPath and ManagerInterface are the manager itself, org.freedesktop.systemd1(5).
const (
	Service          = "org.freedesktop.systemd1"
	ManagerPath      = ObjectPath("/org/freedesktop/systemd1")
	ManagerInterface = "org.freedesktop.systemd1.Manager"
	properties       = "org.freedesktop.DBus.Properties"
)

// UnitPath is the object that stands for a unit; the manager loads the unit when it is asked for one.
func UnitPath(name string) ObjectPath { return ManagerPath + "/unit/" + ObjectPath(escapeLabel(name)) }

// escapeLabel makes s a part of an object path: what is no letter or digit is _ and two hexadecimal digits.
func escapeLabel(s string) string {
	if s == "" {
		return "_"
	}
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch >= '0' && ch <= '9' && i > 0:
			b.WriteByte(ch)
		default:
			b.Write([]byte{'_', hex[ch>>4], hex[ch&15]})
		}
	}
	return b.String()
}

// unitName undoes UnitPath.
func unitName(path ObjectPath) (string, bool) {
	label, ok := strings.CutPrefix(string(path), string(ManagerPath)+"/unit/")
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(label); i++ {
		if label[i] == '_' && i+2 < len(label) {
			if n, err := strconv.ParseUint(label[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(label[i])
	}
	return b.String(), true
}

// Method is a call of a method of the manager, org.freedesktop.systemd1(5).
func Method(name string, args ...any) Call {
	return Call{Destination: Service, Path: ManagerPath, Interface: ManagerInterface, Method: name, Args: args}
}

// Manager calls a method of the manager, org.freedesktop.systemd1(5).
func (c *Conn) Manager(method string, args ...any) ([]any, error) {
	return c.Call(Method(method, args...))
}

// Reload has the manager read the unit files again.
func (c *Conn) Reload() error { return c.slow("Reload") }

// Reexecute has the manager start itself anew, after which it cannot answer.
func (c *Conn) Reexecute() error {
	err := c.slow("Reexecute")
	if IsName(err, "NoReply") || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ETIMEDOUT) {
		return nil
	}
	return err
}

// slow calls a method for which the reference waits longer.
func (c *Conn) slow(method string) error {
	call := Method(method)
	call.Timeout = 180 * time.Second
	_, err := c.Call(call)
	return err
}

// A Property is a property of an object.
type Property struct {
	Name  string
	Value any
}

// GetAll is a call that asks for the properties of all interfaces of an object, or of one.
// Properties reads the reply.
func GetAll(path ObjectPath, iface string) Call {
	return Call{Destination: Service, Path: path, Interface: properties, Method: "GetAll", Args: []any{iface}}
}

// Properties reads the reply to GetAll, in the order in which the service sent them. ENXIO: it is none.
func Properties(reply []any) ([]Property, error) {
	if len(reply) > 0 {
		if l, ok := reply[0].([]Property); ok {
			return l, nil
		}
	}
	var entries [][]any
	if !Scan(reply, &entries) {
		return nil, syscall.ENXIO
	}
	l := make([]Property, 0, len(entries))
	for _, e := range entries {
		if len(e) != 2 {
			continue
		}
		if name, ok := e[0].(string); ok {
			l = append(l, property(name, e[1]))
		}
	}
	return l, nil
}

// Reuse takes properties that nobody looks at any more: there is room for the next ones.
func (c *Conn) Reuse(l []Property) {
	clear(l)
	c.kept.properties = l[:0]
}

// Get is a call that asks for one property. Value reads the reply.
func Get(path ObjectPath, iface, name string) Call {
	return Call{Destination: Service, Path: path, Interface: properties, Method: "Get", Args: []any{iface, name}}
}

// Value reads the reply to Get.
func Value(reply []any) Property {
	if len(reply) == 0 {
		return Property{}
	}
	return property("", reply[0])
}

// Property asks for one property and waits for it.
func (c *Conn) Property(path ObjectPath, iface, name string) (Property, error) {
	reply, err := c.Call(Get(path, iface, name))
	return Value(reply), err
}

// Set is a call that sets a property to a value, which becomes a variant of its Go type: a string s, a bool b.
func Set(path ObjectPath, iface, name string, value any) Call {
	return Call{Destination: Service, Path: path, Interface: properties, Method: "Set", Args: []any{iface, name, dbus.MakeVariant(value)}}
}

// UnitInterface is the D-Bus interface of all units.
const UnitInterface = "org.freedesktop.systemd1.Unit"

// TypeInterface is the interface of the unit's type: a service has org.freedesktop.systemd1.Service.
func TypeInterface(name string) string {
	t := unit.Type(name)
	return prefix + strings.ToUpper(t[:1]) + t[1:]
}

// LogControlPath and LogControlInterface are where services say what they log, org.freedesktop.LogControl1(5).
const (
	LogControlPath      = ObjectPath("/org/freedesktop/LogControl1")
	LogControlInterface = "org.freedesktop.LogControl1"
)

// JobPath is the object that stands for a job.
func JobPath(id uint32) ObjectPath {
	return ManagerPath + "/job/" + ObjectPath(strconv.FormatUint(uint64(id), 10))
}
