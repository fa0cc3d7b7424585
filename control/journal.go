package control

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"ctl/control/manager"
	"ctl/internal/clock"
	"ctl/internal/term"
)

// A journalReader has journalctl(1) find the last lines that a unit logged, while other things go on.
type journalReader struct {
	cmd     *exec.Cmd
	out     bytes.Buffer
	columns int // beyond which lines are shortened, 0 for none
}

// journalLines is how many lines of a unit's journal are shown.
func (c *Call) journalLines() uint64 {
	switch {
	case c.Opt.Transport != "", c.moreJSON():
		return 0
	case c.Opt.Lines != nil:
		return *c.Opt.Lines
	}
	return 10
}

// startJournal starts reading what a unit has logged since it was started the last time. The result is nil
// if nothing can be read, or nothing is wanted.
func (c *Call) startJournal(p unitProperties) *journalReader {
	lines := c.journalLines()
	if lines == 0 {
		return nil
	}
	kind := "--unit="
	if c.scopeName() == "user" {
		kind = "--user-unit="
	}
	args := []string{kind + p.text("Id"), "--lines=" + decimal64(lines)}
	if since := p.number("InactiveExitTimestamp"); since > 0 {
		const second = 1e6
		args = append(args, "--since=@"+decimal64(since/second)+"."+decimal64(second + since%second)[1:])
	}
	if c.Opt.Output != "" {
		args = append(args, "--output="+c.Opt.Output)
	}
	if n := p.text("LogNamespace"); n != "" {
		args = append(args, "--namespace="+n)
	}
	j := &journalReader{}
	full := "--full"
	if j.columns = c.width(); j.columns > 0 {
		full = "--no-full"
	}
	if !j.start(c, append(args, full)) {
		return nil
	}
	return j
}

// startJournal starts reading what a unit has logged, unless it is clear that there is nothing.
func (w *statusWriter) startJournal(p unitProperties) *journalReader {
	if w.c.journalLines() > 0 && w.c.scopeName() == "system" && p.text("LogNamespace") == "" {
		if w.index == nil {
			w.index = openJournals()
		}
		if !w.index.names(p.text("Id")) {
			return &journalReader{}
		}
	}
	return w.c.startJournal(p)
}

// start starts journalctl(1) for what this boot has logged.
func (j *journalReader) start(c *Call, args []string) bool {
	args = append([]string{"--quiet", "--boot", "--no-pager"}, args...)
	j.cmd = exec.Command("journalctl", args...)
	j.cmd.Stdout, j.cmd.Env = &j.out, append(os.Environ(), "COLUMNS="+strconv.Itoa(j.columns))
	if c.Getenv("SYSTEMD_COLORS") == "" {
		colors := "0"
		if c.colors().On() {
			colors = "1"
		}
		j.cmd.Env = append(j.cmd.Env, "SYSTEMD_COLORS="+colors)
	}
	return j.cmd.Start() == nil
}

// wait returns the lines, and whether some had to be shortened.
func (j *journalReader) wait() (text string, ellipsized bool) {
	if j == nil || j.cmd == nil {
		return "", false
	}
	_ = j.cmd.Wait() // what it could not read is missing, as with the reference
	text = j.out.String()
	for line := range strings.Lines(text) {
		// One that only just fits counts too.
		ellipsized = ellipsized || j.columns > 0 && visibleWidth(strings.TrimSuffix(line, "\n")) >= j.columns-1
	}
	return text, ellipsized
}

// visibleWidth is the width of text of which the colours take none.
func visibleWidth(s string) int {
	n := 0
	for {
		text, rest, found := strings.Cut(s, "\x1b[")
		n += term.Width(text)
		if !found {
			return n
		}
		_, s, _ = strings.Cut(rest, "m")
	}
}

// cancel ends reading what nobody wants.
func (j *journalReader) cancel() {
	if j != nil && j.cmd != nil {
		_ = j.cmd.Process.Kill()
		_ = j.cmd.Wait()
	}
}

// rotated tells whether the journal of this boot begins only after the unit was started.
func (w *statusWriter) rotated(p unitProperties) bool {
	started := p.number("InactiveExitTimestampMonotonic")
	if started == 0 || w.recorded(p) {
		return false
	}
	if w.firstEntry == nil {
		first := w.c.firstEntry()
		w.firstEntry = &first
	}
	return started < *w.firstEntry
}

// recorded tells whether the journal surely reaches back to when the unit was started, without running another
// program: the daemon was there before, and so is the first entry of the file that it writes to.
func (w *statusWriter) recorded(p unitProperties) bool {
	if w.c.scopeName() == "user" || p.text("LogNamespace") != "" {
		return false
	}
	if w.journald == nil {
		// What cannot be asked for is 0.
		daemon, _ := w.m.Property(manager.UnitPath("systemd-journald.service"), manager.UnitInterface, "ActiveEnterTimestampMonotonic")
		since, _ := daemon.Value.(uint64)
		w.journald = &since
	}
	if *w.journald == 0 || *w.journald > p.number("InactiveExitTimestampMonotonic") {
		return false
	}
	files, _ := filepath.Glob("/var/log/journal/*/system.journal") // the pattern is good
	if len(files) == 0 {
		files, _ = filepath.Glob("/run/log/journal/*/system.journal")
	}
	return len(files) == 1 && headEntry(files[0]) <= p.number("InactiveExitTimestamp")
}

// headEntry is when the first entry of a journal file was written, microseconds since 1970, systemd's "Journal
// File Format", head_entry_realtime. It is Infinity if that cannot be read.
func headEntry(file string) uint64 {
	const offset = 184
	f, err := os.Open(file)
	if err != nil {
		return clock.Infinity
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], offset); err != nil {
		return clock.Infinity
	}
	return binary.LittleEndian.Uint64(b[:])
}

// firstEntry is when the first entry of this boot was logged, microseconds since boot, 0 if nobody knows.
func (c *Call) firstEntry() uint64 {
	j := &journalReader{}
	if !j.start(c, []string{"--lines=+1", "--output=export", "--output-fields=PRIORITY"}) {
		return 0
	}
	text, _ := j.wait()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "__MONOTONIC_TIMESTAMP="); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}
