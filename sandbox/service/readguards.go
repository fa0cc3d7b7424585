package service

import (
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/seccomp"
)

// Readers of the settings that keep a service from something.

// capabilities reads a list of capabilities, inverted or not.
func (l *line) capabilities() (set uint64, invert bool) {
	rest, invert := strings.CutPrefix(l.value, "~")
	words, _ := unit.Words(rest, unit.Unquote)
	for _, w := range words {
		i := slices.Index(unit.CapabilityNames[:], strings.TrimPrefix(strings.ToLower(w), "cap_"))
		if n, errN := unit.Unsigned(w, 32); errN == nil && n < 63 {
			i = int(n)
		} else if !strings.HasPrefix(strings.ToLower(w), "cap_") {
			i = -1
		}
		if i >= 0 { // others are passed over in silence
			set |= 1 << i
		}
	}
	return set, invert
}

// allCapabilities are those that there are names for.
const allCapabilities = uint64(1)<<len(unit.CapabilityNames) - 1

// merged is what a set of capabilities is after a line: the first one says what is in it, or with "~" what is not; later ones add or
// take away.
func merged(before, sum uint64, first, invert bool, value string) uint64 {
	switch {
	case first && invert:
		return allCapabilities &^ sum
	case first:
		return sum
	case value == "" || value == "~" && invert:
		if invert {
			return allCapabilities
		}
		return 0
	case invert:
		return before &^ sum
	}
	return before | sum
}

func (l *line) boundingSet() {
	sum, invert := l.capabilities()
	before, first := allCapabilities, l.exec.CapabilityBoundingSet == nil || *l.exec.CapabilityBoundingSet == allCapabilities
	if !first {
		before = *l.exec.CapabilityBoundingSet
	}
	set := merged(before, sum, first, invert, l.value)
	l.exec.CapabilityBoundingSet = &set
}

func (l *line) ambientSet() {
	sum, invert := l.capabilities()
	l.exec.AmbientCapabilities = merged(l.exec.AmbientCapabilities, sum, l.exec.AmbientCapabilities == 0, invert, l.value)
}

func (l *line) secureBits() {
	if l.value == "" {
		l.exec.SecureBits = 0
		return
	}
	words, _ := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		switch w {
		case "keep-caps":
			l.exec.SecureBits |= 1 << 4
		case "keep-caps-locked":
			l.exec.SecureBits |= 1 << 5
		case "no-setuid-fixup":
			l.exec.SecureBits |= 1 << 2
		case "no-setuid-fixup-locked":
			l.exec.SecureBits |= 1 << 3
		case "noroot":
			l.exec.SecureBits |= 1 << 0
		case "noroot-locked":
			l.exec.SecureBits |= 1 << 1
		}
	}
}

// namespaceFlags reads kinds of namespaces.
func (l *line) namespaceFlags(v string) (flags uint32, ok bool) {
	words, err := unit.Words(v, unit.Unquote)
	for _, w := range words {
		found := false
		for _, k := range unit.NamespaceKinds {
			if k.Name == w {
				flags, found = flags|uint32(k.Flag), true
			}
		}
		if !found {
			err = syscall.EINVAL
		}
	}
	if err != nil {
		l.warn("Failed to parse namespace type string, ignoring: " + v)
	}
	return flags, err == nil
}

func allNamespaces() (flags uint32) {
	for _, k := range unit.NamespaceKinds {
		flags |= uint32(k.Flag)
	}
	return flags
}

func (l *line) restrictNamespaces() {
	p := &l.exec.RestrictNamespaces
	if l.value == "" {
		*p = nil
		return
	}
	none, all := uint32(0), allNamespaces()
	if b, ok := unit.Boolean(l.value); ok {
		if *p = &all; b {
			*p = &none
		}
		return
	}
	rest, invert := strings.CutPrefix(l.value, "~")
	flags, ok := l.namespaceFlags(rest)
	if !ok {
		return
	}
	switch {
	case *p == nil && invert:
		flags = all &^ flags
	case *p == nil:
	case invert:
		flags = **p &^ flags
	default:
		flags |= **p
	}
	*p = &flags
}

