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
func (m JSONMode) Format(v Value) string { return m.Colored(v, Colors{}) }

// Colored is Format in colours.
func (m JSONMode) Colored(v Value, colors Colors) string {
	b := jsonWriter{colors: colors}
	switch m {
	case JSONPretty:
		b.pretty(v, 0)
	case JSONSeq:
		b.WriteByte(0x1e)
		b.compact(v)
	case JSONSSE:
		b.WriteString("data: ")
		b.compact(v)
		b.WriteByte('\n')
	default:
		b.compact(v)
	}
	b.WriteByte('\n')
	return b.String()
}

// A jsonWriter writes values.
type jsonWriter struct {
	strings.Builder
	colors Colors
}

func (b *jsonWriter) scalar(v Value) {
	switch v := v.(type) {
	case nil:
		b.WriteString(b.colors.Paint(Bold, "null"))
	case bool:
		b.WriteString(b.colors.Paint(Bold, strconv.FormatBool(v)))
	case int:
		b.WriteString(b.colors.Paint(blue, strconv.Itoa(v)))
	case uint64:
		b.WriteString(b.colors.Paint(blue, strconv.FormatUint(v, 10)))
	case string:
		b.quote(v)
	}
}

func (b *jsonWriter) compact(v Value) {
	switch v := v.(type) {
	case []Value:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.compact(e)
		}
		b.WriteByte(']')
	case Object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			b.quote(m.Name)
			b.WriteByte(':')
			b.compact(m.Value)
		}
		b.WriteByte('}')
	default:
		b.scalar(v)
	}
}

func (b *jsonWriter) pretty(v Value, depth int) {
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
			b.pretty(e, depth+1)
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
			b.quote(m.Name)
			b.WriteString(" : ")
			b.pretty(m.Value, depth+1)
		}
		indent(depth)
		b.WriteByte('}')
	default:
		b.scalar(v)
	}
}

// quote writes a JSON string, RFC 8259; bytes that are no UTF-8 become U+FFFD.
func (b *jsonWriter) quote(s string) {
	b.WriteByte('"')
	b.WriteString(b.colors.Sequence(green))
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
	if b.colors.On() {
		b.WriteString(Plain)
	}
	b.WriteByte('"')
}
