package console

// A Look is what the caller's terminal is changed to while the container has it. The zero Look changes nothing.
type Look struct {
	Background string // parameters of SGR, "44" say
	Title      string // of the window
	Mark       string // comes before titles that the payload sets
	Reset      bool   // at the end, whatever the payload has done to the terminal is undone
}

func (l Look) paint() string {
	if l.Background == "" {
		return ""
	}
	return "\x1b[" + l.Background + "m"
}

// welcome is written first.
func (l Look) welcome() string {
	s := l.paint()
	if s != "" {
		s += "\x1b[K"
	}
	if l.Title != "" {
		s += "\x1b[22;2t\x1b]2;" + l.Title + "\x1b\\" // the old one is kept by the terminal
	}
	return s
}

// farewell is written last.
func (l Look) farewell() string {
	s := ""
	if l.Title != "" {
		s = "\x1b[23;2t"
	}
	if l.Reset {
		s += "\x1b[!p\x1b]104\x1b\\\x1b[0m\x1b[?7h\x1b[1G\x1b[0J"
	}
	return s
}
