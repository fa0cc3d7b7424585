package launch

import (
	"golang.org/x/sys/unix"

	"ctl/sandbox/container"
	"ctl/sandbox/seccomp"
)

// bounding are the capabilities that the processes of a service can ever have.
func (r *Room) bounding() uint64 {
	s := r.s
	set := ^uint64(0)
	if s.CapabilityBoundingSet != nil {
		set = *s.CapabilityBoundingSet
	}
	for _, p := range [...]struct {
		on   bool
		caps uint64
	}{{s.PrivateDevices, 1<<unix.CAP_MKNOD | 1<<unix.CAP_SYS_RAWIO}, {s.ProtectKernelModules, 1 << unix.CAP_SYS_MODULE},
		{s.ProtectKernelLogs, 1 << unix.CAP_SYSLOG}, {s.ProtectClock, 1<<unix.CAP_SYS_TIME | 1<<unix.CAP_WAKE_ALARM}} {
		if p.on {
			set &^= p.caps
		}
	}
	return set
}

// bound drops capabilities that are not to come back.
func (b *child) bound() {
	if !b.sandbox {
		return
	}
	set := b.bounding()
	for i, last := 0, container.LastCapability(); i <= last; i++ {
		if set&(1<<i) == 0 {
			b.do(capabilities, unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, i, 0, 0, 0).Allow(unix.EINVAL)
		}
	}
}

// renounce takes away what the command may not do.
func (b *child) renounce() {
	s := b.s
	ambient, filter := uint64(0), b.policy().Program()
	if b.sandbox {
		ambient = s.AmbientCapabilities & b.bounding()
		inherited := inheritable() & b.bounding()
		if b.users {
			inherited = 0
		}
		if b.drops && b.id.uid != 0 && filter != nil {
			inherited &^= 1 << unix.CAP_SETUID // as in the reference, which does not say why
		}
		if s.AmbientCapabilities != 0 {
			inherited = ambient
		}
		// Those that are left when this is done, execve(2) takes from a user who is not root, and what is beyond the bounding set from root.
		b.SetCapabilities(capabilities.String(), b.own&b.bounding()|b.keeps(), inherited)
	}
	if b.h.Users { // ours are all
		if !b.sandbox {
			b.SetCapabilities(capabilities.String(), 0, 0)
		}
		b.do(capabilities, unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	}
	for i, last := 0, container.LastCapability(); i <= last; i++ {
		if ambient&(1<<i) != 0 {
			b.do(capabilities, unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, i, 0, 0)
		}
	}
	if !b.sandbox {
		return
	}
	if s.SecureBits != 0 {
		b.do(secureBits, unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, s.SecureBits, 0, 0, 0)
	}
	if s.NoNewPrivileges || (filter != nil || s.MemoryDenyWriteExecute) && b.own&(1<<unix.CAP_SYS_ADMIN) == 0 {
		b.do(noNewPrivileges, unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if s.MemoryDenyWriteExecute && b.denies() {
		b.do(filters, unix.SYS_PRCTL, unix.PR_SET_MDWE, unix.PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
	}
	if filter != nil {
		b.filters = [][]unix.SockFilter{filter}
	}
}

// inheritable are the capabilities that a child gets from us to hand on, capabilities(7).
func inheritable() uint64 {
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[0].Inheritable) | uint64(data[1].Inheritable)<<32
}

// keeps are capabilities that are needed until the command is executed, though it cannot have them: what was dropped from the bounding
// set, execve(2) gives to nobody, root neither.
func (b *child) keeps() uint64 { return b.own & (1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_SETPCAP) }

// denies tells whether the kernel itself refuses memory that is both written and executed, Linux 6.3.
func (b *child) denies() bool {
	_, err := unix.PrctlRetInt(unix.PR_GET_MDWE, 0, 0, 0, 0)
	return err == nil
}

// policy is what the system calls of a command may do.
func (b *child) policy() *seccomp.Policy {
	p, s := &seccomp.Policy{}, b.s
	if s.AddressFamilies != nil {
		p.RestrictAddressFamilies(s.AddressFamilies.Set)
	}
	if s.MemoryDenyWriteExecute && !b.denies() {
		p.MemoryDenyWriteExecute()
	}
	if s.RestrictRealtime {
		p.RestrictRealtime()
	}
	if s.RestrictSUIDSGID {
		p.RestrictSUIDSGID()
	}
	if s.RestrictNamespaces != nil {
		p.RestrictNamespaces(*s.RestrictNamespaces)
	}
	for _, f := range [...]struct {
		on  bool
		add func()
	}{{s.ProtectHostname == "yes", p.ProtectHostname}, {s.ProtectKernelTunables, p.ProtectKernelTunables}, {s.ProtectKernelModules, p.ProtectKernelModules},
		{s.ProtectKernelLogs, p.ProtectKernelLogs}, {s.ProtectClock, p.ProtectClock}, {s.PrivateDevices, p.PrivateDevices}} {
		if f.on {
			f.add()
		}
	}
	if s.SystemCallArchs != nil {
		var l []seccomp.ABI
		for _, name := range s.SystemCallArchs {
			if a, ok := seccomp.ParseABI(name); ok {
				l = append(l, a)
			}
		}
		p.RestrictArchitectures(l)
	}
	if s.LockPersonality {
		p.LockPersonality(b.personality())
	}
	if s.SystemCallLog != nil {
		p.SystemCallLog(s.SystemCallLog.List)
	}
	if s.SystemCallFilter != nil {
		refused := seccomp.KillProcess
		if s.SystemCallErrno != nil {
			refused = seccomp.Errno(unix.Errno(*s.SystemCallErrno))
		}
		p.SystemCallFilter(s.SystemCallFilter.List, refused)
	}
	return p
}

// personality is the one that the command has.
func (b *child) personality() uint32 {
	if b.s.Personality != nil {
		return uint32(*b.s.Personality)
	}
	const ask = 0xffffffff
	now, _, e := unix.RawSyscall(unix.SYS_PERSONALITY, ask, 0, 0)
	if e != 0 {
		return 0
	}
	return uint32(now) & 0xff
}
