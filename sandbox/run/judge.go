package run

import (
	"slices"
	"strings"

	"ctl/internal/term"
	"ctl/sandbox/cgroup"
	"ctl/sandbox/service"
)

// judge says what there is to say of a unit's files, and refuses what may not be started as it is.
func (c *Call) judge(u *service.Unit, e *service.Exec) error {
	u.Notices = slices.DeleteFunc(u.Notices, func(n service.Notice) bool { return c.needless(n.Setting, e) })
	c.notices(u.Notices)
	if u.RefuseManualStart && slices.Contains(c.names, u.Name) {
		return c.notStarted(u.Name, "Operation refused, unit "+u.Name+
			" may be requested by dependency only (it is configured to refuse manual start/stop).", exitFailure)
	}
	if c.Opt.show && !c.Opt.strict {
		return nil
	}
	var unsafe []string
	for _, n := range u.Notices {
		if n.Weight >= service.Unsafe && !slices.Contains(unsafe, n.Setting) {
			unsafe = append(unsafe, n.Setting)
		}
	}
	switch {
	case len(unsafe) > 0 && !c.Opt.degraded:
		return c.notStarted(u.Name, strings.Join(unsafe, "=, ")+"= cannot be enforced here. Use --allow-degraded to start without.", exitFailure)
	case len(u.Notices) > 0 && c.Opt.strict:
		return c.notStarted(u.Name, "Not everything that its files ask for can be had, and --strict is given.", exitFailure)
	}
	return nil
}

// needless tells whether a setting that is not applied makes no difference: what it forbids is out of reach by other settings, or of the host.
func (c *Call) needless(setting string, e *service.Exec) bool {
	if c.enforced(setting) {
		return true
	}
	switch setting {
	case "DeviceAllow", "DevicePolicy":
		return e.PrivateDevices
	case "IPAddressAllow", "IPAddressDeny", "SocketBindAllow", "SocketBindDeny", "RestrictNetworkInterfaces", "IPIngressFilterPath", "IPEgressFilterPath":
		return e.PrivateNetwork || noInternet(e.AddressFamilies)
	}
	return false
}

// enforced tells whether a setting of the cgroup can be had here.
func (c *Call) enforced(setting string) bool {
	switch controller := cgroup.Controller(setting); {
	case controller != "":
		return c.cgroups().Has(controller)
	case setting == "Delegate", setting == "DelegateSubgroup":
		return c.cgroups() != nil
	}
	return cgroup.Counts(setting) && c.cgroups() != nil && cgroup.Decides()
}

// cgroups is where services will have cgroups of their own, nil for nowhere.
func (c *Call) cgroups() *cgroup.Home {
	if !c.looked {
		c.home, c.looked = cgroup.Find(), true
	}
	return c.home
}

// noInternet tells whether there can be no sockets of the Internet's families.
func noInternet(f *service.Families) bool {
	if f == nil {
		return false
	}
	listed := func(name string) bool { return slices.Contains(f.Names, name) }
	if f.Deny {
		return listed("AF_INET") && listed("AF_INET6") && listed("AF_PACKET")
	}
	return !listed("AF_INET") && !listed("AF_INET6") && !listed("AF_PACKET")
}

// notices says what there is to say of files, a line each.
func (c *Call) notices(l []service.Notice) {
	for _, n := range l {
		level := term.Warning
		if n.Weight >= service.Unsafe {
			level = term.Err
		}
		if !c.Opt.quiet || level == term.Err {
			c.say(level, n.String())
		}
	}
}
