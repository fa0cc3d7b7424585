package control

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/unit"
)

// How many lines a property has.
type shape int

const (
	single      shape = iota
	unset             // one line, which is left out like an empty one
	several           // one line for each entry
	unprintable       // no text is known for its type
)

// textOf writes the value of a property of org.freedesktop.systemd1(5). A single line is put into room.
func textOf(p manager.Property, style clock.Style, room *[1]string) ([]string, shape) {
	one := func(s string) ([]string, shape) { room[0] = s; return room[:], single }
	switch v := p.Value.(type) {
	case string:
		if strings.Contains(v, "\n") {
			return nil, unprintable
		}
		return one(v)
	case bool:
		return one(yesNo(v))
	case uint64:
		return one(uint64Text(p.Name, v, style))
	case int64:
		return one(strconv.FormatInt(v, 10))
	case uint32:
		return one(uint32Text(p.Name, v))
	case int32:
		return int32Text(p.Name, v)
	case float64:
		return one(strconv.FormatFloat(v, 'g', 6, 64))
	case []string:
		return one(shellWords(v))
	case []byte:
		return one(bytesText(p.Name, v))
	case []uint32:
		words := make([]string, len(v))
		for i, n := range v {
			words[i] = fmt.Sprintf("%08x", n)
		}
		return one(strings.Join(words, " "))
	case [][]byte:
		if p.Name == "LogExtraFields" {
			words := make([]string, len(v))
			for i, f := range v {
				words[i] = string(f)
			}
			return one(strings.Join(words, " "))
		}
	case []any:
		if s, ok := structText(p.Name, v); ok {
			if s == "~" && isFilter(p.Name) {
				return []string{s}, unset // a filter that forbids nothing
			}
			return one(s)
		}
	case [][]any:
		return arrayText(p.Name, v, style)
	}
	return nil, unprintable
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func int32Text(name string, v int32) ([]string, shape) {
	switch {
	case strings.HasSuffix(name, "ActionExitStatus") && (v < 0 || v > 255):
		return []string{"[not set]"}, unset
	case name == "NUMAPolicy":
		if v < 0 || int(v) >= len(unit.NUMAPolicies) {
			return []string{"n/a"}, single
		}
		return []string{unit.NUMAPolicies[v]}, single
	}
	return []string{strconv.Itoa(int(v))}, single
}

func uint32Text(name string, v uint32) string {
	switch {
	case strings.Contains(name, "UMask"), strings.Contains(name, "Mode"):
		return fmt.Sprintf("%04o", v)
	case (name == "UID" || name == "GID") && v == math.MaxUint32:
		return "[not set]"
	}
	return decimal(v)
}

// uint64Text writes a point in time, a time span, a limit, a set of flags or a number, as the name tells.
func uint64Text(name string, v uint64, style clock.Style) string {
	switch {
	case strings.HasSuffix(name, "Timestamp"), name == "NextElapseUSecRealtime", name == "LastTriggerUSec", name == "TimeUSec", name == "RTCTimeUSec":
		return clock.Stamp(v, style)
	case name == "ManagedOOMMemoryPressureDurationUSec" && v == clock.Infinity:
		return "[not set]"
	case strings.Contains(name, "USec"):
		return clock.Span(v, 1)
	case name == "CoredumpFilter":
		return "0x" + strconv.FormatUint(v, 16)
	case name == "RestrictNamespaces":
		return namespacesText(v)
	case name == "MountFlags":
		return propagationText(v)
	case name == "CapabilityBoundingSet", name == "AmbientCapabilities":
		return capabilitiesText(v)
	case strings.HasSuffix(name, "CPUWeight") && v == 0:
		return "idle"
	case v == math.MaxUint64:
		return unsetNumber(name)
	}
	return strconv.FormatUint(v, 10)
}

// unsetNumber writes the largest number, which means for most that there is none.
func unsetNumber(name string) string {
	short := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "Default"), "Startup"), "Effective")
	switch short {
	case "MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax", "MemorySwapMax", "MemoryZSwapMax", "TasksMax":
		return "infinity"
	case "CPUWeight", "IOWeight", "MemoryCurrent", "MemoryPeak", "MemorySwapCurrent", "MemorySwapPeak", "MemoryZSwapCurrent",
		"MemoryAvailable", "TasksCurrent", "IOReadBytes", "IOWriteBytes", "IOReadOperations", "IOWriteOperations":
		return "[not set]"
	case "IPIngressBytes", "IPIngressPackets", "IPEgressBytes", "IPEgressPackets":
		return "[no data]"
	}
	switch {
	case strings.HasPrefix(short, "Limit"):
		return "infinity"
	case strings.HasSuffix(short, "NSec"):
		return "[not set]"
	}
	return strconv.FormatUint(math.MaxUint64, 10)
}

// namespacesText names the kinds of namespaces that are allowed, by the flags of clone(2).
func namespacesText(v uint64) string {
	all := uint64(0)
	var names []string
	for _, k := range unit.NamespaceKinds {
		all |= k.Flag
		if v&k.Flag != 0 {
			names = append(names, k.Name)
		}
	}
	switch v & all {
	case all:
		return "no"
	case 0:
		return "yes"
	}
	return strings.Join(names, " ")
}

// propagationText names the propagation of mounts, mount(2).
func propagationText(v uint64) string {
	const private, slave, shared = 1 << 18, 1 << 19, 1 << 20
	switch v & (private | slave | shared) {
	case private:
		return "private"
	case slave:
		return "slave"
	case shared:
		return "shared"
	}
	return ""
}

