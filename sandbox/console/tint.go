package console

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ctl/internal/term"
)

// patience is how long a terminal may take to tell its colour.
const patience = 333 * time.Millisecond

// tint returns SGR parameters for the background: blue, about as light as the terminal's own. It returns also what else
// was read meanwhile.
func tint(terminal string, in, out *os.File) (background string, typed []byte) {
	if terminal == "linux" {
		return blue(0), nil // it cannot be asked, and is black
	}
	if !term.IsTerminal(in) {
		return "", nil
	}
	c := Console{}
	c.change(in, func(t *unix.Termios) { t.Lflag &^= unix.ECHO | unix.ICANON })
	defer c.Restore()
	if _, err := out.WriteString("\x1b]11;?\x1b\\"); err != nil {
		return "", nil
	}
	end := time.Now().Add(patience)
	buf := make([]byte, 256)
	for {
		fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
		n, err := again(func() (int, error) { return unix.Poll(fds, int(max(0, time.Until(end)).Milliseconds())) })
		if n == 0 || err != nil {
			return "", typed
		}
		n, err = again(func() (int, error) { return unix.Read(int(in.Fd()), buf) })
		if n == 0 || err != nil {
			return "", typed
		}
		typed = append(typed, buf[:n]...)
		if value, rest, ok := answer(typed); ok {
			return blue(value), rest
		}
	}
}

// answer looks for a terminal's answer in what was read, and returns how light the colour in it is and what is around it.
// An answer that tells no colour is none.
func answer(read []byte) (value float64, rest []byte, ok bool) {
	intro := []byte("\x1b]11;rgb:")
	start := bytes.Index(read, intro)
	if start < 0 {
		return 0, nil, false
	}
	colour := read[start+len(intro):]
	end, length := bytes.IndexByte(colour, 0x07), 1
	if i := bytes.Index(colour, []byte("\x1b\\")); i >= 0 && (end < 0 || i < end) {
		end, length = i, 2
	}
	if end < 0 {
		return 0, nil, false
	}
	for part := range bytes.SplitSeq(colour[:end], []byte{'/'}) {
		n, err := strconv.ParseUint(string(part), 16, 16)
		if err != nil {
			return 0, nil, false
		}
		value = max(value, float64(n)/float64(uint64(1)<<(4*len(part))-1))
	}
	return value, append(read[:start:start], colour[end+length:]...), true
}

// blue is a colour of hue 220: pale where the terminal is light, deep where it is dark, and never quite black.
func blue(value float64) string {
	saturation := 0.75
	if value > 0.5 {
		saturation = 0.25
	}
	value = max(value, 0.2)
	chroma := value * saturation
	grey := value - chroma
	part := func(f float64) int { return int((f + grey) * 255) }
	return fmt.Sprintf("48;2;%d;%d;%d", part(0), part(chroma/3), part(chroma))
}
