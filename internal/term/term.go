// Package term is what people see: log lines, tables, JSON, colours.
//
// Standard output carries what was asked for, standard error messages. There
// is no colour, no glyph beyond ASCII where the locale lacks it, and no ellipsis off a
// terminal. The variables SYSTEMD_COLORS, NO_COLOR, SYSTEMD_UTF8, SYSTEMD_LOG_* and
// COLUMNS are looked at here and nowhere else.
package term

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
)

// An Env is what decides about the looks of the output; nothing is looked at before it is asked for.
type Env struct {
	Getenv func(string) string
	LookUp func(string) (string, bool)
}

// IsTerminal tells whether f is a terminal.
func IsTerminal(f *os.File) bool {
	if f == nil {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Columns is the width of the terminal f, which COLUMNS overrides; 80 if nobody knows.
func Columns(getenv func(string) string, f *os.File) int {
	if n, err := strconv.Atoi(getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f != nil {
		if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 0 {
			return int(ws.Col)
		}
	}
	return 80
}

// UTF8 tells whether characters beyond ASCII may be written. They may, unless the
// locale, locale(7), is said to be "C" or "POSIX" by LC_ALL, LC_CTYPE or LANG, an empty
// one saying that too; without any of them there is no reason not to. SYSTEMD_UTF8 overrides.
func (e Env) UTF8() bool {
	if v, set := e.LookUp("SYSTEMD_UTF8"); set {
		b, _ := unit.Boolean(v)
		return b
	}
	said := false
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} {
		v, set := e.LookUp(name)
		said = said || set
		if v != "" {
			return v != "C" && v != "POSIX"
		}
	}
	return !said
}

// EnglishTime tells whether the locale, locale(7), has the names of months that C has.
func (e Env) EnglishTime() bool {
	for _, name := range [...]string{"LC_ALL", "LC_TIME", "LANG"} {
		if v := e.Getenv(name); v != "" {
			language, _, _ := strings.Cut(v, ".")
			return language == "C" || language == "POSIX" || strings.HasPrefix(language, "en_")
		}
	}
	return true
}

// Emoji tells whether there may be pictures in messages.
func (e Env) Emoji() bool {
	if b, ok := unit.Boolean(e.Getenv("SYSTEMD_EMOJI")); ok {
		return b
	}
	return e.UTF8() && !e.Dumb() && e.Getenv("TERM") != "linux"
}

// URLs tells whether text has links: if that is wanted, or where there are colours.
func (e Env) URLs(colors bool) bool {
	if b, ok := unit.Boolean(e.Getenv("SYSTEMD_URLIFY")); ok {
		return b
	}
	return colors
}

// A Look is what text for people may look like.
type Look struct {
	Width  int  // in columns
	Strict bool // nothing may be wider
	ASCII  bool
	Links  bool
	Colors Colors
}

// Look is the look of what goes to out, through a pager or not. A pager shows lines of any width.
func (e Env) Look(out, errs *os.File, paged bool) Look {
	terminal := IsTerminal(out)
	colors := e.Colors(terminal && IsTerminal(errs))
	return Look{Columns(e.Getenv, out), terminal && !paged, !e.UTF8(), e.URLs(colors.On()), colors}
}

// FileLink makes text a link to a file of a host; a path that is not ASCII is none.
func FileLink(host, path, text string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r >= 0x80 }) {
		return text
	}
	return Link("file://"+host+path, text)
}

// Link makes text a link to an address, OSC 8.
func Link(address, text string) string {
	return "\x1b]8;;" + address + "\x1b\\" + text + "\x1b]8;;\x1b\\"
}
