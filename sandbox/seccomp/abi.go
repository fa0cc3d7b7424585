package seccomp

import (
	"cmp"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// An ABI is a way to call the kernel: an architecture's own, or one that it has besides.
type ABI uint8

// The ABIs, in the order of the tables.
const (
	X8664 ABI = iota
	X86
	X32
	ARM64
	ARM
	RISCV64
	PPC64LE
	PPC64
	PPC
	S390X
	S390
	LoongArch64
	lastABI = LoongArch64
)

// abis are the ABIs under the names that they have in unit files, with what the kernel says in seccomp_data.arch.
var abis = [...]struct {
	name  string
	audit uint32
	big   bool // big endian
	muxed bool // has socketcall(2) and ipc(2), which do what other calls do
}{
	X8664:       {"x86-64", unix.AUDIT_ARCH_X86_64, false, false},
	X86:         {"x86", unix.AUDIT_ARCH_I386, false, true},
	X32:         {"x32", unix.AUDIT_ARCH_X86_64, false, false},
	ARM64:       {"arm64", unix.AUDIT_ARCH_AARCH64, false, false},
	ARM:         {"arm", unix.AUDIT_ARCH_ARM, false, false},
	RISCV64:     {"riscv64", unix.AUDIT_ARCH_RISCV64, false, false},
	PPC64LE:     {"ppc64-le", unix.AUDIT_ARCH_PPC64LE, false, true},
	PPC64:       {"ppc64", unix.AUDIT_ARCH_PPC64, true, true},
	PPC:         {"ppc", unix.AUDIT_ARCH_PPC, true, true},
	S390X:       {"s390x", unix.AUDIT_ARCH_S390X, true, true},
	S390:        {"s390", unix.AUDIT_ARCH_S390, true, true},
	LoongArch64: {"loongarch64", unix.AUDIT_ARCH_LOONGARCH64, false, false},
}

func (a ABI) String() string { return abis[a].name }

// ParseABI is the ABI of a name in SystemCallArchitectures=.
func ParseABI(name string) (ABI, bool) {
	if name == "native" {
		return Native(), true
	}
	for a := range abis {
		if abis[a].name == name {
			return ABI(a), true
		}
	}
	return 0, false
}

// ofArch are the ABIs of an architecture as Go calls it, in the reference's order: its own is the last.
func ofArch(arch string) []ABI {
	switch arch {
	case "amd64":
		return []ABI{X86, X32, X8664}
	case "386":
		return []ABI{X86}
	case "arm64":
		return []ABI{ARM, ARM64}
	case "arm":
		return []ABI{ARM}
	case "riscv64":
		return []ABI{RISCV64}
	case "ppc64le":
		return []ABI{PPC, PPC64, PPC64LE}
	case "s390x":
		return []ABI{S390, S390X}
	case "loong64":
		return []ABI{LoongArch64}
	}
	return nil
}

// Local are the ABIs of the kernel that we run on, in the order in which the reference makes filters for them: the one that we
// are built for is the last.
func Local() []ABI { return ofArch(runtime.GOARCH) }

// Native is the ABI that we are built for.
func Native() ABI {
	l := Local()
	return l[len(l)-1]
}

// An abiSet is a set of ABIs.
type abiSet uint16

func setOf(l []ABI) (s abiSet) {
	for _, a := range l {
		s |= 1 << a
	}
	return s
}

func (s abiSet) has(a ABI) bool { return s&(1<<a) != 0 }

// muxed are the ABIs with socketcall(2).
func muxed() (s abiSet) {
	for a := range abis {
		if abis[a].muxed {
			s |= 1 << a
		}
	}
	return s
}

// numbers are the numbers of a system call in the ABIs: those of x32 without x32Bit, those of arm's own calls from arm on.
type numbers [lastABI + 1]uint16

// How numbers are written in the tables, and what the kernel adds to them.
const (
	no         = 0xffff // there is no such call
	arm        = 0x3f0
	slots      = 0x400
	armPrivate = 0xf0000
	x32Bit     = 1 << 30
)

// number is what the kernel calls the number of the tables.
func (a ABI) number(slot int) uint32 {
	switch {
	case a == X32:
		return uint32(slot) | x32Bit
	case slot >= arm:
		return armPrivate + uint32(slot-arm)
	}
	return uint32(slot)
}

// A call is a system call: its number in socketcall(2), or 100 more than that in ipc(2), the groups that it is in, its numbers.
type call struct {
	name    string
	mux     uint8
	groups  uint32
	numbers numbers
}

// A group is a group of system calls with the groups that it contains.
type group struct {
	name     string
	contains uint32
}

func find(name string) (int, bool) {
	return slices.BinarySearchFunc(calls[:], name, func(c call, name string) int { return cmp.Compare(c.name, name) })
}

func findGroup(name string) (int, bool) {
	i := slices.IndexFunc(groups[:], func(g group) bool { return g.name == name })
	return i, i >= 0
}
