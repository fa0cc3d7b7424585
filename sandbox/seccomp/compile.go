package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Program is the filter of a policy for the kernel that we run on; it is empty if the policy allows all.
func (p Policy) Program() []unix.SockFilter { return p.program(Local()) }

func (p Policy) program(local []ABI) []unix.SockFilter {
	if len(p.filters) == 0 && p.blocked == 0 {
		return nil
	}
	c := compiler{policy: p, code: make([]unix.SockFilter, 0, 1024), nodes: make([]node, 0, 64), named: make([]Set, len(p.filters))}
	for i := range p.filters {
		for k := range p.filters[i].rules {
			c.named[i].addAll(p.filters[i].rules[k].calls)
		}
	}
	// What is none of the local ABIs does not come, and the reference allows it.
	next := c.place(c.leaf(Allow))
	if p.blocked != 0 {
		next = c.place(c.leaf(KillThread))
	}
	for _, a := range local { // the native one, which is the last, is asked for first
		if a != X32 && !p.blocked.has(a) {
			next = c.jump(unix.BPF_JEQ, abis[a].audit, c.calls(a), next)
		}
	}
	c.load(offsetArch)
	slices.Reverse(c.code)
	return c.code
}

// A decision is what becomes of a call: an index of nodes.
type decision int32

// A node of a decision diagram is an action, if it has no test, or goes on with one of two others.
type node struct {
	tests   bool
	action  Action
	test    test
	yes, no decision
}

// A compiler makes the program of a policy. The program is written from its end, for jumps lead forward, and where they lead to
// has to be there; a place in it is counted from the end, the last instruction is at 1.
type compiler struct {
	policy Policy
	named  []Set // the calls that each filter has rules about
	nodes  []node
	code   []unix.SockFilter
	// Of the ABI that is being written:
	abi       ABI
	decisions [slots]decision // on each number
	unknown   decision        // on those that no call has
	placed    []int           // where the code of a node is, or 0
}

// calls writes what decides about the calls of an ABI, and returns where.
func (c *compiler) calls(a ABI) int {
	if a != X8664 {
		c.decide(a)
		return c.loadBefore(offsetNumber, c.search())
	}
	// The calls of x32 come as those of x86-64 with a bit set. A tracer sets the number to -1 to have no call done.
	x32 := 0
	if c.policy.blocked.has(X32) {
		c.abi, c.placed = X32, nil
		x32 = c.place(c.leaf(KillThread))
	} else {
		c.decide(X32)
		x32 = c.search()
	}
	c.decide(X8664)
	x32 = c.jump(unix.BPF_JEQ, ^uint32(0), c.place(c.unknown), x32)
	return c.loadBefore(offsetNumber, c.jump(unix.BPF_JGE, x32Bit, x32, c.search()))
}

// decide works out what becomes of each call of an ABI.
func (c *compiler) decide(a ABI) {
	c.abi, c.placed = a, nil
	c.unknown = c.leaf(Allow)
	for i := range c.policy.filters {
		c.unknown = c.stricter(c.leaf(c.policy.filters[i].other), c.unknown)
	}
	for i := range c.decisions {
		c.decisions[i] = c.unknown
	}
	for id := range calls {
		slot := calls[id].numbers[a]
		if slot == no {
			continue
		}
		d := c.leaf(Allow)
		muxes := abis[a].muxed && (id == socketcallCall || id == ipcCall)
		for i := range c.policy.filters {
			if !c.named[i].has(id) && !muxes && c.policy.filters[i].other == Allow {
				continue // nothing is less strict
			}
			d = c.stricter(c.byFilter(&c.policy.filters[i], id), d)
		}
		c.decisions[slot] = d
	}
}

// byFilter is what one filter makes of a call.
func (c *compiler) byFilter(f *filter, id int) decision {
	d := c.leaf(f.other)
	muxed := abis[c.abi].muxed
	if muxed && (id == socketcallCall || id == ipcCall) {
		d = c.multiplexed(f, id, d)
	}
	for i := len(f.rules) - 1; i >= 0; i-- {
		r := &f.rules[i]
		if !r.calls.has(id) || !r.in(c.abi) {
			continue
		}
		if len(r.tests) > 0 && muxed && calls[id].mux != 0 {
			continue // the arguments of socketcall(2) are out of sight, so the reference leaves it
		}
		d = c.chain(r.tests, c.leaf(r.then), d)
	}
	return d
}

// multiplexed is what a filter makes of socketcall(2) or ipc(2), whose first argument tells what they are to do.
func (c *compiler) multiplexed(f *filter, mux int, d decision) decision {
	for id := range calls {
		n := calls[id].mux
		if n == 0 || (n >= 100) != (mux == ipcCall) {
			continue
		}
		for i := range f.rules {
			if r := &f.rules[i]; r.calls.has(id) && r.in(c.abi) && len(r.tests) == 0 {
				d = c.node(is(0, uint32(n%100)), c.leaf(r.then), d)
				break
			}
		}
	}
	return d
}

// chain is yes if all tests hold, else no.
func (c *compiler) chain(tests []test, yes, no decision) decision {
	for i := len(tests) - 1; i >= 0; i-- {
		yes = c.node(tests[i], yes, no)
	}
	return yes
}

// stricter is the stricter of two decisions, or the first.
func (c *compiler) stricter(a, b decision) decision {
	x, y := c.nodes[a], c.nodes[b]
	switch {
	case x.tests:
		return c.node(x.test, c.stricter(x.yes, b), c.stricter(x.no, b))
	case y.tests:
		return c.node(y.test, c.stricter(a, y.yes), c.stricter(a, y.no))
	case x.action.rank() <= y.action.rank():
		return a
	}
	return b
}

func (c *compiler) leaf(a Action) decision { return c.intern(node{action: a}) }

func (c *compiler) node(t test, yes, no decision) decision {
	if yes == no {
		return yes
	}
	return c.intern(node{tests: true, test: t, yes: yes, no: no})
}

func (c *compiler) intern(n node) decision {
	for i := range c.nodes {
		if c.nodes[i] == n {
			return decision(i)
		}
	}
	c.nodes = append(c.nodes, n)
	return decision(len(c.nodes) - 1)
}

// A span are the numbers from one on about which the same is decided.
type span struct {
	from uint32
	decision
}

// search writes a binary search of the decision on the number that was loaded, and returns where it begins.
func (c *compiler) search() int {
	spans := make([]span, 0, 256)
	for slot, d := range c.decisions {
		if n := len(spans); n == 0 || spans[n-1].decision != d {
			spans = append(spans, span{c.abi.number(slot), d})
		}
	}
	return c.searchIn(spans)
}

func (c *compiler) searchIn(spans []span) int {
	if len(spans) == 1 {
		return c.place(spans[0].decision)
	}
	middle := len(spans) / 2
	upper := c.searchIn(spans[middle:])
	lower := c.searchIn(spans[:middle])
	return c.jump(unix.BPF_JGE, spans[middle].from, upper, lower)
}
