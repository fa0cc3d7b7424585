package cgroup

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An insn is an instruction of BPF, linux/bpf.h.
type insn struct {
	code uint8
	regs uint8 // the destination in the lower half, the source in the upper
	off  int16
	imm  int32
}

// The instructions that programs here are made of.
const (
	load     = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W // dst = what src points to
	store    = unix.BPF_ST | unix.BPF_MEM | unix.BPF_W
	set      = 0x07 | 0xb0 // BPF_ALU64 BPF_MOV BPF_K
	copied   = set | unix.BPF_X
	plus     = 0x07 | unix.BPF_ADD
	and      = 0x07 | unix.BPF_AND
	shift    = 0x07 | unix.BPF_RSH
	jumpNot  = unix.BPF_JMP | 0x50 // BPF_JNE
	jumpIs   = unix.BPF_JMP | unix.BPF_JEQ
	jumpNotX = jumpNot | unix.BPF_X
	jump32   = 0x06 | 0x50 // BPF_JMP32 BPF_JNE
	callTo   = unix.BPF_JMP | 0x80
	exit     = unix.BPF_JMP | 0x90
)

// answer ends a program with 1, yes, or 0, no.
func answer(yes int32) []insn { return []insn{{code: set, imm: yes}, {code: exit}} }

// attach has the kernel ask a program about what the processes of the group do.
func (g *Group) attach(kind, where uint32, program []insn) error {
	fd, err := loadProgram(kind, where, program)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // the group keeps it
	dir, err := os.Open(g.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	a := struct{ target, program, kind, flags uint32 }{uint32(dir.Fd()), uint32(fd), where, unix.BPF_F_ALLOW_MULTI}
	if _, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&a)), unsafe.Sizeof(a)); e != 0 {
		return e
	}
	return nil
}

func loadProgram(kind, where uint32, program []insn) (int, error) {
	license := [...]byte{'M', 'I', 'T', 0}
	l := struct {
		kind, count    uint32
		insns, license uint64
		_              [44]byte
		where          uint32 // expected_attach_type
		_              [40]byte
	}{kind: kind, count: uint32(len(program)), where: where,
		insns: uint64(uintptr(unsafe.Pointer(&program[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0])))}
	fd, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&l)), unsafe.Sizeof(l))
	runtime.KeepAlive(program)
	runtime.KeepAlive(&license)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}

// Decides tells whether programs about devices and, so it is, about addresses can be loaded here.
func Decides() bool {
	fd, err := loadProgram(unix.BPF_PROG_TYPE_CGROUP_DEVICE, unix.BPF_CGROUP_DEVICE, answer(1))
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}
