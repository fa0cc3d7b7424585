package sandbox

import (
	"net"
	"os"

	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
	"ctl/sandbox/container"
)

// yesOrNo are environment variables that have to say one of the two.
var yesOrNo = [...]string{"SYSTEMD_NSPAWN_SHARE_NS_IPC", "SYSTEMD_NSPAWN_SHARE_NS_PID", "SYSTEMD_NSPAWN_SHARE_NS_UTS", "SYSTEMD_NSPAWN_SHARE_SYSTEM",
	"SYSTEMD_NSPAWN_API_VFS_WRITABLE", "SYSTEMD_NSPAWN_USE_CGNS", "SYSTEMD_NSPAWN_TMPFS_TMP"}

// readEnvironment checks what the environment says, and takes over what options may say too.
func (c *Call) readEnvironment() error {
	for _, name := range yesOrNo {
		v, set := os.LookupEnv(name)
		if _, ok := unit.Boolean(v); set && !ok && (v != "network" || name != "SYSTEMD_NSPAWN_API_VFS_WRITABLE") {
			return cli.Usage("Failed to parse $" + name + ": Invalid argument")
		}
	}
	if v, set := os.LookupEnv("SYSTEMD_NSPAWN_NETWORK_MAC"); set {
		if mac, err := net.ParseMAC(v); err != nil || len(mac) != 6 {
			return cli.Usage("Failed to parse provided MAC address via environment variable")
		}
	}
	if on, ok := unit.Boolean(os.Getenv("SYSTEMD_SUPPRESS_SYNC")); ok {
		c.Opt.suppressSync = on
	}
	return nil
}

// needsManager is what becomes of the calls of who is not root: they need daemons that give them user IDs and mount for them.
func (c *Call) needsManager() error {
	if !c.systemdNspawn() {
		return cli.Usage("Need to be root.")
	}
	if os.Getenv("XDG_RUNTIME_DIR") == "" {
		c.say(term.Warning, "Failed to determine settings directory, ignoring: No such device or address")
	}
	c.noteFamilies()
	return cli.Usage("Failed to connect to nsresourced: No such file or directory")
}

func (c *Call) noteFamilies() {
	if c.Opt.given&givenFamilies == 0 && c.Opt.file != fileNo && c.systemdNspawn() {
		c.say(term.Notice, familiesNote)
	}
}

const noEffect = "Machine and scope registration turned off, --slice= and --property= settings will have no effect."

const errAmbient = cli.Usage("AmbientCapability= setting is not fully covered by Capability= setting.")

// verify refuses what does not go together, and decides what follows from what was asked for.
func (c *Call) verify() error {
	o := &c.Opt
	if o.hardened && o.networkPath == "" {
		o.privateNetwork = true
	}
	if o.start == startBoot && o.killSignal == 0 {
		o.killSignal = 37 // SIGRTMIN+3 tells systemd(1) to halt
	}
	if o.ownershipGiven && o.users == usersUnset {
		o.users = usersPick
	}
	if o.users == usersPick && !o.ownershipGiven {
		o.ownership = ownedAuto
	}
	shared := c.shared("PID") || c.shared("UTS")
	writable := os.Getenv("SYSTEMD_NSPAWN_API_VFS_WRITABLE")
	everything, _ := unit.Boolean(writable)
	namespaced := o.users != usersNo && o.users != usersUnset
	switch {
	case o.users == usersManaged && !o.privateNetwork:
		return cli.Usage("Managed user namespace operation requires private networking, as otherwise /sys/ may not be mounted.")
	case o.delegate > 0 && o.users != usersManaged:
		return cli.Usage("--private-users-delegate= requires --private-users=managed.")
	case o.start != startPayload && shared:
		return cli.Usage("--boot cannot be used without namespacing.")
	case c.places() > 1:
		return cli.Usage("--directory=, --image= --mstack= may not be combined.")
	case o.template != "" && c.elsewhere():
		return cli.Usage("--template= and --image=/--mstack= may not be combined.")
	case o.template != "" && o.ephemeral:
		return cli.Usage("--ephemeral and --template= may not be combined.")
	case o.ephemeral && !o.linkJournalTry && (o.linkJournal == "host" || o.linkJournal == "guest"):
		return cli.Usage("--ephemeral and --link-journal={host,guest} may not be combined.")
	case o.ownership == ownedByChown && (o.readOnly || o.volatile != container.VolatileNo):
		return cli.Usage("--read-only and --private-users-ownership=chown may not be combined.")
	case o.networkPath != "" && (o.veth || len(o.interfaces) > 0 || o.further()):
		return cli.Usage("--network-namespace-path= cannot be combined with other network options.")
	case o.bridge != "" && o.zone != "":
		return cli.Usage("--network-bridge= and --network-zone= may not be combined.")
	case namespaced && writable == "network" && !o.privateNetwork:
		return cli.Usage("Invalid namespacing settings. Mounting sysfs with --private-users requires --private-network.")
	case namespaced && everything:
		return cli.Usage("Cannot combine --private-users with read-write API VFS mounts.")
	case len(o.ports) > 0 && !o.privateNetwork:
		return cli.Usage("Cannot use --port= without private networking.")
	case o.given&givenBindUserShell != 0 && len(o.bindUsers) == 0:
		return cli.Usage("Cannot use --bind-user-shell= without --bind-user=")
	case len(o.bindUserGroups) > 0 && len(o.bindUsers) == 0:
		return cli.Usage("Cannot use --bind-user-group= without --bind-user=")
	case o.ambient != allOfThem && o.ambient&^c.capabilitiesKept(namespaced || o.hardened) != 0:
		return errAmbient
	case o.start == startBoot && o.ambient != 0:
		return cli.Usage("AmbientCapability= setting is not useful for boot mode.")
	case o.ambient == allOfThem:
		return cli.Usage("AmbientCapability= does not support the value all.")
	}
	if o.users == usersManaged {
		return cli.Usage("Failed to connect to nsresourced: No such file or directory")
	}
	return c.missing()
}

// elsewhere tells whether what is started is no directory tree.
func (c *Call) elsewhere() bool { return c.Opt.image != "" || c.Opt.mstack != "" }

// places is in how many places what is started would be.
func (c *Call) places() int {
	n := 0
	for _, p := range []bool{c.Opt.given&givenDirectory != 0, c.Opt.image != "", c.Opt.mstack != ""} {
		if p {
			n++
		}
	}
	return n
}

// missing refuses what is not there yet, unless it is refused anyway.
func (c *Call) missing() error {
	o := &c.Opt
	if o.mstack != "" {
		if _, err := realPath(o.mstack); err != nil {
			return err
		}
		return cli.Usage("Stacks of mounts (--mstack=) are not supported, --overlay= lays directories over each other.")
	}
	return nil
}
