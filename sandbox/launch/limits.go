package launch

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ctl/sandbox/program"
)

// schedule gives the process its place among others.
func (b *child) schedule() {
	s := b.s
	if b.proc != nil {
		if s.OOMScoreAdjust != nil {
			b.ownFile(oomAdjust, "self/oom_score_adj", strconv.Itoa(*s.OOMScoreAdjust))
		}
		if s.CoredumpFilter != nil {
			b.ownFile(limits, "self/coredump_filter", fmt.Sprintf("0x%x", *s.CoredumpFilter))
		}
	}
	if s.CPUPolicy != nil {
		a := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: uint32(*s.CPUPolicy), Priority: uint32(s.CPUPriority)} // and no more or less nice than others
		if s.CPUResetOnFork {
			a.Flags = unix.SCHED_FLAG_RESET_ON_FORK
		}
		b.do(setScheduler, unix.SYS_SCHED_SETATTR, 0, program.Address(&b.Program, &a), 0)
	}
	if s.Nice != nil {
		b.do(nice, unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, b.nicest(*s.Nice))
	}
	if set := b.affinity(); set != nil {
		b.do(cpuAffinity, unix.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(*set), program.Address(&b.Program, set))
	}
	if s.NUMAPolicy != nil {
		b.memoryPolicy()
	}
	if s.IOClass != nil || s.IOPriority != nil {
		class, priority := 2, 4 // best effort, in the middle
		if s.IOClass != nil {
			class = *s.IOClass
		}
		if s.IOPriority != nil {
			priority = *s.IOPriority
		}
		if class == 0 { // which is this
			class, priority = 2, 4
		}
		const ofProcess = 1
		b.do(ioprio, unix.SYS_IOPRIO_SET, ofProcess, 0, class<<13|priority)
	}
	if s.TimerSlack != nil {
		b.do(timerSlack, unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, int(*s.TimerSlack), 0, 0, 0)
	}
	if s.Personality != nil {
		b.do(personality, unix.SYS_PERSONALITY, int(*s.Personality))
	}
	if s.MemoryKSM != nil {
		merge := 0
		if *s.MemoryKSM {
			merge = 1
		}
		b.do(ksm, unix.SYS_PRCTL, unix.PR_SET_MEMORY_MERGE, merge, 0, 0, 0).Allow(unix.EINVAL)
	}
	switch s.MemoryTHP {
	case "disable":
		b.do(thp, unix.SYS_PRCTL, unix.PR_SET_THP_DISABLE, 1, 0, 0, 0).Allow(unix.EINVAL)
	case "madvise":
		const exceptAdvised = 2 // Linux 6.18
		b.do(thp, unix.SYS_PRCTL, unix.PR_SET_THP_DISABLE, 1, exceptAdvised, 0, 0).Allow(unix.EINVAL)
	case "system":
		b.do(thp, unix.SYS_PRCTL, unix.PR_SET_THP_DISABLE, 0, 0, 0, 0).Allow(unix.EINVAL)
	}
}

// ownFile writes a file of /proc, which need not be possible in a container.
func (b *child) ownFile(s step, name, text string) {
	b.WriteFile(s.String(), b.procFD, name, text, true)
}

// affinity are the CPUs that the process may use, nil for all.
func (b *child) affinity() *unix.CPUSet {
	if !b.s.CPUAffinityFromNUMA {
		return b.s.CPUAffinity
	}
	set, any := unix.CPUSet{}, false
	for _, node := range b.s.NUMAMask {
		data, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/node/node%d/cpulist", node))
		if err != nil {
			continue
		}
		for span := range strings.SplitSeq(strings.TrimSpace(string(data)), ",") {
			first, last, more := strings.Cut(span, "-")
			from, err := strconv.Atoi(first)
			to := from
			if more {
				to, _ = strconv.Atoi(last)
			}
			for cpu := from; err == nil && cpu <= to; cpu++ {
				set.Set(cpu)
				any = true
			}
		}
	}
	if !any {
		return nil
	}
	return &set
}

