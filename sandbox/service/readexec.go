package service

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// Readers of the settings of processes that are one value.

func (l *line) workingDirectory() {
	w := &l.exec.WorkingDirectory
	if l.value == "" {
		*w = WorkingDirectory{}
		return
	}
	p, optional := strings.CutPrefix(l.value, "-")
	if p == "~" {
		*w = WorkingDirectory{Home: true, Optional: optional}
		return
	}
	s, err := l.specified(p)
	if err != nil {
		text := "Failed to resolve unit specifiers in working directory path '" + p + "'"
		if optional {
			l.warn(text + ", ignoring: " + strerror(err))
		} else {
			l.refuse(text + ": " + strerror(err))
		}
		return
	}
	if s, ok := l.absolute(s, !optional); ok {
		*w = WorkingDirectory{Path: s, Optional: optional}
	}
}

// user reads the name or the number of a user or group.
func (l *line) user(p *string) {
	if l.value == "" {
		*p = ""
		return
	}
	if s, ok := l.userName(l.value); ok {
		*p = s
		if s == "nobody" && p == &l.exec.User {
			l.warn("Special user nobody configured, this is not safe!")
		}
	}
}

func (l *line) userName(v string) (string, bool) {
	s, err := l.specified(v)
	if err != nil {
		l.refuse("Failed to resolve unit specifiers in " + v + ": " + strerror(err))
		return "", false
	}
	if !validUser(s) {
		l.refuse("Invalid user/group name or numeric ID: " + s)
		return "", false
	}
	if !strictUser(s) {
		l.unit.Notices = append(l.unit.Notices, Notice{Section: l.section, Setting: l.key,
			Text: "Accepting user/group name '" + s + "', which does not match strict user/group name rules."})
	}
	return s, true
}

// validUser tells whether systemd takes s for the name or number of a user, by its relaxed rules.
func validUser(s string) bool {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return n != 0xffffffff && n != 0xffff && (s == "0" || s[0] != '0')
	}
	switch {
	case s == "" || s == "." || s == ".." || len(s) > 255 || !cleanUTF8(s):
		return false
	case strings.Trim(s, " \t\n\r") != s, strings.ContainsAny(s, ":/"), strings.Trim(s, "0123456789") == "":
		return false
	case s[0] == '-' && strings.Trim(s[1:], "0123456789") == "":
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}

// strictUser tells whether s is a number, or a name that every program takes for one.
func strictUser(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return strings.Trim(s, "0123456789") == "" || strings.Contains(letters, s[:1]) && strings.Trim(s, letters+"0123456789-") == "" && len(s) <= 31
}

func cleanUTF8(s string) bool { return strings.ToValidUTF8(s, "") == s }

func (l *line) groups() {
	if l.value == "" {
		l.exec.SupplementaryGroups = nil
		return
	}
	words, _ := unit.Words(l.value, 0)
	for _, w := range words {
		if s, ok := l.userName(strings.Clone(w)); ok {
			l.exec.SupplementaryGroups = append(l.exec.SupplementaryGroups, s)
		} else {
			return
		}
	}
}

func (l *line) dynamicUser() {
	b, ok := unit.Boolean(l.value)
	if !ok {
		l.refuse("Failed to parse " + l.key + "=" + l.value + ": Invalid argument")
		return
	}
	l.exec.DynamicUser = b
}

func (l *line) nice() {
	n, ok := l.numberOf(-20, 19, "Failed to parse nice priority '"+l.value+"', ignoring: ", "Nice priority out of range, ignoring: "+l.value)
	if ok {
		l.exec.Nice = n
	}
}

func (l *line) oomScoreAdjust() {
	n, ok := l.numberOf(-1000, 1000, "Failed to parse the OOM score adjust value '"+l.value+"', ignoring: ",
		"OOM score adjust value out of range, ignoring: "+l.value)
	if ok {
		l.exec.OOMScoreAdjust = n
	}
}

// numberOf reads a number between two, nil of an empty value, with texts for what is none and for what is beyond.
func (l *line) numberOf(low, high int64, wrong, beyond string) (*int, bool) {
	if l.value == "" {
		return nil, true
	}
	n, err := unit.Signed(l.value, 32)
	if err == nil && (n < low || n > high) || err == syscall.ERANGE && strings.HasPrefix(wrong, "Failed to parse nice") {
		l.warn(beyond)
		return nil, false
	}
	if err != nil {
		l.warn(wrong + strerror(err))
		return nil, false
	}
	v := int(n)
	return &v, true
}

