package manager

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"
)

// plainMessage reads a reply or a signal that has nothing unusual in it, to the values that godbus makes of it, in a fraction of
// the time: there are megabytes of them, and godbus asks reflection about each value. It is nil if the message is anything else
// or has any fault; that is then godbus's to judge.
func plainMessage(whole, header []byte, k *kept) *dbus.Message {
	const flags = 7 // those that are defined
	signal := dbus.Type(whole[1]) == dbus.TypeSignal
	if whole[0] != 'l' || !signal && dbus.Type(whole[1]) != dbus.TypeMethodReply || whole[2]&^flags != 0 {
		return nil
	}
	m := &dbus.Message{Type: dbus.Type(whole[1]), Headers: make(map[dbus.HeaderField]dbus.Variant, 3)}
	has := func(code dbus.HeaderField, value any) {
		m.Headers[code] = dbus.MakeVariantWithSignature(value, dbus.Signature{})
	}
	signature, usual := "", true
	complete := eachField(header, binary.LittleEndian, func(code dbus.HeaderField, kind byte, value []byte) {
		switch {
		case code == dbus.FieldReplySerial && kind == 'u' && !signal:
			has(code, binary.LittleEndian.Uint32(value))
		case code == dbus.FieldPath && kind == 'o' && signal:
			has(code, ObjectPath(value))
		case (code == dbus.FieldInterface || code == dbus.FieldMember) && kind == 's' && signal:
			has(code, string(value))
		case code == dbus.FieldSignature && kind == 'g':
			signature = string(value)
		case (code == dbus.FieldSender || code == dbus.FieldDestination) && kind == 's':
		default:
			usual = false
		}
	})
	if signature != "" && !k.right(signature) || !complete || !usual {
		return nil
	}
	if !signal && replyTo(m) == 0 || signal && len(m.Headers) != 3 {
		return nil
	}
	r := reader{text: string(whole[16+(len(header)+7)&^7:]), kept: k}
	for signature != "" && !r.odd {
		var first string
		first, signature = r.single(signature)
		m.Body = append(m.Body, r.value(first, 0))
	}
	if r.odd {
		return nil
	}
	return m
}

// A reader reads the values of a message's body, of which the strings are parts.
type reader struct {
	text string
	at   int
	odd  bool // there was something that is not read here

	*kept
}

// What is kept from one reply to the next.
type kept struct {
	properties []Property          // nobody looks at them any more
	signatures map[string]struct{} // known to be right
}

// single cuts the first type off a signature, without a look at what is in brackets.
func (r *reader) single(s string) (first, rest string) {
	n := 0
	for n < len(s) && s[n] == 'a' {
		n++
	}
	if n == len(s) {
		r.odd = true
		return "", ""
	}
	if s[n] == '(' {
		for depth := 0; n < len(s); n++ {
			switch s[n] {
			case '(':
				depth++
			case ')':
				depth--
			}
			if depth == 0 {
				break
			}
		}
		if n == len(s) {
			r.odd = true
			return "", ""
		}
	}
	return s[:n+1], s[n+1:]
}

// take returns the next n bytes, behind padding to a multiple of align.
func (r *reader) take(n, align int) string {
	from := (r.at + align - 1) &^ (align - 1)
	if r.odd || n < 0 || from > len(r.text) || n > len(r.text)-from {
		r.odd = true
		return strings.Repeat("\x00", min(max(n, 0), 8))
	}
	r.at = from + n
	return r.text[from:r.at]
}

