package service

import (
	"encoding/base64"
	"slices"
	"strings"

	"ctl/internal/unit"
)

func (l *line) stdinText() {
	if l.value == "" {
		l.exec.StdinData = nil
		return
	}
	text, err := unit.UnescapeC(l.value)
	if err != nil {
		l.warn("Failed to decode C escaped text '" + l.value + "', ignoring: " + strerror(err))
		return
	}
	if s, ok := l.expand(text); ok {
		l.exec.StdinData = append(append(l.exec.StdinData, s...), '\n')
	}
}

func (l *line) stdinData() {
	if l.value == "" {
		l.exec.StdinData = nil
		return
	}
	b, err := decode64(l.value)
	if err != nil {
		l.warn("Failed to decode base64 data, ignoring: " + l.value)
		return
	}
	l.exec.StdinData = append(l.exec.StdinData, b...)
}

// decode64 decodes base64 with blanks in it.
func decode64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
}

func (l *line) stdin() {
	switch l.value {
	case "null", "tty", "tty-force", "tty-fail", "data", "socket":
		l.exec.Stdin = Stdio{Kind: l.value}
		return
	case "fd":
		l.exec.Stdin = Stdio{Kind: "fd", Name: "stdin"}
		return
	}
	if s, ok := l.stream("stdin", "file"); ok {
		l.exec.Stdin = s
	} else {
		l.warn("Failed to parse input specifier, ignoring: " + l.value)
	}
}

func (l *line) output(p *Stdio) {
	stream := "stdout"
	if p == &l.exec.Stderr {
		stream = "stderr"
	}
	switch l.value {
	case "inherit", "null", "tty", "kmsg", "kmsg+console", "journal", "journal+console", "socket":
		*p = Stdio{Kind: l.value}
		return
	case "fd":
		*p = Stdio{Kind: "fd", Name: stream}
		return
	case "syslog", "syslog+console":
		now := "journal" + strings.TrimPrefix(l.value, "syslog")
		l.warn("Standard output type " + l.value + " is obsolete, automatically updating to " + now + ". Please update your unit file, and consider removing the setting altogether.")
		*p = Stdio{Kind: now}
		return
	}
	if s, ok := l.stream(stream, "file", "append", "truncate"); ok {
		*p = s
	} else {
		l.warn("Failed to parse output specifier, ignoring: " + l.value)
	}
}

// stream reads fd:NAME or KIND:PATH. What is wrong with the part behind the colon is noted, and the value is what was there before.
func (l *line) stream(stream string, kinds ...string) (Stdio, bool) {
	before := map[string]Stdio{"stdin": l.exec.Stdin, "stdout": l.exec.Stdout, "stderr": l.exec.Stderr}[stream]
	kind, rest, ok := strings.Cut(l.value, ":")
	if !ok {
		return Stdio{}, false
	}
	s, ok := l.expand(rest)
	switch {
	case kind == "fd" && ok:
		if !validFDName(s) {
			l.warn("Invalid file descriptor name, ignoring: " + s)
			return before, true
		}
		return Stdio{Kind: "fd", Name: s}, true
	case !slices.Contains(kinds, kind):
		return Stdio{}, false
	case !ok:
		return before, true
	}
	if s, ok = l.absolute(s, true); !ok {
		l.err = nil // it is only said so
		return before, true
	}
	return Stdio{Kind: kind, Path: s}, true
}

// validFDName tells whether s may be the name of a descriptor, sd_listen_fds(3).
func validFDName(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return len(s) <= 255
}