func (l *line) coredumpFilter() {
	if l.value == "" {
		l.exec.CoredumpFilter = nil
		return
	}
	words, err := unit.Words(l.value, 0)
	set := uint64(0)
	names := []string{"private-anonymous", "shared-anonymous", "private-file-backed", "shared-file-backed", "elf-headers", "private-huge",
		"shared-huge", "private-dax", "shared-dax"}
	for _, w := range words {
		i := slices.Index(names, w)
		n, errHex := strconv.ParseUint(strings.TrimPrefix(w, "0x"), 16, 64)
		switch {
		case w == "all":
			set |= 0xffffffff
		case w == "default":
			set |= 0x33
		case i >= 0:
			set |= 1 << i
		case errHex != nil:
			err = syscall.EINVAL
		default:
			set |= n
		}
	}
	if err != nil {
		l.warn("Failed to parse the CoredumpFilter=" + l.value + ", ignoring: " + strerror(err))
		return
	}
	if l.exec.CoredumpFilter != nil {
		set |= *l.exec.CoredumpFilter
	}
	l.exec.CoredumpFilter = &set
}

// named reads a number that may have a name: names[0] is that of 0.
func (l *line) named(p **int, high int64, text string, names ...string) {
	if l.value == "" && text != "CPU scheduling priority" {
		*p = nil
		return
	}
	n := int64(slices.Index(names, l.value))
	if n < 0 || l.value == "" {
		v, err := unit.Signed(l.value, 32)
		switch {
		case err == nil && text == "CPU scheduling priority" && (v < 0 || v > high):
			l.warn(text + " is out of range, ignoring: " + l.value)
			return
		case err == nil && text == "CPU scheduling policy" && v > 7:
			l.warn("Unsupported " + text + ": " + l.value)
			return
		case err != nil || v < 0 || v > high:
			l.warn("Failed to parse " + text + ", ignoring: " + l.value)
			return
		}
		n = v
	}
	v := int(n)
	*p = &v
}

func (l *line) ioClass() {
	l.named(&l.exec.IOClass, 3, "IO scheduling class", "none", "realtime", "best-effort", "idle")
}

func (l *line) ioPriority() { l.named(&l.exec.IOPriority, 7, "IO priority") }

func (l *line) cpuPolicy() {
	before := l.exec.CPUPolicy
	l.named(&l.exec.CPUPolicy, 1<<31-1, "CPU scheduling policy", "other", "fifo", "rr", "batch", "", "idle", "", "ext")
	if p := l.exec.CPUPolicy; p != nil && p != before {
		// The least priority that the policy has, unless another is given.
		low, high := priorities(*p)
		l.exec.CPUPriority = min(max(l.exec.CPUPriority, low), high)
	}
}

// priorities are the least and the greatest static priority of a scheduling policy, sched(7).
func priorities(policy int) (low, high int) {
	if policy == unix.SCHED_FIFO || policy == unix.SCHED_RR {
		return 1, 99
	}
	return 0, 0
}

func (l *line) cpuPriority() {
	var p *int
	l.named(&p, 99, "CPU scheduling priority")
	if p != nil {
		l.exec.CPUPriority = *p
	}
}

// numberSet reads numbers and ranges of them; a line adds to those before it.
func (l *line) numberSet(have []int) (set []int, ok bool) {
	value, ok := l.expand(l.value)
	if !ok {
		return nil, false
	}
	words, err := unit.Words(strings.ReplaceAll(value, ",", " "), unit.Unquote)
	if err != nil {
		l.warn("Failed to parse " + l.key + "= setting, ignoring assignment: " + value)
		return nil, false
	}
	var in [8192]bool
	for _, n := range have {
		in[n] = true
	}
	for _, w := range words {
		first, last, ranged := strings.Cut(w, "-")
		a, errA := strconv.ParseUint(first, 10, 31)
		b, errB := a, error(nil)
		if ranged {
			b, errB = strconv.ParseUint(last, 10, 31)
		}
		switch {
		case errA != nil || errB != nil:
			l.warn("Failed to parse CPU range, ignoring assignment: " + w)
			continue
		case a > b:
			l.warn("Invalid CPU range (" + strconv.FormatUint(a, 10) + " > " + strconv.FormatUint(b, 10) + "), ignoring assignment: " + w)
			continue
		case b >= uint64(len(in)):
			l.warn("Failed to set CPU(s), ignoring assignment: " + w)
			continue
		}
		for ; a <= b; a++ {
			in[a] = true
		}
	}
	for n, is := range in {
		if is {
			set = append(set, n)
		}
	}
	return set, true
}

func (l *line) cpuAffinity() {
	switch l.value {
	case "":
		l.exec.CPUAffinity, l.given.cpus, l.exec.CPUAffinityFromNUMA = nil, nil, false
		return
	case "numa":
		l.exec.CPUAffinity, l.given.cpus, l.exec.CPUAffinityFromNUMA = nil, nil, true
		return
	}
	cpus, ok := l.numberSet(l.given.cpus)
	if !ok {
		return
	}
	var set unix.CPUSet
	for _, n := range cpus {
		set.Set(n)
	}
	l.given.cpus, l.exec.CPUAffinity, l.exec.CPUAffinityFromNUMA = cpus, &set, false
}

