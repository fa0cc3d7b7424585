package service

import (
	"slices"
	"strings"
	"syscall"

	"ctl/internal/unit"
)

// Readers of settings that nothing depends on here: these are read to say of them what the manager says.

func (l *line) booleanUnused()  { var b bool; l.boolean(&b) }
func (l *line) unsignedUnused() { var n uint; l.unsigned(&n) }
func (l *line) secondsUnused()  { l.timeSpan("") }
func (l *line) jobTimeout()     { l.timeSpan("parameter") }
func (l *line) unitsUnused()    { l.units(nil) }
func (l *line) textUnused()     { var s string; l.text(&s) }
func (l *line) pathUnused()     { var p string; l.path(&p, false) }

func (l *line) documentation() {
	words, err := unit.Words(l.value, unit.Unquote|unit.RetainEscape)
	if err != nil {
		defer l.bad(err)
	}
	for _, w := range words {
		s, ok := l.expand(w)
		if ok && !documentationURL(s) {
			l.warn("Invalid URL, ignoring: " + s)
		}
	}
}

func documentationURL(s string) bool {
	for _, scheme := range [...]string{"http://", "https://", "file:/", "info:", "man:"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok && rest != "" && cleanUTF8(rest) {
			return true
		}
	}
	return false
}

func (l *line) jobMode() {
	var s string
	l.word(&s, "fail", "lenient", "replace", "replace-irreversibly", "isolate", "flush", "ignore-dependencies", "ignore-requirements",
		"triggering", "restart-dependencies")
}

func (l *line) onFailureIsolate() {
	if _, ok := unit.Boolean(l.value); !ok {
		l.warn("Failed to parse boolean, ignoring: " + l.value)
	}
}

func (l *line) usbFunction() {
	p := ""
	l.path(&p, false)
	if l.key == "USBFunctionStrings" {
		l.given.usbStrings = p != ""
	} else {
		l.given.usbDescriptors = p != ""
	}
}

func (l *line) rebootArgument() {
	s, ok := l.expand(l.value)
	if ok && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		l.warn("Invalid reboot parameter '" + s + "', ignoring.")
	}
}

func (l *line) luoSession() {
	if l.value != "" && (!validFDName(l.value) || strings.ContainsAny(l.value, "\"'")) {
		l.warn("LUO session name contains invalid characters, ignoring: " + l.value)
	}
}

func (l *line) action() {
	if l.key == "SuccessAction" {
		l.given.successAction = l.value != "none"
	}
	if !slices.Contains([]string{"none", "exit", "exit-force", "reboot", "reboot-force", "reboot-immediate", "poweroff", "poweroff-force",
		"poweroff-immediate", "soft-reboot", "soft-reboot-force", "kexec", "kexec-force", "halt", "halt-force", "halt-immediate"}, l.value) {
		l.warn("Failed to parse " + l.key + "=, ignoring: " + l.value)
	}
}

func (l *line) actionStatus() {
	if l.value == "" {
		return
	}
	if _, err := unit.Unsigned(l.value, 8); err != nil {
		l.warn("Failed to parse exit status '" + l.value + "', ignoring: " + strerror(err))
	}
}

func (l *line) syslogFacility() {
	var n *int
	names := []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "", "", "", "",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	if l.value == "" || !l.isNamed(127, names...) {
		l.bad(syscall.EINVAL)
	}
	_ = n
}

func (l *line) logLevel() {
	if l.value == "" || !l.isNamed(7, unit.LogLevels[:]...) {
		l.bad(syscall.EINVAL)
	}
}

// isNamed tells whether the value is one of some names, or a number.
func (l *line) isNamed(high uint64, names ...string) bool {
	n, err := unit.Unsigned(l.value, 32)
	return slices.Contains(names, l.value) || err == nil && n <= high
}

func (l *line) logFilterPatterns() {}

func (l *line) bpfDelegate() {
	if l.value != "" && l.value != "any" {
		for w := range strings.SplitSeq(l.value, ",") {
			_ = w
		}
	}
}

func (l *line) logNamespace() {
	if l.value == "" {
		return
	}
	if s, ok := l.expandBare(l.value); ok && !unit.ValidInstance(s) {
		l.warn("Specified log namespace name is not valid, ignoring: " + s)
	}
}

// quota reads how much a directory may hold: "off", a size, or a share of the file system.
func (l *line) quota() {
	if l.value == "" || l.value == "off" {
		return
	}
	_, err := unit.Size(l.value, 1024)
	if !share(l.value) && err != nil {
		l.warn("Failed to parse disk quota value, ignoring: " + l.value)
	}
}

func (l *line) logExtraFields() {
	words, err := unit.CWords(l.value)
	if err != nil {
		defer l.invalidSyntax()
	}
	for _, w := range words {
		w, ok := l.expandBare(w)
		if !ok {
			continue
		}
		if name, _, ok := strings.Cut(w, "="); !ok {
			l.warn("Log field lacks '=' character, ignoring: " + w)
		} else if name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || name[0] == '_' || name[0] >= '0' && name[0] <= '9' {
			l.warn("Log field name is invalid, ignoring: " + w)
		}
	}
}
