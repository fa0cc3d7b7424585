package unit

import (
	"bytes"
	"strings"
	"syscall"
)

// EnvFile returns the last value that a file in the syntax of ParseEnv gives to
// name, "" if it gives none.
func EnvFile(data []byte, name string) string {
	value := ""
	_ = ParseEnv(data, func(k, v string) { // an error only ends the file early
		if k == name {
			value = v
		}
	})
	return value
}

// ParseEnv reads a file of NAME=VALUE lines in the subset of shell syntax that
// os-release(5) and machine-info(5) have, and calls visit for each. EBADMSG: there is a NUL
// in it. A name or a value that is not UTF-8 ends the work with a *SyntaxError, EINVAL, whose line
// is counted as the reference does: blank lines and continued ones are not.
func ParseEnv(data []byte, visit func(key, value string)) error {
	if bytes.IndexByte(data, 0) >= 0 {
		return syscall.EBADMSG
	}
	e := envReader{data: data, line: 1}
	for {
		e.skip(blanks)
		if len(e.data) == 0 {
			return nil
		}
		if e.data[0] == '#' || e.data[0] == ';' {
			e.endLine()
			continue
		}
		key, ok := e.key()
		if !ok {
			continue
		}
		value := e.value()
		switch {
		case !cleanUTF8(key):
			return &SyntaxError{e.line, "invalid UTF-8 in key '" + replaceInvalid(key) + "', ignoring.", syscall.EINVAL}
		case !cleanUTF8(value):
			return &SyntaxError{e.line, "invalid UTF-8 value for key " + string(key) + ": '" + replaceInvalid(value) + "', ignoring.", syscall.EINVAL}
		}
		visit(string(key), string(value))
	}
}

type envReader struct {
	data []byte // what is still to be read
	line int
}

const newlines = "\n\r"

func (e *envReader) skip(set string) { e.data = bytes.TrimLeft(e.data, set) }

func (e *envReader) endLine() {
	end := bytes.IndexAny(e.data, newlines)
	if end < 0 {
		e.data = nil
		return
	}
	e.data = e.data[end+1:]
	e.line++
}

// key reads up to the "=" after at least one byte. A line that has none is passed over.
func (e *envReader) key() ([]byte, bool) {
	end := 1 + bytes.IndexAny(e.data[1:], "="+newlines)
	if end == 0 || e.data[end] != '=' {
		e.endLine()
		return nil, false
	}
	key := bytes.TrimRight(e.data[:end], blanks)
	e.data = e.data[end+1:]
	return key, true
}

// value reads quoted pieces, with blanks between them left out, and after these
// what is not quoted up to the end of the line.
func (e *envReader) value() []byte {
	var v []byte
	for {
		e.skip(" \t")
		if len(e.data) == 0 {
			return v
		}
		switch e.data[0] {
		case '\n', '\r':
			e.endLine()
			return v
		case '"':
			v = e.doubleQuoted(v)
		case '\'':
			v = e.singleQuoted(v)
		default:
			return e.unquoted(v)
		}
	}
}

func (e *envReader) singleQuoted(v []byte) []byte {
	inner, rest, _ := bytes.Cut(e.data[1:], []byte("'"))
	e.data = rest
	return append(v, inner...)
}

// doubleQuoted takes the backslash from what the shell needs it for, and with the end of a line.
func (e *envReader) doubleQuoted(v []byte) []byte {
	d := e.data[1:]
	for len(d) > 0 && d[0] != '"' {
		if d[0] == '\\' {
			if d = d[1:]; len(d) == 0 {
				break
			}
			if d[0] == '\n' {
				d = d[1:]
				continue
			}
			if strings.IndexByte("\"\\`$", d[0]) < 0 {
				v = append(v, '\\')
			}
		}
		v = append(v, d[0])
		d = d[1:]
	}
	if len(d) > 0 {
		d = d[1:]
	}
	e.data = d
	return v
}

// unquoted reads the rest of the line, where quotes have no meaning. Blanks at the
// end go, unless a backslash kept the last of them.
func (e *envReader) unquoted(v []byte) []byte {
	kept := len(v) // blanks before this stay
	for len(e.data) > 0 && strings.IndexByte(newlines, e.data[0]) < 0 {
		c := e.data[0]
		e.data = e.data[1:]
		if c == '\\' {
			if len(e.data) > 0 {
				if c, e.data = e.data[0], e.data[1:]; strings.IndexByte(newlines, c) < 0 {
					v = append(v, c)
				}
			}
			kept = len(v)
			continue
		}
		v = append(v, c)
		if strings.IndexByte(blanks, c) < 0 {
			kept = len(v)
		}
	}
	e.endLine()
	return v[:kept]
}