// capabilitiesText names the capabilities of a set, capabilities(7).
func capabilitiesText(set uint64) string {
	l := make([]string, 0, len(unit.CapabilityNames))
	for i, n := range unit.CapabilityNames {
		if set>>i&1 != 0 {
			l = append(l, "cap_"+n)
		}
	}
	return strings.Join(l, " ")
}

// shellWords writes words as a shell reads them, in double quotes where they need any.
func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellWord(w)
	}
	return strings.Join(quoted, " ")
}

func shellWord(s string) string {
	if s != "" && !needsQuotes(s) {
		return s
	}
	return `"` + shellEscaped(s, `"`, `\"`, "`", "\\`", "$", `\$`) + `"`
}

func bytesText(name string, v []byte) string {
	switch name {
	case "StandardInputData", "RootHashSignature":
		return base64.StdEncoding.EncodeToString(v)
	case "CPUAffinity", "NUMAMask", "AllowedCPUs", "StartupAllowedCPUs", "AllowedMemoryNodes", "StartupAllowedMemoryNodes",
		"EffectiveCPUs", "EffectiveMemoryNodes":
		return rangesText(v)
	}
	return hex.EncodeToString(v)
}

// rangesText writes a set of CPUs or memory nodes, of which each has a bit: "0-3 5".
func rangesText(set []byte) string {
	has := func(i int) bool { return i < 8*len(set) && set[i/8]>>(i%8)&1 != 0 }
	var l []string
	for i := 0; i < 8*len(set); i++ {
		if !has(i) {
			continue
		}
		from := i
		for has(i + 1) {
			i++
		}
		if s := strconv.Itoa(from); from == i {
			l = append(l, s)
		} else {
			l = append(l, s+"-"+strconv.Itoa(i))
		}
	}
	return strings.Join(l, " ")
}

// structText writes a structure; false: none of its type is known by that name.
func structText(name string, v []any) (string, bool) {
	var s, t string
	var list []string
	var flag bool
	var number uint32
	var amount uint64
	var codes, signals []int32
	var path manager.ObjectPath
	switch {
	case name == "Unit" && manager.Scan(v, &s, &path):
		return s, true
	case name == "Job" && manager.Scan(v, &number, &path):
		if number == 0 {
			return "", true
		}
		return decimal(number), true
	case name == "LoadError" && manager.Scan(v, &s, &t):
		if s == "" {
			return "", true
		}
		return s + ` "` + t + `"`, true
	case strings.HasSuffix(name, "ExitStatus") && manager.Scan(v, &codes, &signals):
		return exitStatusText(codes, signals), true
	case manager.Scan(v, &flag, &list) && isFilter(name):
		if !flag {
			return "~" + strings.Join(list, " "), true
		}
		return strings.Join(list, " "), true
	case manager.Scan(v, &flag, &s) && (name == "SELinuxContext" || name == "AppArmorProfile" || name == "SmackProcessLabel"):
		if flag {
			s = "-" + s
		}
		return s, true
	case strings.HasSuffix(name, "DirectoryQuota") && manager.Scan(v, &amount, &number, &s):
		return quotaText(amount, number, s), true
	}
	return "", false
}

func isFilter(name string) bool {
	switch name {
	case "SystemCallFilter", "SystemCallLog", "RestrictAddressFamilies", "RestrictNetworkInterfaces", "RestrictFileSystems":
		return true
	}
	return false
}

func quotaText(bytes uint64, scale uint32, kind string) string {
	switch {
	case bytes == 0 && scale == 0, kind == "no":
		return "[not set]"
	case scale != 0:
		// A share of 2³² is a whole.
		return strconv.FormatUint((uint64(scale)*100+math.MaxUint32/2)/math.MaxUint32, 10) + "%"
	}
	return strconv.FormatUint(bytes, 10)
}

func exitStatusText(codes, signals []int32) string {
	var l []string
	for _, n := range codes {
		l = append(l, strconv.Itoa(int(n)))
	}
	for _, n := range signals {
		l = append(l, signalName(n))
	}
	return strings.Join(l, " ")
}

// signalName is the name of a signal without SIG, or its number.
func signalName(n int32) string {
	switch {
	case n > 0 && int(n) <= len(unit.SignalNames):
		return unit.SignalNames[n-1]
	case n >= unit.RTMin && n <= unit.RTMax:
		return "RTMIN+" + strconv.Itoa(int(n)-unit.RTMin)
	}
	return strconv.Itoa(int(n))
}

// addressText writes an address with its prefix.
func addressText(v []any) (string, bool) {
	var family int32
	var octets []byte
	var length uint32
	if !manager.Scan(v, &family, &octets, &length) {
		return "", false
	}
	a, ok := netip.AddrFromSlice(octets)
	return a.String() + "/" + decimal(length), ok
}

// joined writes each entry and puts a blank between them.
func joined(rows [][]any, text func(row []any) (string, bool)) ([]string, shape) {
	l, kind := each(rows, text)
	if kind == unprintable {
		return nil, unprintable
	}
	return []string{strings.Join(l, " ")}, single
}

// each writes each entry for a line of its own.
func each(rows [][]any, text func(row []any) (string, bool)) ([]string, shape) {
	l := make([]string, len(rows))
	for i, r := range rows {
		s, ok := text(r)
		if !ok {
			return nil, unprintable
		}
		l[i] = s
	}
	return l, several
}

// flagNames are the names of flags that are set, the lowest first.
func flagNames(flags uint64, names []string) []string {
	var l []string
	for i, n := range names {
		if flags>>i&1 != 0 {
			l = append(l, n)
		}
	}
	return l
}
