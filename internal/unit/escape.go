package unit

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"syscall"
)

// Limits of a path, its end in C included, and of one of its components.
const (
	maxPath      = 4096
	maxComponent = 255
)

const hexDigits = "0123456789abcdef"

// Escape turns any bytes into what may stand in a unit's name: a slash becomes
// a dash, other bytes \xHH, systemd-escape(1).
func Escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		escapeByte(&b, c, c == '.' && i == 0 || c == '-' || c == '\\' || c == '@' || !nameByte(c))
	}
	return b.String()
}

func escapeByte(b *strings.Builder, c byte, escape bool) {
	switch {
	case c == '/':
		b.WriteByte('-')
	case escape:
		b.WriteString(`\x`)
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	default:
		b.WriteByte(c)
	}
}

// Unescape undoes Escape. EINVAL: a backslash that begins no \xHH, or stands for a NUL.
func Unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '-':
			b.WriteByte('/')
		case '\\':
			if i+3 >= len(s) || s[i+1] != 'x' {
				return "", syscall.EINVAL
			}
			var v [1]byte
			if _, err := hex.Decode(v[:], []byte(s[i+2:i+4])); err != nil || v[0] == 0 {
				return "", syscall.EINVAL
			}
			b.WriteByte(v[0])
			i += 3
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// EscapePath turns a path into the part of a unit's name before the suffix,
// "dev-sda" of /dev/sda and "-" of the root, systemd-escape(1) --path. EINVAL: the
// path goes through "..", is ".", or is longer than paths may be.
func EscapePath(p string) (string, error) {
	n, err := normalize(p)
	switch {
	case err != nil:
		return "", err
	case n != "":
		return Escape(n), nil
	case p == "" || p[0] == '/':
		return "-", nil
	}
	return "", syscall.EINVAL // "." is no path from the root
}

// UnescapePath undoes EscapePath; what it returns is absolute. EINVAL: s is not
// what EscapePath returns.
func UnescapePath(s string) (string, error) {
	if s == "-" {
		return "/", nil
	}
	p, err := Unescape(s)
	if err != nil {
		return "", err
	}
	if n, err := normalize("/" + p); err != nil || n != p || p == "" {
		return "", syscall.EINVAL
	}
	return "/" + p, nil
}

// FromPath returns the name of the unit for a path, ".mount" or ".device" being the
// suffix. The end of a name that is too long is a hash in its place. EINVAL as with EscapePath.
func FromPath(p, suffix string) (string, error) {
	e, err := EscapePath(p)
	if err != nil {
		return "", err
	}
	name := e + suffix
	if len(name) < maxName {
		return name, nil
	}
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], SipHash(pathKey, name+"\x00"))
	hash := "_" + hex.EncodeToString(sum[:])
	return name[:maxName-1-len(hash)-len(suffix)] + hash + suffix, nil
}

// pathKey is the key that systemd hashes the names of paths' units with. What it hashes there includes the NUL at the end.
var pathKey = [2]uint64{0x324a3258fb37f2ec, 0x9aeb210d9b069f84}

// normalize takes slashes at the ends, repeated ones, "." components, and ".."
// above an absolute path's root away.
func normalize(p string) (string, error) {
	absolute := strings.HasPrefix(p, "/")
	var b strings.Builder
	for c := range strings.SplitSeq(p, "/") {
		switch {
		case c == "", c == ".", c == ".." && absolute && b.Len() == 0:
			continue
		case c == "..", len(c) > maxComponent:
			return "", syscall.EINVAL
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(c)
	}
	length := b.Len()
	if absolute {
		length++
	}
	if length >= maxPath {
		return "", syscall.EINVAL
	}
	return b.String(), nil
}
