package seccomp

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A request is a system call as a filter sees it.
type request struct {
	arch   uint32
	number uint32
	args   [6]uint64
}

func (r request) data(big bool) (d [64]byte) {
	order := binary.ByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	order.PutUint32(d[0:], r.number)
	order.PutUint32(d[4:], r.arch)
	for i, a := range r.args {
		order.PutUint64(d[16+8*i:], a)
	}
	return d
}

// run carries out a classic BPF program as the kernel does, as far as seccomp filters use it, and tells whether it looked at arguments.
func run(t *testing.T, program []unix.SockFilter, r request, big bool) (action Action, looked bool) {
	t.Helper()
	order := binary.ByteOrder(binary.LittleEndian)
	if big {
		order = binary.BigEndian
	}
	data := r.data(big)
	var a, x uint32
	var memory [16]uint32
	for pc := 0; pc < len(program); pc++ {
		i := program[pc]
		operand := i.K
		if i.Code&unix.BPF_X != 0 {
			operand = x
		}
		hold := false
		switch i.Code &^ unix.BPF_X {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = order.Uint32(data[i.K:])
			looked = looked || i.K >= offsetArgs
			continue
		case unix.BPF_LD | unix.BPF_MEM:
			a = memory[i.K]
			continue
		case unix.BPF_ST:
			memory[i.K] = a
			continue
		case unix.BPF_ALU | unix.BPF_AND:
			a &= operand
			continue
		case unix.BPF_MISC | unix.BPF_TAX&^unix.BPF_X:
			x = a
			continue
		case unix.BPF_RET:
			return Action(i.K), looked
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
			continue
		case unix.BPF_JMP | unix.BPF_JEQ:
			hold = a == operand
		case unix.BPF_JMP | unix.BPF_JGT:
			hold = a > operand
		case unix.BPF_JMP | unix.BPF_JGE:
			hold = a >= operand
		case unix.BPF_JMP | unix.BPF_JSET:
			hold = a&operand != 0
		default:
			t.Fatalf("instruction %d: %+v", pc, i)
		}
		if hold {
			pc += int(i.Jt)
		} else {
			pc += int(i.Jf)
		}
	}
	t.Fatal("the program does not end")
	return 0, false
}

// runAll is what the kernel makes of several filters, of which the last was loaded last.
func runAll(t *testing.T, programs [][]unix.SockFilter, r request, big bool) (action Action, looked bool) {
	t.Helper()
	action = Allow
	for i := len(programs) - 1; i >= 0; i-- {
		a, l := run(t, programs[i], r, big)
		looked = looked || l
		if a.rank() < action.rank() {
			action = a
		}
	}
	return action, looked
}

// values are what a program compares arguments with, and the values around these.
func values(programs [][]unix.SockFilter) []uint64 {
	l := []uint64{0, 1, 2, 3, 1 << 31, 1<<32 - 1}
	for _, program := range programs {
		args := false
		for _, i := range program {
			switch {
			case i.Code == unix.BPF_LD|unix.BPF_W|unix.BPF_ABS:
				args = i.K >= offsetArgs
			case args && (i.Code&7 == unix.BPF_JMP && i.Code != unix.BPF_JMP|unix.BPF_JA || i.Code&7 == unix.BPF_ALU):
				l = append(l, uint64(i.K), uint64(i.K+1), uint64(i.K-1))
			}
		}
	}
	slices.Sort(l)
	return slices.Compact(l)
}

// same compares programs for each number of each ABI, and for arguments that make a difference.
func same(t *testing.T, want [][]unix.SockFilter, got []unix.SockFilter, abi ABI) {
	t.Helper()
	vectors := [][6]uint64{{}}
	l := values(append(want, got))
	for i := range 6 {
		for _, v := range l {
			vector := [6]uint64{}
			vector[i] = v
			vectors = append(vectors, vector)
			for k := range i {
				if len(l) > 40 {
					break // one argument against many values
				}
				for _, w := range l {
					vector[k] = w
					vectors = append(vectors, vector)
				}
				vector[k] = 0
			}
		}
	}
	wrong := 0
	for n := range uint32(slots + 1) {
		number := abi.number(int(n))
		if n == slots {
			number = ^uint32(0)
		}
		for _, args := range vectors {
			r := request{abis[abi].audit, number, args}
			w, looked := runAll(t, want, r, abis[abi].big)
			g, also := run(t, got, r, abis[abi].big)
			if w != g {
				if wrong++; wrong < 20 {
					t.Errorf("%s %d %v: %#x, not %#x", abi, number, args, g, w)
				}
			}
			if !looked && !also {
				break
			}
		}
	}
}
