package assign

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"path"
	"strconv"
	"strings"
	"syscall"

	"ctl/control/manager"
	"ctl/internal/cli"
	"ctl/internal/term"
	"ctl/internal/unit"
)

// The settings that are structures, or lists of them. Each list is of a type that D-Bus asks for.

func readCondition(key, value string) ([]manager.Assignment, error) {
	type condition struct {
		Name              string
		Trigger, Negation bool
		Parameter         string
	}
	l := []condition{}
	if value != "" {
		parameter, trigger := strings.CutPrefix(value, "|")
		parameter, negation := strings.CutPrefix(parameter, "!")
		l = append(l, condition{key, trigger, negation, parameter})
	}
	name := "Conditions"
	if strings.HasPrefix(key, "Assert") {
		name = "Asserts"
	}
	return one(name, l, nil)
}

// readListen reads what a socket, path or calendar unit waits for; its kind is the setting's name.
func readListen(key, value string) ([]manager.Assignment, error) {
	name, kind := "Paths", key
	if key == "OnCalendar" {
		name = "TimersCalendar"
	} else if listens, ok := strings.CutPrefix(key, "Listen"); ok {
		name, kind = "Listen", listens
	}
	l := []manager.PathText{}
	if value != "" {
		l = append(l, manager.PathText{Path: kind, Text: value})
	}
	return one(name, l, nil)
}

// readPair reads two texts with a colon between, of which the second may be missing.
func readPair(key, value string) ([]manager.Assignment, error) {
	l := []manager.PathText{}
	first, second, two := strings.Cut(value, ":")
	switch {
	case key == "ImportCredential" && !two:
		return readWhole(key, value)
	case key == "ImportCredential":
		key += "Ex"
	case value == "":
		return one(key, l, nil)
	case strings.HasPrefix(key, "LoadCredential") && second == "":
		second = value // the credential of the same name
	}
	return one(key, append(l, manager.PathText{Path: first, Text: second}), nil)
}

// readPairs reads a list of pairs with a colon between.
func readPairs(key, value string) ([]manager.Assignment, error) {
	words, err := unit.Words(value, unit.Unquote)
	l := []manager.PathText{}
	for _, w := range words {
		first, second, two := strings.Cut(w, ":")
		if key == "RootImageOptions" {
			if !two {
				first, second = "root", w
			} else if strings.Contains(second, ":") {
				err = syscall.EINVAL
			}
		}
		l = append(l, manager.PathText{Path: first, Text: second})
	}
	return one(key, l, err)
}

func readAttribute(key, value string) ([]manager.Assignment, error) {
	l := []manager.PathText{}
	if value != "" {
		name, text, ok := strings.Cut(value, "=")
		if !ok {
			return nil, cli.Usage("Failed to parse extended attribute expression '" + value + "': Invalid argument")
		}
		l = append(l, manager.PathText{Path: name, Text: text})
	}
	return one(key, l, nil)
}

// A marked text is one with a mark before it: "-" of what may be missing, "~" of what is meant the other way.
type marked struct {
	Mark bool
	Text string
}

func readLabel(key, value string) ([]manager.Assignment, error) {
	label, mayFail := strings.CutPrefix(value, "-")
	return one(key, marked{mayFail, label}, nil)
}

func readPatterns(key, value string) ([]manager.Assignment, error) {
	l := []marked{}
	rest, inverted := strings.CutPrefix(value, "~")
	if key == "LogFilterPatterns" {
		if value != "" {
			l = append(l, marked{!inverted, rest})
		}
		return one(key, l, nil)
	}
	words, err := unit.Words(rest, unit.Unquote)
	for _, w := range words {
		l = append(l, marked{inverted, w})
	}
	return one(key, l, err)
}

func readEnvironmentFile(_, value string) ([]manager.Assignment, error) {
	type file struct {
		Path    string
		MayFail bool
	}
	l := []file{}
	if value != "" {
		path, mayFail := strings.CutPrefix(value, "-")
		l = append(l, file{path, mayFail})
	}
	return one("EnvironmentFiles", l, nil)
}

func readHostname(key, value string) ([]manager.Assignment, error) {
	if b, ok := unit.Boolean(value); ok {
		return one(strings.TrimSuffix(key, "Ex"), b, nil)
	}
	kind, name, _ := strings.Cut(value, ":")
	return one("ProtectHostnameEx", manager.PathText{Path: kind, Text: name}, nil)
}

