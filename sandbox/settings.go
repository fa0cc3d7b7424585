package sandbox

import (
	"golang.org/x/sys/unix"

	"ctl/internal/term"
	"ctl/sandbox/container"
	"ctl/sandbox/image"
	"ctl/sandbox/seccomp"
)

// Settings is what a call asks for, by options and .nspawn files.
type Settings struct {
	given    given // what options said and .nspawn files may not change
	quiet    bool
	noPager  bool
	cleanup  bool
	dryRun   bool
	format   term.JSONMode
	hardened bool
	file     fileMode

	directory, template string
	ephemeral, readOnly bool
	volatile            container.Volatile
	pivotRoot           [2]string

	start             start
	parameters        []string // of a .nspawn file
	chdir, user       string
	noUser            bool // the user has no name
	setenv            []string
	killSignal        int // 0: none given
	notifyReady       bool
	suppressSync      bool
	machine, hostname string
	machineGiven      bool // and does not follow from the name of the tree
	uuid              string
	slice             string
	properties        []string
	register          tristate
	keepUnit          bool
	users             users
	usersBase         uint32
	usersRange        uint32
	ownership         ownership
	ownershipGiven    bool
	retain, drop      uint64
	ambient           uint64
	noNewPrivileges   bool
	allowCalls        []string
	denyCalls         []string
	families          seccomp.Families
	restricted        bool // address families are
	rlimits           [16]*unix.Rlimit
	oomScoreAdjust    *int
	affinity          *unix.CPUSet
	personality       string
	resolvConf        container.ResolvConf
	timezone          container.Timezone
	linkJournal       string
	linkJournalTry    bool
	mounts            []container.Custom
	console           string
	background        *string
	credentials       []container.Secret
	userScope         bool
	shareSystem       bool
	delegate          uint64
	image, mstack     string
	imagePolicy       *image.Policy
	verity            image.Verity
	bindUsers         []string
	bindUserShell     string // "" for none
	bindUserGroups    []string
	forwardJournal    string
	forwardLimits     [4]*uint64
	ociBundle         string
	label             string
	mountLabel        *string
	bundleSettings
	ports []string // PROTOCOL:HOST:CONTAINER
	networkSettings
}

// networkSettings are masked together.
type networkSettings struct {
	privateNetwork bool
	networkPath    string
	interfaces     []string
	veth           bool
	macvlan        []string
	ipvlan         []string
	vethExtra      []string
	bridge, zone   string
}

// further tells whether there are devices besides those that are moved and a plain pair.
func (n *networkSettings) further() bool {
	return len(n.macvlan)+len(n.ipvlan)+len(n.vethExtra) > 0 || n.bridge+n.zone != ""
}

// given are the groups of settings that are masked together, systemd.nspawn(5).
type given uint64

const (
	givenStart given = 1 << iota
	givenEnv
	givenUser
	givenKillSignal
	givenCapability
	givenPersonality
	givenMachineID
	givenNetwork
	givenReadOnly
	givenVolatile
	givenMounts
	givenChdir
	givenUsers
	givenNotifyReady
	givenPivotRoot
	givenCalls
	givenHostname
	givenNoNewPrivileges
	givenOOMScoreAdjust
	givenAffinity
	givenResolvConf
	givenLinkJournal
	givenTimezone
	givenEphemeral
	givenDirectory
	givenSuppressSync
	givenFamilies
	givenBindUser
	givenBindUserShell
	givenHardened
	givenPorts
	givenRlimit // and the 15 after it, one for each limit
)

type tristate int

const (
	auto tristate = iota
	yes
	no
)

type start int

const (
	startPayload start = iota
	startStub
	startBoot
)

type fileMode int

const (
	fileYes fileMode = iota
	fileNo
	fileOverride
	fileTrusted
)

type users int

const (
	usersUnset users = iota
	usersNo
	usersIdentity
	usersOwner // as the tree's owner has it
	usersFixed
	usersPick
	usersManaged
)

type ownership int

const (
	ownedAsIs ownership = iota
	ownedByChown
	ownedByMap
	ownedForeign
	ownedAuto
)

func defaults() Settings {
	return Settings{usersRange: 0x10000, linkJournal: "auto", linkJournalTry: true, killSignal: 0,
		bundleSettings: bundleSettings{uid: noID, gid: noID}}
}
