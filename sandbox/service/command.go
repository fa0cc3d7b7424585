package service

import (
	"path"
	"strings"

	"ctl/internal/unit"
)

// commands reads a value of ExecStart= and its kin, systemd.service(5) "Command lines": one command line, or several with ";" between them.
func (l *line) commands(p *[]Command) {
	if l.value == "" {
		*p = nil
		return
	}
	for s := l.value; s != ""; {
		r := commandReader{line: l, from: s, rest: s}
		c, ok := r.command()
		if !ok {
			return
		}
		if c != nil {
			*p = append(*p, *c)
		}
		s = r.rest
	}
}

// A commandReader reads one command line.
type commandReader struct {
	*line
	from string // where the command line begins
	rest string // what is still to be read of it
	mild bool   // what is wrong with it does not matter
}

// wrong notes what makes the command line none. The unit is not started, unless its failure is to be ignored.
func (r *commandReader) wrong(text, what string) {
	if r.mild {
		r.warn(text + ", ignoring: " + what)
	} else {
		r.refuse(text + ": " + what)
	}
}

// word takes the next word. The caller has seen that there is one.
func (r *commandReader) word() (string, bool) {
	w, rest, err := unit.CWord(r.rest, false)
	if err != nil {
		if w, rest, err = unit.CWord(r.rest, true); err != nil {
			text := "Unbalanced quoting, ignoring: \"" + r.from + "\""
			if r.rest == r.from || r.mild {
				r.warn(text)
			} else {
				r.refuse(text)
			}
			return "", false
		}
		r.warn("Ignoring unknown escape sequences: \"" + w + "\"")
	}
	r.rest = rest
	return w, true
}

// atWord tells whether the text begins with this word, unquoted, and takes it.
func (r *commandReader) atWord(w string) bool {
	after, ok := strings.CutPrefix(r.rest, w)
	if !ok || after != "" && strings.IndexByte(" \t\n\r", after[0]) < 0 {
		return false
	}
	r.rest = strings.TrimLeft(after, " \t\n\r")
	return true
}

// command reads one command line; nil and true if there is none before the next ";".
func (r *commandReader) command() (*Command, bool) {
	first, ok := r.word()
	if !ok {
		return nil, false
	}
	if first == ";" {
		return nil, true
	}
	c := &Command{File: r.file, Line: r.number}
	first, argv0 := r.prefixes(c, first)
	r.mild = c.Flags&IgnoreFailure != 0
	written := first
	first, err := r.specified(written)
	if err != nil {
		r.wrong("Failed to resolve unit specifiers in '"+written+"'", strerror(err))
		return nil, false
	}
	switch {
	case c.Flags&ViaShell != 0:
		c.Path, c.Argv = "/bin/sh", []string{"sh"}
		if argv0 {
			c.Argv[0] = "-sh"
			c.Flags |= LoginShell
		}
		if first != "" {
			c.Argv = append(c.Argv, first)
		}
		argv0 = false
	case !r.checkPath(first):
		return nil, false
	default:
		if c.Path = first; path.IsAbs(first) {
			c.Path = simplified(first)
		}
		if !argv0 {
			c.Argv = []string{first}
		}
	}
	if !r.arguments(c) {
		return nil, false
	}
	if argv0 && (len(c.Argv) == 0 || c.Argv[0] == "") {
		r.wrong("Empty executable name or zeroeth argument", r.from)
		return nil, false
	}
	return c, true
}

// arguments reads the words up to the end or a ";" of its own.
func (r *commandReader) arguments(c *Command) bool {
	for r.rest != "" {
		if r.atWord(";") {
			break
		}
		if r.atWord(`\;`) {
			c.Argv = append(c.Argv, ";")
			continue
		}
		w, ok := r.word()
		if !ok {
			return false
		}
		s, err := r.specified(w)
		if err != nil {
			r.wrong("Failed to resolve unit specifiers in '"+w+"'", strerror(err))
			return false
		}
		c.Argv = append(c.Argv, s)
	}
	return true
}

// prefixes takes the signs before the path, each of which may stand there once. argv0 says that the word after the path is argv[0].
func (r *commandReader) prefixes(c *Command, s string) (rest string, argv0 bool) {
	const privileges = FullyPrivileged | NoSetUID
	old := false // "!!"
	for ; s != ""; s = s[1:] {
		switch {
		case s[0] == '-' && c.Flags&IgnoreFailure == 0:
			c.Flags |= IgnoreFailure
		case s[0] == '@' && !argv0:
			argv0 = true
		case s[0] == ':' && c.Flags&NoExpansion == 0:
			c.Flags |= NoExpansion
		case s[0] == '|' && c.Flags&ViaShell == 0:
			c.Flags |= ViaShell
		case s[0] == '+' && c.Flags&privileges == 0 && !old:
			c.Flags |= FullyPrivileged
		case s[0] == '!' && c.Flags&FullyPrivileged == 0 && !old:
			if c.Flags&NoSetUID == 0 {
				c.Flags |= NoSetUID
				continue
			}
			c.Flags &^= NoSetUID
			old = true
			r.warn("The !! modifier for " + r.key + "= lines is no longer supported and is now ignored. Please update your unit files and remove the modifier.")
		default:
			return s, argv0
		}
	}
	return s, argv0
}

// checkPath refuses what cannot be run.
func (r *commandReader) checkPath(p string) bool {
	base := p[strings.LastIndexByte(p, '/')+1:]
	switch {
	case p == "":
		r.wrong("Empty path in command line", r.from)
	case !safePath(p):
		r.wrong("Executable path contains special characters", p)
	case !path.IsAbs(p) && (base != p || !nameByName(p)):
		r.wrong("Neither a valid executable name nor an absolute path", p)
	case base == "" || base == "." || base == "..":
		r.wrong("Executable path specifies a directory", p)
	default:
		return true
	}
	return false
}

// safePath tells whether a path has nothing in it that means something to a shell's patterns.
func safePath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || strings.IndexByte("*?[\\\"'", c) >= 0 {
			return false
		}
	}
	return true
}

// nameByName tells whether s may be looked for in a search path.
func nameByName(s string) bool {
	return s != "." && s != ".." && len(s) <= 255 && strings.IndexByte("-@:+!|", s[0]) < 0
}
