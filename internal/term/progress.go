package term

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Bar is a line on a terminal that shows how far something is. It is there only once that has taken barAfter.
type Bar struct {
	out   *os.File
	env   Env
	what  string
	since time.Time
	drawn bool
}

// barAfter is how long people wait without wondering.
const barAfter = 500 * time.Millisecond

// NewBar starts the clock of a bar about what, on the terminal out.
func NewBar(out *os.File, env Env, what string) *Bar {
	return &Bar{out: out, env: env, what: what, since: time.Now()}
}

// Draw shows that done of total is done, about which text has more to say. Where nobody knows the total, 0, there is the text alone.
func (b *Bar) Draw(done, total int64, text string) {
	if time.Since(b.since) < barAfter {
		return
	}
	b.drawn = true
	_, _ = io.WriteString(b.out, "\r"+b.line(done, total, text, Columns(b.env.Getenv, b.out))+"\x1b[K")
}

// Erase leaves the line as if there had been no bar.
func (b *Bar) Erase() {
	if b.drawn {
		_, _ = io.WriteString(b.out, "\r\x1b[K")
		b.drawn = false
	}
}

// line is the bar in so many columns, the last of which stays free: a full line would begin another.
func (b *Bar) line(done, total int64, text string, columns int) string {
	line := b.what
	if total > 0 {
		done = min(done, total)
		percent := strconv.FormatInt(done*100/total, 10)
		text = strings.Repeat(" ", 3-len(percent)) + percent + "%  " + text
		if room := columns - len(line) - len(text) - 3; room >= 10 {
			room = min(room, 40)
			full, empty := "━", "─"
			if !b.env.UTF8() {
				full, empty = "#", "."
			}
			n := int(done * int64(room) / total)
			return line + " " + strings.Repeat(full, n) + strings.Repeat(empty, room-n) + " " + text
		}
	}
	line += " " + text
	return line[:max(0, min(len(line), columns-1))]
}