func (l *line) numaPolicy() {
	if l.value == "" {
		l.exec.NUMAPolicy = nil
		return
	}
	n := slices.Index(unit.NUMAPolicies[:], l.value)
	if n < 0 {
		l.bad(syscall.EINVAL)
		return
	}
	l.exec.NUMAPolicy = &n
}

func (l *line) numaMask() {
	if l.value == "all" {
		l.exec.NUMAMask = possibleNodes()
		return
	}
	if set, ok := l.numberSet(nil); ok {
		l.exec.NUMAMask = set
	}
}

func (l *line) timerSlack() {
	n, err := nanoseconds(l.value)
	if err != nil {
		l.bad(err)
		return
	}
	d := time.Duration(n)
	l.exec.TimerSlack = &d
}

func (l *line) personality() {
	if l.value == "" {
		l.exec.Personality = nil
		return
	}
	p, ok := personalityOf(l.value)
	if !ok {
		l.warn("Failed to parse Personality=" + l.value + ", ignoring.")
		return
	}
	l.exec.Personality = &p
}

func (l *line) memoryTHP() {
	if l.value == "" {
		l.bad(syscall.EINVAL)
		return
	}
	l.word(&l.exec.MemoryTHP, "inherit", "disable", "madvise", "system")
}

func (l *line) ttySize(p *uint) {
	if l.value == "" {
		*p = 0
		return
	}
	n, err := unit.Unsigned(l.value, 32)
	if err != nil {
		l.bad(err)
		return
	}
	*p = uint(n)
}

func (l *line) privateTmp() { l.wordOrBoolean(&l.exec.PrivateTmp, "no", "yes", "disconnected") }

func (l *line) privatePIDs() {
	s := "no"
	if l.exec.PrivatePIDs {
		s = "yes"
	}
	l.wordOrBoolean(&s, "no", "yes")
	l.exec.PrivatePIDs = s == "yes"
}

func (l *line) protectHostname() {
	if l.value == "" {
		l.exec.ProtectHostname, l.exec.Hostname = "no", ""
		return
	}
	kind, name, named := strings.Cut(l.value, ":")
	if named {
		s, ok := l.expand(name)
		if !ok {
			return
		}
		if name = s; !unit.Hostname(name) {
			l.warn("Invalid hostname is specified to " + l.key + "=, ignoring: " + name)
			return
		}
	}
	b, isBool := unit.Boolean(kind)
	switch {
	case isBool && b:
		kind = "yes"
	case isBool && !named:
		kind = "no"
	case kind != "private":
		l.warn("Failed to parse " + l.key + "=" + l.value + ", ignoring.")
		return
	}
	l.exec.ProtectHostname, l.exec.Hostname = kind, name
}

func (l *line) mountFlags() {
	if l.value == "" {
		l.exec.MountFlags = ""
		return
	}
	l.word(&l.exec.MountFlags, "shared", "slave", "private")
}

func (l *line) label(p *string) {
	v, optional := strings.CutPrefix(l.value, "-")
	s, err := l.specified(v)
	switch {
	case err != nil:
		l.unresolved(v, err, !optional)
	case optional:
		*p = "-" + s
	default:
		*p = s
	}
}

func (l *line) limit(number int) {
	name := strings.TrimPrefix(strings.TrimPrefix(l.key, "Default"), "Limit")
	soft, hard, two := strings.Cut(l.value, ":")
	if !two {
		hard = soft
	}
	s, err := unit.Limit(name, soft)
	var h uint64
	if err == nil {
		h, err = unit.Limit(name, hard)
	}
	switch {
	case err == nil && s > h:
		l.warn("Soft resource limit chosen higher than hard limit, ignoring: " + l.value)
	case err != nil:
		l.bad(err)
	default:
		l.exec.Limits[number] = &unix.Rlimit{Cur: s, Max: h}
	}
}

// blobPath reads the path of a file that a setting is in. It tells whether the value is none.
func (l *line) blobPath(b *Blob) bool {
	if l.value != "" && !strings.HasPrefix(l.value, "/") {
		return false
	}
	l.path(&b.Path, true)
	b.Data = nil
	return true
}

func (l *line) rootHash() {
	e := &l.exec.RootHash
	if l.blobPath(e) {
		return
	}
	if b, err := hex.DecodeString(strings.Join(strings.Fields(l.value), "")); err != nil {
		l.warn("Failed to decode RootHash=, ignoring: " + l.value)
	} else if len(b) < 16 {
		l.warn("RootHash= is too short, ignoring: " + l.value)
	} else {
		*e = Blob{Data: b}
	}
}

func (l *line) rootHashSignature() {
	e := &l.exec.RootSignature
	if l.blobPath(e) {
		return
	}
	data, ok := strings.CutPrefix(l.value, "base64:")
	if !ok {
		l.warn("Failed to decode RootHashSignature=, not a path but doesn't start with 'base64:', ignoring: " + l.value)
	} else if b, err := decode64(data); err != nil {
		l.warn("Failed to decode RootHashSignature=, ignoring: " + l.value)
	} else {
		*e = Blob{Data: b}
	}
}