// memoryPolicy sets which nodes memory comes from, set_mempolicy(2).
func (b *child) memoryPolicy() {
	var mask [16]uint64
	for _, n := range b.s.NUMAMask {
		if n < len(mask)*64 {
			mask[n/64] |= 1 << (n % 64)
		}
	}
	at, bits := program.Address(&b.Program, &mask), len(mask)*64+1
	if len(b.s.NUMAMask) == 0 {
		at, bits = 0, 0
	}
	b.do(numa, unix.SYS_SET_MEMPOLICY, *b.s.NUMAPolicy, at, bits).Allow(unix.ENOSYS)
}

// keyring gives the process a session keyring, in which the invocation's ID is, keyrings(7).
func (b *child) keyring() {
	mode := b.s.KeyringMode
	if mode == "" {
		mode = "private"
		if b.h.User {
			mode = "inherit"
		}
	}
	if mode == "inherit" {
		return
	}
	own := b.drops && b.id.set && b.id.uid != 0
	if own { // keyrings belong to whom the real ID says
		b.do(keyring, program.SysSetresgid, int(b.id.gid), -1, -1)
		b.do(keyring, program.SysSetresuid, int(b.id.uid), -1, -1)
	}
	b.do(keyring, unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, nil).Allow(unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EDQUOT)
	if mode == "shared" {
		b.do(keyring, unix.SYS_KEYCTL, unix.KEYCTL_LINK, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_SESSION_KEYRING).Allow(unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EDQUOT)
	}
	if own {
		b.do(keyring, program.SysSetresuid, 0, -1, -1)
		b.do(keyring, program.SysSetresgid, 0, -1, -1)
	}
	id := b.invocation()
	key := b.Reg()
	add := b.Sys(keyring.String(), key, unix.SYS_ADD_KEY, "user", "invocation_id", program.Address(&b.Program, &id), len(id), unix.KEY_SPEC_SESSION_KEYRING)
	add.Allow(unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EDQUOT)
	from := b.Len()
	const mayRead = 0x0b0b0000 // of the possessor and the user: view, read, search
	b.do(keyring, unix.SYS_KEYCTL, unix.KEYCTL_SETPERM, key, mayRead).Allow(unix.EACCES, unix.EPERM)
	b.SkipTo(from)
}

// limits sets what the process may use.
func (b *child) limits() {
	l := b.s.Limits
	if !b.h.User {
		// What a manager gives its services; ours are those of a shell, and the runtime has raised the number of files.
		if l[unix.RLIMIT_NOFILE] == nil {
			l[unix.RLIMIT_NOFILE] = &unix.Rlimit{Cur: 1024, Max: 512 << 10}
		}
		if l[unix.RLIMIT_MEMLOCK] == nil {
			l[unix.RLIMIT_MEMLOCK] = &unix.Rlimit{Cur: 8 << 20, Max: 8 << 20}
		}
	}
	all := b.own&(1<<unix.CAP_SYS_RESOURCE) != 0
	for i, want := range l {
		var own unix.Rlimit
		if want == nil || unix.Prlimit(0, i, nil, &own) == nil && own == *want {
			continue
		}
		r := *want
		if i == unix.RLIMIT_NOFILE && b.s.Limits[i] == nil {
			r.Max = min(r.Max, own.Max)
		}
		if !all { // no more than there is, getrlimit(2)
			r.Max = min(r.Max, own.Max)
		}
		r.Cur = min(r.Cur, r.Max)
		b.do(limits, unix.SYS_PRLIMIT64, 0, i, program.Address(&b.Program, &r), nil)
	}
}

// nicest is the niceness that is nearest to a wanted one of those that can be had: as RLIMIT_NICE allows, without CAP_SYS_NICE, or what we have.
func (b *child) nicest(want int) int {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // as the system call has it: 20 less the niceness
	have := 20 - raw
	if err != nil || want >= have || b.own&(1<<unix.CAP_SYS_NICE) != 0 {
		return want
	}
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NICE, &l) != nil {
		return want
	}
	return min(max(want, 20-int(min(l.Cur, 40))), have)
}
