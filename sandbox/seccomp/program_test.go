package seccomp

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

var architectures = [...]string{"amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "s390x", "loong64"}

// policies are some with all that there is.
func policies() map[string]Policy {
	m := make(map[string]Policy)
	p, _ := Container(0xfdecafff, nil, nil)
	m["container"] = p
	p.Hardened()
	p.SuppressSync()
	m["hardened"] = p
	var f Families
	_ = f.Assign(false, []string{"AF_UNIX", "AF_INET", "AF_INET6"})
	var l List
	l.Assign(false, []string{"@system-service"})
	l.Assign(true, []string{"@resources:ENOSPC", "uname:kill", "@keyring"})
	var s Policy
	s.SystemCallFilter(l, KillProcess)
	s.RestrictAddressFamilies(f)
	s.MemoryDenyWriteExecute()
	s.RestrictRealtime()
	s.RestrictSUIDSGID()
	s.RestrictNamespaces(unix.CLONE_NEWNET)
	s.LockPersonality(8)
	s.ProtectHostname()
	m["service"] = s
	var d Policy
	var deny List
	deny.Assign(true, []string{"socket", "msgget:EIO", "@mount"})
	d.SystemCallFilter(deny, Errno(unix.EACCES))
	d.RestrictNamespaces(0)
	m["deny"] = d
	return m
}

// meaning is what a policy says about a call, told without programs.
func (p Policy) meaning(a ABI, number uint32, args [6]uint64) Action {
	result := Allow
	for i := len(p.filters) - 1; i >= 0; i-- {
		f := p.filters[i]
		own := f.decides(a, number, args)
		if own.rank() < result.rank() {
			result = own
		}
	}
	return result
}

func (f filter) decides(a ABI, number uint32, args [6]uint64) Action {
	for id, c := range calls {
		if n := c.numbers[a]; n == no || a.number(int(n)) != number {
			continue
		}
		for _, r := range f.rules {
			if !r.calls.has(id) || !r.in(a) || len(r.tests) > 0 && c.mux > 0 && abis[a].muxed {
				continue
			}
			holds := true
			for _, t := range r.tests {
				v := uint32(args[t.arg])
				switch t.op {
				case equal:
					holds = holds && v&t.mask == t.value
				case notEqual:
					holds = holds && v&t.mask != t.value
				case above:
					holds = holds && v > t.value
				case below:
					holds = holds && v < t.value
				}
			}
			if holds {
				return r.then
			}
		}
	}
	first := uint8(0) // of the numbers of the calls that socketcall and ipc do
	switch {
	case !abis[a].muxed:
		return f.other
	case number == uint32(calls[socketcallCall].numbers[a]):
	case number == uint32(calls[ipcCall].numbers[a]):
		first = 100
	default:
		return f.other
	}
	for id, c := range calls {
		for _, r := range f.rules {
			if c.mux > first && (c.mux >= 100) == (first == 100) && r.calls.has(id) && r.in(a) && len(r.tests) == 0 && uint32(args[0]) == uint32(c.mux-first) {
				return r.then
			}
		}
	}
	return f.other
}

// TestProgram: a program does what its policy means, for each number of each ABI of all architectures.
func TestProgram(t *testing.T) {
	for name, p := range policies() {
		for _, arch := range architectures {
			t.Run(name+"/"+arch, func(t *testing.T) {
				program := p.program(ofArch(arch))
				if len(program) > 1000 {
					t.Errorf("%d instructions", len(program))
				}
				for _, a := range ofArch(arch) {
					for slot := range slots {
						number := a.number(slot)
						vectors := [][6]uint64{{}, {16, 0, 9}, {1, 0x5412, 7, 0x1ff}, {13, 0o4755, 0o2000, 0o4000}, {1 << 30, 0x40, 0x41, 0o2755}, {8, 3, 1 << 31}, {1 << 31, 4, 4}}
						for _, args := range vectors {
							got, looked := run(t, program, request{abis[a].audit, number, args}, abis[a].big)
							if want := p.meaning(a, number, args); got != want {
								t.Fatalf("%s %d %v: %#x, not %#x", a, number, args, got, want)
							}
							if !looked {
								break
							}
						}
					}
				}
			})
		}
	}
}

// TestBlocked: who calls by an ABI that is not permitted is killed; a tracer's -1 is not that.
func TestBlocked(t *testing.T) {
	var p Policy
	p.blocked = setOf([]ABI{X86, X32})
	program := p.program(ofArch("amd64"))
	for _, c := range []struct {
		abi    ABI
		number uint32
		want   Action
	}{{X8664, 0, Allow}, {X8664, ^uint32(0), Allow}, {X32, x32Bit, KillThread}, {X86, 1, KillThread}} {
		if got, _ := run(t, program, request{abis[c.abi].audit, c.number, [6]uint64{}}, false); got != c.want {
			t.Errorf("%s %#x: %#x, not %#x", c.abi, c.number, got, c.want)
		}
	}
}

// TestUpperBits: a bit that the kernel does not look at lets no call pass.
func TestUpperBits(t *testing.T) {
	var p Policy
	p.NoTyping()
	ioctl, _ := find("ioctl")
	for _, arch := range architectures {
		for _, a := range ofArch(arch) {
			r := request{abis[a].audit, a.number(int(calls[ioctl].numbers[a])), [6]uint64{0, 1<<40 | tiocsti}}
			if got, _ := run(t, p.program(ofArch(arch)), r, abis[a].big); got != Errno(unix.EPERM) {
				t.Errorf("%s: %#x", a, got)
			}
		}
	}
}

// TestLoad: the kernel takes the program of a container, and does what it says.
func TestLoad(t *testing.T) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the filter
		done <- load(policies()["hardened"].Program())
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func load(program []unix.SockFilter) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	f := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&f))); errno != 0 {
		return errno
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_KEXEC_LOAD, 0, 0, 0); errno != unix.EPERM {
		return fmt.Errorf("kexec_load: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(4000, 0, 0, 0); errno != unix.ENOSYS {
		return fmt.Errorf("4000: %w", errno)
	}
	return nil
}

func BenchmarkContainer(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p, _ := Container(0xfdecafff, nil, nil)
		if len(p.Program()) == 0 {
			b.Fatal("no program")
		}
	}
}
