// Package seccomp makes seccomp filters: which system calls a container or a service may do, written down as a Policy,
// becomes one BPF program for all ABIs of the kernel. Nothing here changes the process: whoever starts a payload loads the program.
//
// The tables are what libseccomp and systemd 262 know (tables.go, which gen writes), so that a call fails here with the error
// that it fails with under the reference.
package seccomp

//go:generate go run ./gen

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// An Action is what the kernel does with a call: a SECCOMP_RET_ value, see seccomp(2).
type Action uint32

// The actions that need no errno. KillThread is what the reference does to a caller of an ABI that is not permitted.
const (
	KillProcess Action = unix.SECCOMP_RET_KILL_PROCESS
	KillThread  Action = unix.SECCOMP_RET_KILL_THREAD
	Log         Action = unix.SECCOMP_RET_LOG
	Allow       Action = unix.SECCOMP_RET_ALLOW
)

// Errno lets a call fail with an error; with 0 it does nothing and succeeds.
func Errno(e unix.Errno) Action { return unix.SECCOMP_RET_ERRNO | Action(e) }

// A Policy is what is allowed: a list of filters, as the reference would load them one after the other, of which Program makes
// one program. The zero value allows all.
type Policy struct {
	filters []filter
	blocked abiSet // whose callers are killed
}

// A filter decides by the first rule for a call that holds. Of several filters the strictest counts and, if they are
// equally strict, the last (seccomp(2)).
type filter struct {
	other Action // for calls that no rule is for
	rules []rule
}

func (p *Policy) add(f filter) { p.filters = append(p.filters, f) }

// refuse lets calls fail, all of them or those for which all tests hold.
func (p *Policy) refuse(e unix.Errno, s Set, tests ...test) {
	p.add(filter{Allow, []rule{{calls: s, tests: tests, then: Errno(e)}}})
}

// Add adds what another policy does not allow.
func (p *Policy) Add(q Policy) {
	p.filters = append(p.filters, q.filters...)
	p.blocked |= q.blocked
}

// A rule is what becomes of some calls, in some ABIs or in all (0), if all tests hold.
type rule struct {
	calls Set
	abis  abiSet
	tests []test
	then  Action
}

// A test looks at 32 bits of an argument of a call. Those of ours see the lower half alone, for of the arguments that are tested the kernel
// looks at no more: a test of all 64 bits is passed by a caller who sets one that means nothing (CVE-2023-28100).
type test struct {
	arg         uint8
	op          uint8
	mask, value uint32
	upper       bool
}

// The operations of tests: whether the argument, with the mask, is the value, is not, is above or below it.
const (
	equal uint8 = iota
	notEqual
	above
	below
)

const all = ^uint32(0)

func is(arg uint8, value uint32) test      { return test{arg, equal, all, value, false} }
func hasBits(arg uint8, value uint32) test { return test{arg, equal, value, value, false} }

func (r *rule) in(a ABI) bool { return r.abis == 0 || r.abis.has(a) }

// rank orders actions as the kernel does, the strictest first.
func (a Action) rank() int32 { return int32(a & unix.SECCOMP_RET_ACTION_FULL) }

// A Set is a set of system calls.
type Set [(len(calls) + 63) / 64]uint64

func (s *Set) add(id int)    { s[id/64] |= 1 << (id % 64) }
func (s *Set) remove(id int) { s[id/64] &^= 1 << (id % 64) }
func (s *Set) addAll(t Set) {
	for i := range s {
		s[i] |= t[i]
	}
}
func (s *Set) removeAll(t Set) {
	for i := range s {
		s[i] &^= t[i]
	}
}
func (s *Set) has(id int) bool { return s[id/64]&(1<<(id%64)) != 0 }

// Calls are the calls of the names, which are those of calls or of groups. Other names are passed over.
func Calls(names ...string) Set {
	s, _ := collect(names, nil)
	return s
}

// collect is the set of what is named but for what is excluded by name: a call, or a group where it is part of what is named.
// A call in two groups is still in the set if one of them is excluded. It returns also the groups that there are not.
func collect(names, excluded []string) (s Set, unknown []string) {
	var in uint32
	for _, name := range names {
		if slices.Contains(excluded, name) {
			continue
		}
		if !strings.HasPrefix(name, "@") {
			if id, ok := find(name); ok {
				s.add(id)
			}
		} else if g, ok := findGroup(name); ok {
			in |= expand(g, excluded)
		} else {
			unknown = append(unknown, name)
		}
	}
	for id := range calls {
		if calls[id].groups&in != 0 {
			s.add(id)
		}
	}
	for _, name := range excluded {
		if id, ok := find(name); ok {
			s.remove(id)
		}
	}
	return s, unknown
}

// expand is a group with the groups in it that are not excluded.
func expand(g int, excluded []string) uint32 {
	in := uint32(1) << g
	for i := range groups {
		if groups[g].contains&(1<<i) != 0 && !slices.Contains(excluded, groups[i].name) {
			in |= expand(i, excluded)
		}
	}
	return in
}
