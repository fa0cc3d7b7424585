package json

import (
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// deepest is how deep values may be in each other.
const deepest = 2048

// A parser is where a text is being read.
type parser struct {
	data         []byte
	line, column int
}

// Parse reads a text that is one value. An *Error tells where it cannot be read on.
func Parse(data []byte) (*Value, error) {
	if len(data) == 0 {
		return nil, unix.ENODATA
	}
	p := &parser{data, 1, 1}
	v, err := p.value(deepest)
	if err != nil {
		return nil, err
	}
	p.blanks()
	if len(p.data) > 0 {
		return nil, p.fail()
	}
	return &v, nil
}

func (p *parser) fail() error {
	return &Error{p.line, p.column, "this is no JSON", unix.EINVAL}
}

// advance goes over n bytes of characters without line breaks.
func (p *parser) advance(n int) {
	p.column += utf8.RuneCount(p.data[:n])
	p.data = p.data[n:]
}

func (p *parser) blanks() {
	for len(p.data) > 0 {
		switch p.data[0] {
		case '\n':
			p.line, p.column = p.line+1, 1
			p.data = p.data[1:]
		case ' ', '\t', '\r':
			p.advance(1)
		default:
			return
		}
	}
}

// next is the next character, after blanks; 0 at the end.
func (p *parser) next() byte {
	p.blanks()
	if len(p.data) == 0 {
		return 0
	}
	return p.data[0]
}

func (p *parser) value(depth int) (Value, error) {
	c := p.next()
	v := Value{Line: p.line, Column: p.column}
	switch {
	case depth == 0:
		return v, &Error{p.line, p.column, "values are too deep in each other", unix.ELNRNG}
	case c == '{', c == '[':
		return v, p.inside(&v, c, depth)
	case c == '"':
		v.kind = text
		s, err := p.string()
		v.text = s
		return v, err
	case c == '-', c >= '0' && c <= '9':
		return v, p.number(&v)
	}
	for _, w := range [...]struct {
		word string
		kind kind
	}{{"true", boolean}, {"false", boolean}, {"null", null}} {
		if len(p.data) >= len(w.word) && string(p.data[:len(w.word)]) == w.word {
			v.kind, v.yes = w.kind, w.word == "true"
			p.advance(len(w.word))
			return v, nil
		}
	}
	if c == '}' || c == ']' { // which the reference has read by the time it complains
		p.advance(1)
	}
	return v, p.fail()
}

// inside reads what is in an object or array.
func (p *parser) inside(v *Value, open byte, depth int) error {
	v.kind = array
	end := byte(']')
	if open == '{' {
		v.kind, end = object, '}'
	}
	p.advance(1)
	if p.next() == end {
		p.advance(1)
		return nil
	}
	for {
		if v.kind == object {
			name, err := p.name()
			if err != nil {
				return err
			}
			v.names = append(v.names, name)
		}
		e, err := p.value(depth - 1)
		if err != nil {
			return err
		}
		v.elements = append(v.elements, e)
		switch c := p.next(); c {
		case end:
			p.advance(1)
			return nil
		case ',':
			p.advance(1)
		case '}', ']', ':':
			p.advance(1)
			return p.fail()
		default:
			return p.fail()
		}
	}
}

// name reads the name of a member and the colon behind it.
func (p *parser) name() (string, error) {
	if p.next() != '"' {
		if _, err := p.value(deepest); err != nil {
			return "", err
		}
		return "", p.fail()
	}
	s, err := p.string()
	if err != nil {
		return "", err
	}
	switch p.next() {
	case ':':
		p.advance(1)
		return s, nil
	case ',', '}', ']':
		p.advance(1)
	}
	return "", p.fail()
}

func (p *parser) string() (string, error) {
	var b []byte
	for i := 1; i < len(p.data); {
		c := p.data[i]
		switch {
		case c == '"':
			p.advance(i + 1)
			return string(b), nil
		case c == '\\':
			r, n := escape(p.data[i:])
			if n == 0 {
				return "", p.fail()
			}
			b = utf8.AppendRune(b, r)
			i += n
		case c < ' ':
			return "", p.fail()
		default:
			r, n := utf8.DecodeRune(p.data[i:])
			if r == utf8.RuneError && n <= 1 {
				return "", p.fail()
			}
			b = append(b, p.data[i:i+n]...)
			i += n
		}
	}
	return "", p.fail()
}

// escape is the character that an escape sequence stands for, and how long that is: 0 if it is none.
func escape(s []byte) (rune, int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	unit, ok := codeUnit(s)
	switch {
	case !ok || unit == 0:
		return 0, 0
	case !utf16.IsSurrogate(unit):
		return unit, 6
	}
	low, ok := codeUnit(s[6:])
	if r := utf16.DecodeRune(unit, low); ok && r != utf8.RuneError {
		return r, 12
	}
	return 0, 0
}

// codeUnit is what \u and four digits stand for.
func codeUnit(s []byte) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	return rune(n), err == nil
}

// number reads a number. As the reference's does, it takes the last few of 64 bits for too many.
func (p *parser) number(v *Value) error {
	i, whole := 0, true
	digits := func() bool {
		from := i
		for i < len(p.data) && p.data[i] >= '0' && p.data[i] <= '9' {
			i++
		}
		return i > from
	}
	is := func(chars string) bool {
		for _, c := range []byte(chars) {
			if i < len(p.data) && p.data[i] == c {
				i++
				return true
			}
		}
		return false
	}
	below := is("-")
	if !is("0") && !digits() {
		return p.fail()
	}
	if is(".") {
		if whole = false; !digits() {
			return p.fail()
		}
	}
	if is("eE") {
		whole = false
		is("+-")
		if !digits() {
			return p.fail()
		}
	}
	s := string(p.data[:i])
	p.advance(i)
	if n, err := strconv.ParseInt(s, 10, 64); whole && below && err == nil && n > math.MinInt64/10*10 {
		v.kind, v.negative = negative, n
		if n == 0 {
			v.kind = positive
		}
		return nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); whole && !below && err == nil && n < math.MaxUint64/10*10 {
		v.kind, v.positive = positive, n
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return p.fail()
	}
	v.kind, v.real = real, f
	return nil
}