func (r *reader) uint32() uint32 {
	b := r.take(4, 4)
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func (r *reader) uint64() uint64 {
	b := r.take(8, 8)
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func (r *reader) string() string {
	n := int(r.uint32())
	s := r.take(n, 1)
	r.take(1, 1) // the NUL
	return s
}

func (r *reader) bytes() []byte { return []byte(r.take(int(r.uint32()), 1)) }

// value reads a value of one type, of which the signature is known to have a first letter if nothing was odd.
func (r *reader) value(s string, depth int) any {
	const deepest = 16
	if r.odd || depth > deepest {
		r.odd = true
		return nil
	}
	switch s[0] {
	case 'y':
		return r.take(1, 1)[0]
	case 'b':
		n := r.uint32()
		r.odd = r.odd || n > 1
		return n == 1
	case 'q':
		b := r.take(2, 2)
		return uint16(b[0]) | uint16(b[1])<<8
	case 'i':
		return int32(r.uint32())
	case 'u':
		return r.uint32()
	case 'x':
		return int64(r.uint64())
	case 't':
		return r.uint64()
	case 'd':
		return math.Float64frombits(r.uint64())
	case 's':
		return r.string()
	case 'o':
		return ObjectPath(r.string())
	case 'v':
		return dbus.MakeVariantWithSignature(r.variant(depth), dbus.Signature{})
	case '(':
		r.take(0, 8)
		l := make([]any, 0, len(s)-2)
		for s = s[1 : len(s)-1]; s != "" && !r.odd; {
			var first string
			first, s = r.single(s)
			l = append(l, r.value(first, depth+1))
		}
		r.odd = r.odd || len(l) == 0
		return l
	case 'a':
		return r.array(s[1:], depth+1)
	}
	r.odd = true
	return nil
}

// variant reads the value in a variant.
func (r *reader) variant(depth int) any {
	of := r.take(int(r.take(1, 1)[0]), 1)
	r.take(1, 1) // the NUL
	first, rest := r.single(of)
	if len(of) > 1 && !r.right(of) || rest != "" {
		r.odd = true
	}
	return r.value(first, depth+1)
}

// right tells whether a signature is one.
func (k *kept) right(signature string) bool {
	_, known := k.signatures[signature]
	if known {
		return true
	}
	if _, err := dbus.ParseSignature(signature); err != nil {
		return false
	}
	if k.signatures == nil {
		k.signatures = make(map[string]struct{})
	}
	k.signatures[strings.Clone(signature)] = struct{}{}
	return true
}

// allProperties reads the reply to GetAll, of n bytes: most of what is ever read.
func (r *reader) allProperties(n int) []Property {
	l := r.kept.properties
	if r.kept.properties = nil; l == nil {
		const usual = 40 // bytes of a property
		l = make([]Property, 0, min(max(n, 0), len(r.text))/usual)
	}
	return list(r, n, 8, l, func() Property {
		r.take(0, 8)
		name := r.string()
		return checked(name, r.variant(2))
	})
}

// unitSignature is what units are listed as.
const unitSignature = "(ssssssouso)"

// unit reads a unit of a list. One whose strings are no text is odd.
func (r *reader) unit() Unit {
	r.take(0, 8)
	text := func() string {
		s := r.string()
		r.odd = r.odd || !utf8.ValidString(s)
		return s
	}
	return Unit{ID: text(), Description: text(), LoadState: text(), ActiveState: text(), Sub: text(), Following: text(),
		Path: ObjectPath(r.string()), JobID: r.uint32(), JobType: text(), JobPath: ObjectPath(r.string())}
}

// array reads an array of values of one type.
func (r *reader) array(of string, depth int) any {
	if of == "y" {
		return r.bytes()
	}
	n := int(r.uint32())
	switch {
	case of == "(sv)" && depth == 1:
		return r.allProperties(n)
	case of == unitSignature && depth == 1:
		return list(r, n, 8, make([]Unit, 0, min(max(n, 0), len(r.text))/128), r.unit)
	}
	if of == "ay" {
		return elements(r, n, 4, r.bytes)
	}
	switch of[0] {
	case 'u':
		return elements(r, n, 4, r.uint32)
	case 'i':
		return elements(r, n, 4, func() int32 { return int32(r.uint32()) })
	case 't':
		return elements(r, n, 8, r.uint64)
	case 's':
		return elements(r, n, 4, r.string)
	case 'o':
		return elements(r, n, 4, func() ObjectPath { return ObjectPath(r.string()) })
	case '(':
		return elements(r, n, 8, func() []any {
			l, _ := r.value(of, depth).([]any)
			return l
		})
	}
	r.odd = true
	return nil
}

// elements reads the elements of an array of n bytes.
func elements[T any](r *reader, n, align int, one func() T) []T {
	return list(r, n, align, make([]T, 0, min(max(n, 0), len(r.text))/64+1), one)
}

// list is elements that puts them into l.
func list[T any](r *reader, n, align int, l []T, one func() T) []T {
	r.take(0, align)
	if n < 0 || n > len(r.text)-r.at {
		r.odd = true
		return nil
	}
	end := r.at + n
	for r.at < end && !r.odd {
		l = append(l, one())
	}
	r.odd = r.odd || r.at != end
	return l
}