// readExec reads a command line with the marks before its path, systemd.service(5).
func readExec(key, value string) ([]manager.Assignment, error) {
	name := strings.TrimSuffix(key, "Ex")
	type plain struct {
		Path    string
		Argv    []string
		MayFail bool
	}
	type extended struct {
		Path        string
		Argv, Flags []string
	}
	marks, rest := "", value
	for rest != "" && (strings.IndexByte("-@:+!|", rest[0]) >= 0) {
		marks += rest[:1]
		rest = rest[1:]
	}
	has := func(mark string) bool { return strings.Contains(marks, mark) }
	argv, err := unit.CWords(rest)
	switch {
	case err != nil:
		return nil, err
	case len(argv) == 0 && !has("|"):
		return one(name, []plain{}, nil)
	}
	shell := has("|")
	program := "/bin/sh"
	if shell {
		dash := ""
		if has("@") {
			dash = "-" // a login shell
		}
		argv = append([]string{dash + "sh"}, argv...)
	} else {
		if has("@") && len(argv) == 1 {
			return nil, cli.Usage("Got empty command line for " + key + "=, refusing.")
		}
		program = argv[0]
		if has("@") {
			argv = argv[1:]
		}
	}
	flags := []string{}
	for _, f := range [...]struct {
		is   bool
		name string
	}{{has("-"), "ignore-failure"}, {has("+"), "privileged"}, {strings.Count(marks, "!") == 1, "no-setuid"}, {has(":"), "no-env-expand"},
		{shell, "via-shell"}} {
		if f.is {
			flags = append(flags, f.name)
		}
	}
	if len(flags) > 1 || len(flags) == 1 && !has("-") {
		return one(name+"Ex", []extended{{program, argv, flags}}, nil)
	}
	l, err := one(name, []plain{{program, argv, has("-")}}, nil)
	if has("!") {
		err = ignored{term.Notice, "!! modifier for " + key + "= fields is no longer supported and is now ignored."}
	}
	return l, err
}

func readStatuses(key, value string) ([]manager.Assignment, error) {
	type statuses struct{ Codes, Signals []int32 }
	s := statuses{[]int32{}, []int32{}}
	words, err := unit.Words(value, unit.Unquote)
	for _, w := range words {
		n, errNumber := unit.Signed(w, 32)
		switch {
		case errNumber == nil && (n < 0 || n > 255):
			return nil, syscall.ERANGE
		case errNumber == nil:
			s.Codes = append(s.Codes, int32(n))
		case unit.StatusNumber(w) >= 0:
			s.Codes = append(s.Codes, unit.StatusNumber(w))
		case unit.IsSignal(w):
			s.Signals = append(s.Signals, unit.SignalNumber(w))
		default:
			return nil, syscall.EINVAL
		}
	}
	return one(key, s, err)
}

func readOpenFile(key, value string) ([]manager.Assignment, error) {
	type file struct {
		Path, Name string
		Flags      uint64
	}
	parts := strings.SplitN(value, ":", 3)
	f := file{Path: parts[0]}
	if !strings.HasPrefix(f.Path, "/") {
		return nil, syscall.EINVAL
	}
	switch {
	case len(parts) > 1 && parts[1] != "":
		f.Name = parts[1]
	case strings.Trim(f.Path, "/") == "":
		return nil, syscall.EADDRNOTAVAIL
	default:
		f.Name = path.Base(f.Path)
	}
	if len(parts) > 2 && parts[2] != "" {
		for w := range strings.SplitSeq(parts[2], ",") {
			flag := flagOf(w, "read-only", "append", "truncate", "graceful")
			if flag == 0 {
				return nil, syscall.EINVAL
			}
			f.Flags |= flag
		}
	}
	return one(key, []file{f}, nil)
}

