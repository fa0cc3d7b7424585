package unit

import (
	"strings"
	"syscall"
)

// noGlobs ends the notice about a pattern where none can be.
const noGlobs = ", but globs are not supported for this."

// Mangle turns what a user typed into the name of a unit, as systemctl does with
// operands. operation stands in the notices ("to enable"), suffix is what a name
// without a type gets (".service"). With glob set, patterns stay as they are. EINVAL:
// there is no way to make a name of it.
func Mangle(name, operation, suffix string, glob bool) (mangled string, notices []string, err error) {
	if name == "" {
		return "", nil, syscall.EINVAL
	}
	if Valid(name, Any) {
		return name, nil, nil
	}
	isGlob := strings.ContainsAny(name, "*?[") && inCharset(name, globBytes)
	if isGlob {
		if glob {
			return name, nil, nil
		}
		if operation != "" {
			notices = append(notices, "Glob pattern passed "+operation+noGlobs)
		}
	}
	if n, ok := mangledPath(name); ok {
		return n, notices, nil
	}
	escaped := escapeName(name)
	if escaped != name {
		hint := ""
		if !isGlob {
			hint = " (maybe you should use systemd-escape?)"
		}
		notices = append(notices, "Invalid unit name \""+name+"\" escaped as \""+escaped+"\""+hint+".")
	}
	if !Valid(escaped, Any) {
		escaped += suffix
	}
	// The reference leaves it to others to refuse what has become too long, where patterns are no names either.
	if !glob && !Valid(escaped, Any) {
		return "", notices, syscall.EINVAL
	}
	return escaped, notices, nil
}

const globBytes = "[]!-*?"

func inCharset(s, extra string) bool {
	for i := range len(s) {
		if !nameByte(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

// mangledPath returns the name of the unit for an absolute path: a device's below
// /dev and /sys, otherwise a mount's. One with ".." in it is no path here.
func mangledPath(name string) (string, bool) {
	if !strings.HasPrefix(name, "/") {
		return "", false
	}
	p, err := normalize(name)
	if err != nil {
		return "", false
	}
	suffix := ".mount"
	if strings.HasPrefix(p, "dev/") || strings.HasPrefix(p, "sys/") {
		suffix = ".device"
	}
	n, err := FromPath("/"+p, suffix)
	return n, err == nil
}

// escapeName keeps what may stand in a unit's name, where Escape keeps less.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		escapeByte(&b, s[i], !nameByte(s[i]))
	}
	return b.String()
}
