package unit

import (
	"strings"
	"syscall"
)

// Expand replaces the specifiers of systemd.unit(5) in text. lookup returns what a
// letter stands for; its error ends the work. A "%" that no letter or digit
// follows stays. ENAMETOOLONG: the result has more than max bytes.
func Expand(text string, max int, lookup func(letter byte) (string, error)) (string, error) {
	if strings.IndexByte(text, '%') < 0 {
		if len(text) > max {
			return "", syscall.ENAMETOOLONG
		}
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '%' || i+1 == len(text) || !specifierByte(text[i+1]) {
			b.WriteByte(c)
			continue
		}
		i++
		if text[i] == '%' {
			b.WriteByte('%')
			continue
		}
		if b.Len() > max {
			break // what is too long already is so before a letter is unknown
		}
		v, err := lookup(text[i])
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	if b.Len() > max {
		return "", syscall.ENAMETOOLONG
	}
	return b.String(), nil
}

func specifierByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '%'
}

// NameSpecifier returns what %i, %j, %n, %N and %p say of a unit. Of a template
// with a default instance they speak of that instance.
func NameSpecifier(name, defaultInstance string, letter byte) (value string, ok bool) {
	if KindOf(name) == Template && defaultInstance != "" {
		if n, err := WithInstance(name, defaultInstance); err == nil {
			name = n
		}
	}
	switch letter {
	case 'i':
		return InstanceOf(name), true
	case 'j':
		p := Prefix(name)
		return p[strings.LastIndexByte(p, '-')+1:], true
	case 'n':
		return name, true
	case 'N':
		return name[:strings.LastIndexByte(name, '.')], true
	case 'p':
		return Prefix(name), true
	}
	return "", false
}
