package sandbox

import (
	"strings"

	"ctl/internal/term"
)

// An adoption is a group of settings that a .nspawn file gives, or an option, but not both.
type adoption struct {
	which given
	// ignored is what is said where a file that is not trusted has them, "" if it may.
	ignored string
	take    func(to, from *Settings)
}

// adoptions are in the order in which is said what is ignored.
var adoptions = [...]adoption{
	{givenStart, "", func(to, from *Settings) { to.start, to.parameters = from.start, from.parameters }},
	{givenEphemeral, "Ignoring ephemeral setting, file %p is not trusted.", func(to, from *Settings) { to.ephemeral = from.ephemeral }},
	{givenPivotRoot, "", func(to, from *Settings) { to.pivotRoot = from.pivotRoot }},
	{givenDirectory, "", func(to, from *Settings) { to.directory = from.directory }},
	{givenHardened, "", func(to, from *Settings) { to.hardened = to.hardened || from.hardened }},
	{givenChdir, "", func(to, from *Settings) { to.chdir = from.chdir }},
	{givenEnv, "", func(to, from *Settings) { to.setenv = from.setenv }},
	{givenUser, "", func(to, from *Settings) {
		to.user, to.noUser = from.user, false
		to.uid, to.gid, to.groups = from.uid, from.gid, from.groups
	}},
	{givenKillSignal, "", func(to, from *Settings) { to.killSignal = from.killSignal }},
	{givenPersonality, "", func(to, from *Settings) { to.personality = from.personality }},
	{givenMachineID, "Ignoring MachineID= setting, file %p is not trusted.", func(to, from *Settings) { to.uuid = from.uuid }},
	{givenReadOnly, "", func(to, from *Settings) { to.readOnly = from.readOnly }},
	{givenVolatile, "", func(to, from *Settings) { to.volatile = from.volatile }},
	{givenMounts, "Ignoring TemporaryFileSystem=, Bind= and BindReadOnly= settings, file %p is not trusted.", func(to, from *Settings) { to.mounts = from.mounts }},
	{givenNetwork, "Ignoring network settings, file %p is not trusted.", func(to, from *Settings) { to.networkSettings = from.networkSettings }},
	{givenPorts, "Ignoring Port= setting, file %p is not trusted.", func(to, from *Settings) { to.ports = from.ports }},
	{givenUsers, "Ignoring PrivateUsers= and PrivateUsersChown= settings, file %p is not trusted.", func(to, from *Settings) {
		to.users, to.usersBase, to.usersRange = from.users, from.usersBase, from.usersRange
		to.ownership, to.ownershipGiven = from.ownership, from.ownershipGiven
		if to.users == usersUnset && to.ownershipGiven { // whereas the option alone asks for users
			to.users = usersNo
		}
		to.delegate = from.delegate
	}},
	{givenBindUser, "Ignoring bind user setting, file %p is not trusted.", func(to, from *Settings) { to.bindUsers = from.bindUsers }},
	{givenBindUserShell, "Ignoring bind user shell setting, file %p is not trusted.", func(to, from *Settings) { to.bindUserShell = from.bindUserShell }},
	{givenNotifyReady, "", func(to, from *Settings) { to.notifyReady = from.notifyReady }},
	{givenFamilies, "", func(to, from *Settings) {
		to.families, to.restricted = from.families, from.restricted
		to.given |= givenFamilies
	}},
	{givenHostname, "", func(to, from *Settings) { to.hostname = from.hostname }},
	{givenNoNewPrivileges, "", func(to, from *Settings) { to.noNewPrivileges = from.noNewPrivileges }},
	{givenOOMScoreAdjust, "Ignoring OOMScoreAdjust= setting, file '%p' is not trusted.", func(to, from *Settings) { to.oomScoreAdjust = from.oomScoreAdjust }},
	{givenAffinity, "Ignoring CPUAffinity= setting, file '%p' is not trusted.", func(to, from *Settings) { to.affinity = from.affinity }},
	{givenResolvConf, "", func(to, from *Settings) { to.resolvConf = from.resolvConf }},
	{givenLinkJournal, "Ignoring journal link setting, file '%p' is not trusted.", func(to, from *Settings) {
		to.linkJournal, to.linkJournalTry = from.linkJournal, from.linkJournalTry
	}},
	{givenTimezone, "", func(to, from *Settings) { to.timezone = from.timezone }},
	{givenSuppressSync, "", func(to, from *Settings) { to.suppressSync = from.suppressSync }},
}

// adopt takes over what a .nspawn file says and no option has said.
func (c *Call) adopt(from *Settings, file string, trusted bool) {
	to := &c.Opt
	masked := to.given
	if to.file == fileOverride {
		masked = 0
	}
	ignore := func(text string) { c.say(term.Warning, strings.Replace(text, "%p", file, 1)) }
	for i := range adoptions {
		a := &adoptions[i]
		if from.given&^masked&a.which != 0 {
			if a.ignored == "" || trusted {
				a.take(to, from)
			} else {
				ignore(a.ignored)
			}
		}
		// These are parts of groups, and among the others in this order.
		switch a.which {
		case givenUser:
			c.adoptCapabilities(from, masked, trusted, ignore)
		case givenNotifyReady:
			if from.given&^masked&givenCalls != 0 {
				if len(from.allowCalls) > 0 && !trusted {
					ignore("Ignoring SystemCallFilter= settings, file %p is not trusted.")
				} else {
					to.allowCalls, to.denyCalls, to.seccomp = from.allowCalls, from.denyCalls, from.seccomp
				}
			}
		case givenFamilies:
			for _, l := range rlimitNames {
				switch {
				case from.given&^masked&(givenRlimit<<l.number) == 0:
				case trusted:
					to.rlimits[l.number] = from.rlimits[l.number]
				default:
					ignore("Ignoring Limit" + l.name + "= setting, file '%p' is not trusted.")
				}
			}
		}
	}
	// Options cannot say these, or have said them.
	to.consoleSize, to.devices, to.resources, to.namespaces = from.consoleSize, from.devices, from.resources, from.namespaces
	if to.console == "" {
		to.console = from.console
	}
	if to.slice == "" {
		to.slice = from.slice
	}
}

// adoptCapabilities takes over capabilities, which add to each other wherever they are named; any file may take them away.
func (c *Call) adoptCapabilities(from *Settings, masked given, trusted bool, ignore func(string)) {
	if from.given&^masked&givenCapability == 0 {
		return
	}
	to := &c.Opt
	to.drop |= from.drop
	if trusted {
		to.retain |= from.retain
		to.capabilities = from.capabilities
		to.ambient |= from.ambient
		return
	}
	if from.retain != 0 {
		ignore("Ignoring Capability= setting, file %p is not trusted.")
	}
	if from.ambient != 0 {
		ignore("Ignoring AmbientCapability= setting, file %p is not trusted.")
	}
}
