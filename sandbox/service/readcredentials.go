package service

import (
	"path"
	"slices"
	"strings"
	"syscall"

	"ctl/internal/unit"
)

func (l *line) setCredential(encrypted bool) {
	if l.value == "" {
		l.exec.SetCredentials = nil
		return
	}
	name, data, ok := cutEscaped(l.value)
	if !ok || name == "" {
		l.invalidSyntax()
		return
	}
	if name, ok = l.credentialName(name); !ok {
		return
	}
	var value []byte
	if encrypted {
		b, err := decode64(data)
		if err != nil {
			l.warn("Encrypted credential data not valid Base64 data, ignoring: " + strerror(syscall.EINVAL))
			return
		}
		value = b
	} else {
		s, err := unit.UnescapeC(data)
		if err != nil {
			l.warn("Can't unescape \"" + data + "\", ignoring: " + strerror(err))
			return
		}
		value = []byte(s)
	}
	setCredentialIn(&l.exec.SetCredentials, Credential{Name: name, Data: value, Encrypted: encrypted})
}

// setCredentialIn adds a credential, of which a list has one of a name.
func setCredentialIn(list *[]Credential, c Credential) {
	for i := range *list {
		if (*list)[i].Name == c.Name {
			(*list)[i] = c
			return
		}
	}
	*list = append(*list, c)
}

// cutEscaped is strings.Cut at a colon; before it, a backslash goes and the byte after it stays as it is.
func cutEscaped(s string) (before, after string, found bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == ':' {
			return b.String(), s[i+1:], true
		}
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), "", false
}

func (l *line) credentialName(s string) (string, bool) {
	name, err := l.specified(s)
	if err != nil {
		l.warn("Failed to resolve unit specifiers in \"" + s + "\", ignoring: " + strerror(err))
		return "", false
	}
	if !credentialName(name) {
		l.warn("Credential name \"" + name + "\" not valid, ignoring.")
		return "", false
	}
	return name, true
}

// credentialName tells whether s can be the name of a credential: of a file, and of a descriptor.
func credentialName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.Contains(s, "/") && validFDName(s)
}

func (l *line) loadCredential(encrypted bool) {
	if l.value == "" {
		l.exec.LoadCredentials = nil
		return
	}
	name, source, two := cutEscaped(l.value)
	if name == "" || two && source == "" {
		l.invalidSyntax()
		return
	}
	name, ok := l.credentialName(name)
	if !ok {
		return
	}
	if !two {
		source = name
	} else {
		s, err := l.specified(source)
		if err != nil {
			l.warn("Failed to resolve unit specifiers in \"" + source + "\", ignoring: " + strerror(err))
			return
		}
		source = s
	}
	if path.IsAbs(source) && !normalized(source) || !path.IsAbs(source) && !credentialName(source) {
		l.warn("Credential source \"" + source + "\" not valid, ignoring.")
		return
	}
	setCredentialIn(&l.exec.LoadCredentials, Credential{Name: name, Path: source, Encrypted: encrypted})
}

func (l *line) importCredential() {
	if l.value == "" {
		l.exec.ImportCredentials = nil
		return
	}
	pattern, rename, renamed := cutEscaped(l.value)
	s, err := l.specified(pattern)
	if err != nil {
		l.warn("Failed to resolve unit specifiers in \"" + pattern + "\", ignoring: " + strerror(err))
		return
	}
	// One star may stand at the end.
	if plain := strings.TrimSuffix(s, "*"); !credentialName(plain) && s != "*" || strings.ContainsAny(plain, "*?[") {
		l.warn("Credential name or glob \"" + s + "\" not valid, ignoring.")
		return
	}
	if renamed && rename != "" {
		r, ok := l.credentialName(rename)
		if !ok {
			return
		}
		s += ":" + r
	}
	if !slices.Contains(l.exec.ImportCredentials, s) {
		l.exec.ImportCredentials = append(l.exec.ImportCredentials, s)
	}
}
