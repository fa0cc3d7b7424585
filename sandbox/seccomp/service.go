package seccomp

import "golang.org/x/sys/unix"

// ProtectKernelTunables refuses _sysctl(2).
func (p *Policy) ProtectKernelTunables() { p.refuse(unix.EPERM, Calls("_sysctl")) }

// ProtectKernelModules refuses to load and remove modules.
func (p *Policy) ProtectKernelModules() { p.refuse(unix.EPERM, Calls("@module")) }

// ProtectKernelLogs refuses syslog(2).
func (p *Policy) ProtectKernelLogs() { p.refuse(unix.EPERM, Calls("syslog")) }

// ProtectClock refuses to set the clock.
func (p *Policy) ProtectClock() { p.refuse(unix.EPERM, Calls("@clock")) }

// ProtectHostname refuses to set the names of host and domain.
func (p *Policy) ProtectHostname() { p.refuse(unix.EPERM, Calls("sethostname", "setdomainname")) }

// PrivateDevices refuses raw I/O.
func (p *Policy) PrivateDevices() { p.refuse(unix.EPERM, Calls("@raw-io")) }

// LockPersonality refuses to set another personality than the one given; to ask for it stays possible only by setting it.
func (p *Policy) LockPersonality(personality uint32) {
	p.refuse(unix.EPERM, Calls("personality"), test{0, notEqual, all, personality, false})
}

// RestrictArchitectures kills who calls the kernel by other ABIs than those listed and the native one.
func (p *Policy) RestrictArchitectures(allowed []ABI) {
	local := Local()
	p.blocked |= setOf(local[:len(local)-1]) &^ setOf(allowed)
}

// RestrictRealtime refuses to ask for realtime scheduling.
func (p *Policy) RestrictRealtime() {
	set := Calls("sched_setscheduler")
	for policy := range uint32(unix.SCHED_IDLE) {
		if policy != unix.SCHED_NORMAL && policy != unix.SCHED_BATCH {
			p.refuse(unix.EPERM, set, is(1, policy))
		}
	}
	p.refuse(unix.EPERM, set, test{1, above, all, unix.SCHED_IDLE, false})
}

// MemoryDenyWriteExecute refuses memory that can be both written and executed, for kernels without PR_SET_MDWE (before 6.3).
func (p *Policy) MemoryDenyWriteExecute() {
	const both = unix.PROT_WRITE | unix.PROT_EXEC
	eperm := Errno(unix.EPERM)
	old := setOf([]ABI{X86, S390}) // whose mmap has its arguments in memory
	p.add(filter{Allow, []rule{
		{calls: Calls("mmap"), abis: old, then: eperm},
		{calls: Calls("mmap", "mmap2"), tests: []test{hasBits(2, both)}, then: eperm},
		{calls: Calls("mprotect", "pkey_mprotect"), tests: []test{hasBits(2, unix.PROT_EXEC)}, then: eperm},
		{calls: Calls("shmat"), tests: []test{hasBits(2, shmExec)}, then: eperm},
	}})
}

// shmExec is SHM_EXEC of shmat(2).
const shmExec = 0o100000

// RestrictNamespaces refuses to make or enter namespaces but those of the flags, which are CLONE_NEW*. The flags of clone3(2) are out of
// sight: it is as if the kernel did not have it.
func (p *Policy) RestrictNamespaces(allowed uint32) {
	// CLONE_NEWTIME is a signal in the flags of clone(2), where it means nothing else.
	namespaces := [...]uint32{unix.CLONE_NEWCGROUP, unix.CLONE_NEWIPC, unix.CLONE_NEWNET, unix.CLONE_NEWNS, unix.CLONE_NEWPID,
		unix.CLONE_NEWUSER, unix.CLONE_NEWUTS, unix.CLONE_NEWTIME}
	const s390 = abiSet(1<<S390 | 1<<S390X) // where clone(2) has its first arguments the other way round
	eperm := Errno(unix.EPERM)
	rules := []rule{{calls: Calls("clone3"), then: Errno(unix.ENOSYS)}}
	some := false
	for _, flag := range namespaces {
		if allowed&flag != 0 {
			some = true
			continue
		}
		rules = append(rules,
			rule{calls: Calls("unshare"), tests: []test{hasBits(0, flag)}, then: eperm},
			rule{calls: Calls("clone"), abis: ^s390, tests: []test{hasBits(0, flag)}, then: eperm},
			rule{calls: Calls("clone"), abis: s390, tests: []test{hasBits(1, flag)}, then: eperm},
			rule{calls: Calls("setns"), tests: []test{hasBits(1, flag)}, then: eperm})
	}
	switch {
	case len(rules) == 1:
		return // all are allowed
	case some:
		rules = append(rules, rule{calls: Calls("setns"), tests: []test{is(1, 0)}, then: eperm}) // of any kind
	default:
		rules = append([]rule{{calls: Calls("setns"), then: eperm}}, rules...)
	}
	p.add(filter{Allow, rules})
}

// RestrictSUIDSGID refuses to make files set-user-ID or set-group-ID. openat2(2), whose mode is out of sight, is as if the kernel did not
// have it.
func (p *Policy) RestrictSUIDSGID() {
	rules := []rule{{calls: Calls("openat2"), then: Errno(unix.ENOSYS)}}
	for _, bit := range [...]uint32{unix.S_ISUID, unix.S_ISGID} {
		mode := func(arg uint8, tests []test, names ...string) {
			rules = append(rules, rule{calls: Calls(names...), tests: append(tests, hasBits(arg, bit)), then: Errno(unix.EPERM)})
		}
		mode(1, nil, "chmod", "fchmod", "mkdir", "mknod", "creat")
		mode(2, nil, "fchmodat", "fchmodat2", "mkdirat", "mknodat")
		mode(2, []test{hasBits(1, unix.O_CREAT)}, "open")
		mode(3, []test{hasBits(2, unix.O_CREAT)}, "openat")
	}
	p.add(filter{Allow, rules})
}
