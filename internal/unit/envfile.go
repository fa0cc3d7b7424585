package unit

import "strings"

// EnvFile reads a file of NAME=VALUE lines in the subset of shell syntax that
// os-release(5) and machine-info(5) have, and returns the last value of name, "" if there is none.
func EnvFile(data []byte, name string) string {
	value := ""
	for len(data) > 0 {
		var l []byte
		l, data = cutLine(data)
		k, v, ok := strings.Cut(strings.Trim(string(l), blanks), "=")
		if ok && strings.TrimRight(k, blanks) == name {
			value = shellValue(strings.TrimLeft(v, blanks))
		}
	}
	return value
}

// shellValue takes the quotes and backslashes off a value.
func shellValue(v string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == quote && quote != 0:
			quote = 0
		case quote == '\'':
			b.WriteByte(c)
		case quote == '"' && c == '\\':
			if i+1 < len(v) && strings.IndexByte("\"\\`$", v[i+1]) >= 0 {
				i++
				c = v[i]
			}
			b.WriteByte(c)
		case quote == '"':
			b.WriteByte(c)
		case c == '"' || c == '\'':
			quote = c
		case c == '\\':
			if i++; i < len(v) {
				b.WriteByte(v[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
