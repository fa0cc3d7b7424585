package seccomp

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A List is what a setting SystemCallFilter= or SystemCallLog= of a unit lists: calls that are allowed, or that are not, some with an
// error of their own. The zero value is the setting that was not made, or that was reset.
type List struct {
	allow  bool // it lists what is allowed
	begun  bool
	listed Set
	own    []ownAction
}

// An ownAction is what becomes of calls that a list has with an error, or with "kill".
type ownAction struct {
	then  Action
	calls Set
}

// Assign adds the words of a value of SystemCallFilter=, which began with ~ if it is inverted: calls, or groups of them, each with
// :ERRNO or :kill if it is inverted. The first value decides what the list is about, later ones of the other kind take away from it.
// Words that are wrong are left out; what the reference says of them is returned.
func (l *List) Assign(inverted bool, words []string) []string { return l.assign(inverted, words, true) }

// AssignLog is Assign for SystemCallLog=, whose words have no errors.
func (l *List) AssignLog(inverted bool, words []string) []string {
	return l.assign(inverted, words, false)
}

func (l *List) assign(inverted bool, words []string, filter bool) (wrong []string) {
	if !l.begun {
		*l = List{allow: !inverted, begun: true}
		if l.allow && filter {
			l.listed = Calls("@default")
		}
	}
	for _, word := range words {
		name, then, own, ok := word, Action(0), false, true
		if filter {
			name, then, own, ok = parseWord(word)
		}
		if !ok {
			wrong = append(wrong, "Failed to parse syscall:errno, ignoring: "+word)
			continue
		}
		if own && !inverted {
			wrong = append(wrong, "Allow-listed system calls cannot take error number, ignoring: "+word)
			continue
		}
		if _, ok := findGroup(name); !ok && strings.HasPrefix(name, "@") {
			wrong = append(wrong, "Unknown system call group, ignoring: "+name)
		} else if _, ok := find(name); !ok && !strings.HasPrefix(name, "@") {
			wrong = append(wrong, "System call "+name+" is not known, ignoring.")
		}
		set := Calls(name)
		for i := range l.own {
			l.own[i].calls.removeAll(set)
		}
		switch {
		case own && inverted:
			l.listed.addAll(set)
			l.own = append(l.own, ownAction{then, set})
		case inverted != l.allow:
			l.listed.addAll(set)
		default:
			l.listed.removeAll(set)
		}
	}
	return wrong
}

// parseWord takes a word of SystemCallFilter= apart.
func parseWord(word string) (name string, then Action, own, ok bool) {
	name, text, own := strings.Cut(word, ":")
	ok = name != ""
	if own && ok {
		then, ok = ParseAction(text)
	}
	return name, then, own, ok
}

// lastErrno is the greatest errno that the kernel can return.
const lastErrno = 4095

// ParseAction reads what is to become of a call: the name or number of an error, or "kill".
func ParseAction(s string) (Action, bool) {
	if s == "kill" {
		return KillProcess, true
	}
	if n, err := strconv.Atoi(s); err == nil {
		return Errno(unix.Errno(n)), n >= 0 && n <= lastErrno
	}
	if s == "" {
		return 0, false
	}
	for e := range unix.Errno(lastErrno) {
		if unix.ErrnoName(e) == s {
			return Errno(e), true
		}
	}
	return 0, false
}

// SystemCallFilter refuses what the list does not allow, with the action given. A list of what is allowed has it done only to calls that
// are known; others are as if the kernel did not have them.
func (p *Policy) SystemCallFilter(l List, refused Action) {
	if !l.begun || !l.allow && l.listed == (Set{}) {
		return
	}
	// Whoever starts the service tells by write(2) that it did.
	write := Calls("write")
	if l.allow {
		l.listed.addAll(write)
	} else {
		l.listed.removeAll(write)
	}
	var rules []rule
	for _, own := range l.own {
		own.calls.removeAll(write)
		rules = append(rules, rule{calls: own.calls, then: own.then})
	}
	if l.allow {
		p.allowOnly(append(rules, rule{calls: l.listed, then: Allow}), refused)
	} else {
		p.add(filter{Allow, append(rules, rule{calls: l.listed, then: refused})})
	}
}

func (p *Policy) allowOnly(rules []rule, refused Action) {
	unknown := refused
	if refused != Allow && refused != Log {
		unknown = Errno(unix.ENOSYS)
		rules = append(rules, rule{calls: nativeOf(known()), then: refused})
	}
	p.add(filter{unknown, rules})
}

// known are the calls of the group @known itself: those of the groups in it the reference passes over here.
func known() (s Set) {
	g, _ := findGroup("@known")
	for id := range calls {
		if calls[id].groups&(1<<g) != 0 {
			s.add(id)
		}
	}
	return s
}

// nativeOf are those calls of a set that the native ABI has: of the calls that only other ABIs have, the reference takes none for known here.
func nativeOf(s Set) Set {
	native := Native()
	for id := range calls {
		if calls[id].numbers[native] == no {
			s.remove(id)
		}
	}
	return s
}

// SystemCallLog has the kernel log the calls that the list has, or has not.
func (p *Policy) SystemCallLog(l List) {
	if !l.begun {
		return
	}
	if l.allow {
		p.add(filter{Allow, []rule{{calls: l.listed, then: Log}}})
	} else {
		p.add(filter{Log, []rule{{calls: l.listed, then: Allow}}})
	}
}
