package console

import "bytes"

// A filter keeps the terminal in its look while the payload changes colours and titles: the background is set anew where a
// sequence resets it and at each new line, and a title gets the mark before it.
type filter struct {
	look  Look
	state state
	seq   []byte // of the sequence that is being read, without its introducer
}

type state byte

const (
	inText state = iota
	inEscape
	inControl // CSI, \e[
	inCommand // OSC, \e]
	atEnd     // \e in an OSC, which \ ends
)

// longest is how long a sequence may be that is looked at.
const longest = 192

// apply appends what the terminal gets for b.
func (f *filter) apply(out, b []byte) []byte {
	if f.look.Background == "" && f.look.Mark == "" {
		return append(out, b...)
	}
	for _, c := range b {
		out = f.byte(out, c)
	}
	return out
}

func (f *filter) byte(out []byte, c byte) []byte {
	was := f.state
	f.state = inText
	switch was {
	case inText:
		if c == 0x1b {
			f.state = inEscape
		} else if c == '\n' || c == '\r' {
			return f.paint(append(out, c))
		}
	case inEscape:
		f.seq = f.seq[:0]
		switch c {
		case '[':
			f.state = inControl
		case ']':
			f.state = inCommand
		case 'c':
			return f.paint(append(out, c))
		}
	case inControl:
		switch {
		case c >= 0x20 && c <= 0x3f:
			f.collect(c, inControl)
		case c == 'm' && f.look.Background != "" && resetsBackground(f.seq):
			out = append(append(out, ';'), f.look.Background...)
		case c == 'p' && string(f.seq) == "!":
			return f.paint(append(out, c))
		}
	case inCommand:
		switch {
		case c == 0x1b:
			f.state = atEnd
		case c == 0x07:
			return f.title(append(out, c))
		case c >= 0x20:
			f.collect(c, inCommand)
		}
	case atEnd:
		if c == '\\' {
			return f.title(append(out, c))
		}
	}
	return append(out, c)
}

// collect keeps a byte of a sequence, or gives it up when it is too long.
func (f *filter) collect(c byte, s state) {
	if len(f.seq) < longest {
		f.seq = append(f.seq, c)
		f.state = s
	}
}

func (f *filter) paint(out []byte) []byte {
	return append(out, f.look.paint()...)
}

// title says a title that has just been set again, with the mark.
func (f *filter) title(out []byte) []byte {
	if t, ok := bytes.CutPrefix(f.seq, []byte("0;")); ok && f.look.Mark != "" {
		out = append(out, "\x1b]0;"+f.look.Mark+string(t)+"\x1b\\"...)
	}
	return out
}

// resetsBackground tells whether parameters of SGR, \e[…m, leave the terminal its own background.
func resetsBackground(params []byte) bool {
	reset, mode, skip := false, false, 0
	for field := range bytes.SplitSeq(params, []byte{';'}) {
		switch p := string(field); {
		case mode: // the kind of colour after 38, 48 and 58, and how many numbers it has
			mode = false
			switch p {
			case "5":
				skip = 1
			case "2":
				skip = 3
			}
		case skip > 0:
			skip--
		case p == "" || p == "0" || p == "00" || p == "49":
			reset = true
		case p == "38" || p == "58":
			mode = true
		case len(p) == 2 && p >= "40" && p <= "48":
			reset, mode = false, p == "48"
		}
	}
	return reset
}
