package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Trap has the caller get SIGSYS.
const Trap Action = unix.SECCOMP_RET_TRAP

// Rules are a policy that is written down call by call, as OCI bundles have it, and mean what libseccomp makes of them.
type Rules struct {
	other         Action
	abis          abiSet
	plain, tested []rule // a rule without comparisons is the only one for its calls
}

// NewRules are rules by which the calls that none is for have an action done. Who calls by another ABI than the native one is killed.
func NewRules(other Action) *Rules { return &Rules{other: other, abis: setOf([]ABI{Native()})} }

// Permit has the rules be for another ABI too.
func (r *Rules) Permit(a ABI) { r.abis |= setOf([]ABI{a}) }

// Policy is what the rules come to.
func (r *Rules) Policy() Policy {
	return Policy{filters: []filter{{r.other, slices.Concat(r.plain, r.tested)}}, blocked: setOf(Local()) &^ r.abis}
}

// A Comparison is one of an argument of a call.
type Comparison struct {
	Arg   uint64
	Op    Op
	Mask  uint64 // of MaskedEqual: what of the argument is compared
	Value uint64
}

// An Op is how an argument is compared with a value.
type Op int

// The comparisons.
const (
	NotEqual Op = iota
	Less
	LessOrEqual
	Equal
	GreaterOrEqual
	Greater
	MaskedEqual
)

// wide are the ABIs whose arguments have 64 bits.
const wide = abiSet(1<<X8664 | 1<<ARM64 | 1<<RISCV64 | 1<<PPC64LE | 1<<PPC64 | 1<<S390X | 1<<LoongArch64)

// Add has an action be done for the calls named if all comparisons hold. It fails for what is done anyway (EACCES), and with an
// argument that calls do not have, or that is there twice (EINVAL). Names of calls that there are not are passed over.
func (r *Rules) Add(names []string, then Action, comparisons []Comparison) error {
	var set Set
	known := false
	for _, n := range names {
		if id, ok := find(n); ok {
			set.add(id)
			known = true
		}
	}
	switch {
	case !known:
		return nil
	case then == r.other:
		return unix.EACCES
	case len(comparisons) == 0:
		r.plain = append(r.plain, rule{calls: set, then: then})
		return nil
	}
	var seen [6]bool
	for _, c := range comparisons {
		if c.Arg >= uint64(len(seen)) || seen[c.Arg] {
			return unix.EINVAL
		}
		seen[c.Arg] = true
	}
	for _, abis := range []abiSet{wide, ^wide} {
		for _, tests := range alternatives(comparisons, abis == wide) {
			r.tested = append(r.tested, rule{calls: set, abis: abis, tests: tests, then: then})
		}
	}
	return nil
}

// alternatives are lists of tests, of which one has to hold wholly if all comparisons do.
func alternatives(comparisons []Comparison, wide bool) [][]test {
	all := [][]test{nil}
	for _, c := range comparisons {
		var l [][]test
		for _, before := range all {
			for _, one := range c.tests(wide) {
				l = append(l, slices.Concat(before, one))
			}
		}
		all = l
	}
	return all
}

// tests are the tests that one comparison comes to: each list is an alternative.
func (c Comparison) tests(wide bool) [][]test {
	arg, high, low := uint8(c.Arg), uint32(c.Value>>32), uint32(c.Value)
	of := func(upper bool, op uint8, mask, value uint32) []test { return []test{{arg, op, mask, value, upper}} }
	none := [][]test(nil)
	// The lower half as it is, and where the upper half decides.
	lower, upper := none, none
	switch c.Op {
	case MaskedEqual:
		m := of(false, equal, uint32(c.Mask), low)
		if wide {
			m = append(m, of(true, equal, uint32(c.Mask>>32), high)...)
		}
		return [][]test{m}
	case NotEqual:
		lower, upper = [][]test{of(false, notEqual, all, low)}, [][]test{of(true, notEqual, all, high)}
		if wide {
			return append(upper, lower...)
		}
		return lower
	case Equal:
		lower = [][]test{of(false, equal, all, low)}
	case Less:
		lower, upper = [][]test{of(false, below, all, low)}, [][]test{of(true, below, all, high)}
	case LessOrEqual:
		lower = [][]test{of(false, below, all, low), of(false, equal, all, low)}
		upper = [][]test{of(true, below, all, high)}
	case Greater:
		lower, upper = [][]test{of(false, above, all, low)}, [][]test{of(true, above, all, high)}
	case GreaterOrEqual:
		lower = [][]test{of(false, above, all, low), of(false, equal, all, low)}
		upper = [][]test{of(true, above, all, high)}
	}
	if !wide {
		return lower
	}
	for _, l := range lower {
		upper = append(upper, append(of(true, equal, all, high), l...))
	}
	return upper
}
