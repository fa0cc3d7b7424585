package unit

import (
	"path"
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
	if strings.HasPrefix(name, "/") {
		p := path.Clean(name)
		if strings.HasPrefix(p, "/dev/") || strings.HasPrefix(p, "/sys/") {
			return EscapePath(p) + ".device", notices, nil
		}
		return EscapePath(p) + ".mount", notices, nil
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
	if !Valid(escaped, Any) {
		return "", notices, syscall.EINVAL
	}
	return escaped, notices, nil
}

const globBytes = "[]!-*?^"

func inCharset(s, extra string) bool {
	for i := range len(s) {
		if !nameByte(s[i]) && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// escapeName keeps what may stand in a unit's name; a slash becomes a dash, other bytes \xHH.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '/':
			b.WriteByte('-')
		case nameByte(c):
			b.WriteByte(c)
		default:
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// EscapePath turns an absolute path into the part of a unit's name before the suffix, systemd-escape(1) --path.
func EscapePath(p string) string {
	p = strings.Trim(path.Clean(p), "/")
	if p == "" {
		return "-"
	}
	var b strings.Builder
	for i := range len(p) {
		switch c := p[i]; {
		case c == '/':
			b.WriteByte('-')
		case c == '.' && i == 0, c == '-', c == '\\', c == '@', !nameByte(c):
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
