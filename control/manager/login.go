package manager

// LoginInterface is the interface of systemd-logind(8), org.freedesktop.login1(5).
const LoginInterface = "org.freedesktop.login1.Manager"

const (
	loginService = "org.freedesktop.login1"
	loginPath    = ObjectPath("/org/freedesktop/login1")
)

// Login is a call of a method of systemd-logind(8), org.freedesktop.login1(5).
func Login(method string, args ...any) Call {
	return Call{Destination: loginService, Path: loginPath, Interface: LoginInterface, Method: method, Args: args}
}

// LoginProperty is a call that asks systemd-logind(8) for a property. Value reads the reply.
func LoginProperty(name string) Call {
	return Call{Destination: loginService, Path: loginPath, Interface: properties, Method: "Get", Args: []any{LoginInterface, name}}
}

// An Inhibitor is a process that holds off shutting down or sleeping, systemd-inhibit(1).
type Inhibitor struct {
	What, Who, Why, Mode string
	UID, PID             uint32
}

// Inhibitors reads the reply to ListInhibitors.
func Inhibitors(reply []any) []Inhibitor {
	if len(reply) == 0 {
		return nil
	}
	rows, _ := reply[0].([][]any)
	var l []Inhibitor
	for _, r := range rows {
		var i Inhibitor
		if Scan(r, &i.What, &i.Who, &i.Why, &i.Mode, &i.UID, &i.PID) {
			l = append(l, i)
		}
	}
	return l
}