// flagOf is the flag of a name, where they have the bits from the first on; 0 if it is none.
func flagOf(name string, names ...string) uint64 {
	for i, n := range names {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

// readFlags reads sets whose members have names.
func readFlags(key, value string) ([]manager.Assignment, error) {
	rest, inverted := strings.CutPrefix(value, "~")
	words, err := unit.Words(rest, unit.Unquote)
	if err != nil {
		return nil, err
	}
	set := uint64(0)
	switch key {
	case "SecureBits":
		for _, w := range words {
			set |= flagOf(w, "noroot", "noroot-locked", "no-setuid-fixup", "no-setuid-fixup-locked", "keep-caps", "keep-caps-locked")
		}
		return one(key, int32(set), nil)
	case "CapabilityBoundingSet", "AmbientCapabilities":
		for _, w := range words {
			name := strings.ToLower(w)
			set |= flagOf(strings.TrimPrefix(name, "cap_"), unit.CapabilityNames[:]...)
			if n, err := strconv.ParseUint(w, 10, 6); err == nil {
				set |= 1 << n
			}
		}
		if inverted {
			set = ^set
		}
	case "CoredumpFilter":
		set, err = coredumpFilter(words)
	case "MountFlags":
		if value != "" && value != "private" && value != "slave" && value != "shared" {
			return nil, syscall.EINVAL
		}
		set = flagOf(value, "private", "slave", "shared") << 18
	default:
		set, err = namespaces(key, value, words, inverted)
	}
	return one(key, set, err)
}

func coredumpFilter(words []string) (uint64, error) {
	set := uint64(0)
	for _, w := range words {
		flag := flagOf(w, "private-anonymous", "shared-anonymous", "private-file-backed", "shared-file-backed", "elf-headers", "private-huge",
			"shared-huge", "private-dax", "shared-dax")
		switch n, err := strconv.ParseUint(strings.TrimPrefix(w, "0x"), 16, 64); {
		case w == "all":
			flag = math.MaxUint32
		case w == "default":
			flag = 0x33
		case flag == 0 && err != nil:
			return 0, syscall.EINVAL
		case flag == 0:
			flag = n
		}
		set |= flag
	}
	return set, nil
}

// namespaces reads the kinds that are allowed. Restricted is the contrary of delegated.
func namespaces(key, value string, words []string, inverted bool) (uint64, error) {
	all := uint64(0)
	for _, k := range unit.NamespaceKinds {
		if key == "RestrictNamespaces" || k.Name != "user" {
			all |= k.Flag
		}
	}
	if b, ok := unit.Boolean(value); ok {
		if b == (key == "RestrictNamespaces") {
			return 0, nil
		}
		return all, nil
	}
	set := uint64(0)
	for _, w := range words {
		flag := uint64(0)
		for _, k := range unit.NamespaceKinds {
			if k.Name == w {
				flag = k.Flag
			}
		}
		if flag == 0 {
			return 0, syscall.EINVAL
		}
		set |= flag
	}
	if inverted {
		return all &^ set, nil
	}
	return set, nil
}

// decoded reads base64.
func decoded(key, s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, cli.Usage("Failed to decode base64 data for " + key + "=: Invalid argument")
	}
	return b, nil
}

// readData reads settings that are bytes.
func readData(key, value string) ([]manager.Assignment, error) {
	switch key {
	case "LogExtraFields":
		return one(key, [][]byte{[]byte(value)}, nil)
	case "StandardInputText":
		text, err := unescaped(key, value)
		return one("StandardInputData", append([]byte(text), '\n'), err)
	case "StandardInputData":
		b, err := decoded(key, value)
		return one(key, append([]byte{}, b...), err)
	}
	if strings.HasPrefix(value, "/") {
		return one(key+"Path", value, nil)
	}
	if key == "RootHashSignature" {
		data, ok := strings.CutPrefix(value, "base64:")
		if !ok {
			return nil, cli.Usage("Failed to decode " + key + " value '" + value + "': neither a path nor starts with 'base64:'.")
		}
		b, err := decoded(key, data)
		return one(key, b, err)
	}
	b, err := hex.DecodeString(value)
	const shortest = 16
	switch {
	case err != nil:
		return nil, cli.Usage("Failed to decode base64 data for " + key + "=: Invalid argument")
	case len(b) < shortest:
		return nil, cli.Usage(key + " value '" + value + "' is too short.")
	}
	return one(key, b, nil)
}

// unescaped is a text without its escapes.
func unescaped(key, value string) (string, error) {
	s, err := unit.UnescapeC(value)
	if err != nil {
		err = cli.Usage("Failed to unescape value for " + key + "=: " + value)
	}
	return s, err
}

func readCredential(key, value string) ([]manager.Assignment, error) {
	type credential struct {
		Name string
		Data []byte
	}
	if value == "" {
		return one(key, []credential{}, nil)
	}
	name, text, ok := strings.Cut(value, ":")
	if !ok {
		return nil, invalidSyntax(key, value)
	}
	if key == "SetCredential" {
		data, err := unescaped(key, text)
		return one(key, []credential{{name, []byte(data)}}, err)
	}
	data, err := decoded(key, text)
	return one(key, []credential{{name, data}}, err)
}
