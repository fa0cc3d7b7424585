package seccomp

import "golang.org/x/sys/unix"

// Where things are in what a filter sees (struct seccomp_data).
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// Conditional jumps reach 255 instructions; an action is written again where it is further than near.
const (
	reach = 255
	near  = 100
)

// place writes what carries out a decision, if it is not there yet, and returns where it is.
func (c *compiler) place(d decision) int {
	if c.placed == nil {
		c.placed = make([]int, len(c.nodes), 2*cap(c.nodes))
	}
	for len(c.placed) < len(c.nodes) {
		c.placed = append(c.placed, 0)
	}
	n, at := c.nodes[d], c.placed[d]
	if at > 0 && (n.tests || len(c.code)-at < near) {
		return at
	}
	if n.tests {
		at = c.placeTest(n.test, c.place(n.yes), c.place(n.no))
	} else {
		at = c.put(unix.BPF_RET|unix.BPF_K, uint32(n.action), 0, 0)
	}
	c.placed[d] = at
	return at
}

func (c *compiler) placeTest(t test, yes, no int) int {
	switch t.op {
	case equal:
		yes = c.jump(unix.BPF_JEQ, t.value, yes, no)
	case notEqual:
		yes = c.jump(unix.BPF_JEQ, t.value, no, yes)
	case above:
		yes = c.jump(unix.BPF_JGT, t.value, yes, no)
	case below:
		yes = c.jump(unix.BPF_JGE, t.value, no, yes)
	}
	if t.mask != ^uint32(0) {
		yes = c.put(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, t.mask, 0, 0)
	}
	offset := offsetArgs + 8*uint32(t.arg)
	if abis[c.abi].big != t.upper {
		offset += 4
	}
	return c.loadBefore(offset, yes)
}

// jump writes a conditional jump and returns where it is.
func (c *compiler) jump(op uint16, value uint32, yes, no int) int {
	no = c.reachable(no, 1)
	yes = c.reachable(yes, 0)
	return c.put(unix.BPF_JMP|op|unix.BPF_K, value, len(c.code)-yes, len(c.code)-no)
}

// reachable is a place from which it goes on at the place given and that the next instruction reaches, or one that is further by room.
func (c *compiler) reachable(at, room int) int {
	if len(c.code)-at+room <= reach {
		return at
	}
	return c.put(unix.BPF_JMP|unix.BPF_JA, uint32(len(c.code)-at), 0, 0)
}

// loadBefore writes what loads 32 bits of what the filter sees and goes on at the place given.
func (c *compiler) loadBefore(offset uint32, at int) int {
	if at != len(c.code) {
		c.put(unix.BPF_JMP|unix.BPF_JA, uint32(len(c.code)-at), 0, 0)
	}
	return c.load(offset)
}

func (c *compiler) load(offset uint32) int {
	return c.put(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset, 0, 0)
}

func (c *compiler) put(code uint16, k uint32, yes, no int) int {
	c.code = append(c.code, unix.SockFilter{Code: code, Jt: uint8(yes), Jf: uint8(no), K: k})
	return len(c.code)
}