func (l *line) delegateNamespaces() {
	if _, ok := unit.Boolean(l.value); !ok {
		l.namespaceFlags(strings.TrimPrefix(l.value, "~"))
	}
}

func (l *line) addressFamilies() {
	p := &l.exec.AddressFamilies
	switch l.value {
	case "":
		*p = nil
		return
	case "none":
		*p = &Families{}
		(*p).Set.Reset(true)
		return
	}
	rest, invert := strings.CutPrefix(l.value, "~")
	if *p == nil {
		*p = &Families{Deny: invert}
	}
	f := *p
	words, _ := unit.Words(rest, 0)
	for _, w := range words {
		if f.Set.Assign(invert, []string{w}) != nil {
			l.warn("Failed to parse address family, ignoring: " + l.value)
			return
		}
		w = strings.Clone(w)
		f.Names = slices.DeleteFunc(f.Names, func(have string) bool { return have == w })
		if invert == f.Deny {
			f.Names = append(f.Names, w)
		}
	}
}

// systemCalls reads a list of system calls. What is wrong with its words seccomp says.
func (l *line) systemCalls(p **SystemCalls, log bool) {
	if l.value == "" {
		*p = nil
		return
	}
	rest, invert := strings.CutPrefix(l.value, "~")
	if *p == nil {
		*p = &SystemCalls{Deny: invert}
	}
	s := *p
	words, err := unit.Words(rest, 0)
	assign := s.List.Assign
	if log {
		assign = s.List.AssignLog
	}
	for _, text := range assign(invert, words) {
		l.warn(text)
	}
	for _, w := range words {
		s.Words = append(s.Words, SystemCallWord{Word: strings.Clone(w), Invert: invert != s.Deny})
	}
	if err != nil {
		l.invalidSyntax()
	}
}

func (l *line) errorNumber() {
	if l.value == "" || l.value == "kill" {
		l.exec.SystemCallErrno = nil
		return
	}
	a, ok := seccomp.ParseAction(l.value)
	if ok && a&unix.SECCOMP_RET_DATA == 0 {
		l.warn("Invalid error number, ignoring: " + l.value)
		return
	}
	if !ok {
		l.warn("Failed to parse error number, ignoring: " + l.value)
		return
	}
	n := int(a & unix.SECCOMP_RET_DATA)
	l.exec.SystemCallErrno = &n
}

func (l *line) architectures() {
	if l.value == "" {
		l.exec.SystemCallArchs = nil
		return
	}
	words, err := unit.Words(l.value, unit.Unquote)
	for _, w := range words {
		if _, ok := seccomp.ParseABI(w); !ok {
			l.warn("Failed to parse system call architecture \"" + w + "\", ignoring: " + strerror(syscall.EINVAL))
			continue
		}
		if !slices.Contains(l.exec.SystemCallArchs, w) {
			l.exec.SystemCallArchs = append(l.exec.SystemCallArchs, w)
		}
	}
	if err != nil {
		l.invalidSyntax()
	}
}

// fileSystemGroups are groups of types of file systems, `systemd-analyze filesystems`.
var fileSystemGroups = [...]string{"@basic-api", "@anonymous", "@application", "@auxiliary-api", "@common-block", "@historical-block", "@known",
	"@network", "@privileged-api", "@security", "@temporary"}

func (l *line) restrictFileSystems() {
	if l.value == "" {
		l.exec.RestrictFileSystems = nil
		return
	}
	rest, invert := strings.CutPrefix(l.value, "~")
	words, err := unit.Words(rest, unit.Unquote)
	for _, w := range words {
		if strings.HasPrefix(w, "@") && !slices.Contains(fileSystemGroups[:], w) {
			l.warn("bpf-restrict-fs: Unknown filesystem group, ignoring: " + w)
			continue
		}
		if invert {
			w = "~" + w
		}
		l.exec.RestrictFileSystems = append(l.exec.RestrictFileSystems, w)
	}
	if err != nil {
		l.warn("Trailing garbage in RestrictFileSystems, ignoring: " + l.value)
	}
}
