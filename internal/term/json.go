package term

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONMode is how JSON is laid out.
type JSONMode int

const (
	NoJSON JSONMode = iota
	JSON            // one line
	JSONPretty
	JSONSeq // RFC 7464
	JSONSSE // server-sent events
)

// A Value is a JSON value: nil, bool, int, string, []Value or Object.
type Value any

// An Object is a JSON object whose members keep their order.
type Object []Member

// A Member is a name and a value.
type Member struct {
	Name  string
	Value Value
}

// Format writes v in the layout of the reference, its end of line included.
func (m JSONMode) Format(v Value) string {
	var b strings.Builder
	switch m {
	case JSONPretty:
		pretty(&b, v, 0)
	case JSONSeq:
		b.WriteByte(0x1e)
		compact(&b, v)
	case JSONSSE:
		b.WriteString("data: ")
		compact(&b, v)
		b.WriteByte('\n')
	default:
		compact(&b, v)
	}
	b.WriteByte('\n')
	return b.String()
}

func scalar(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case uint64:
		b.WriteString(strconv.FormatUint(v, 10))
	case string:
		quote(b, v)
	}
}

func compact(b *strings.Builder, v Value) {
	switch v := v.(type) {
	case []Value:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			compact(b, e)
		}
		b.WriteByte(']')
	case Object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			quote(b, m.Name)
			b.WriteByte(':')
			compact(b, m.Value)
		}
		b.WriteByte('}')
	default:
		scalar(b, v)
	}
}

func pretty(b *strings.Builder, v Value, depth int) {
	indent := func(n int) {
		b.WriteByte('\n')
		for range n {
			b.WriteByte('\t')
		}
	}
	switch v := v.(type) {
	case []Value:
		if len(v) == 0 {
			b.WriteString("[]")
			return
		}
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			indent(depth + 1)
			pretty(b, e, depth+1)
		}
		indent(depth)
		b.WriteByte(']')
	case Object:
		if len(v) == 0 {
			b.WriteString("{}")
			return
		}
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			indent(depth + 1)
			quote(b, m.Name)
			b.WriteString(" : ")
			pretty(b, m.Value, depth+1)
		}
		indent(depth)
		b.WriteByte('}')
	default:
		scalar(b, v)
	}
}

// quote writes a JSON string, RFC 8259; bytes that are no UTF-8 become U+FFFD.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u00`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		case r == utf8.RuneError:
			b.WriteString("\uFFFD")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}
