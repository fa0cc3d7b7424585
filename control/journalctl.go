package control

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"ctl/internal/term"
)

// callJournalctl has journalctl(1) write what a unit has logged since it was started the last time. What it cannot read is missing.
func (c *Call) callJournalctl(p unitProperties, lines uint64) unitJournal {
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
	if c.Opt.All {
		args = append(args, "--all")
	}
	var namespace []string
	if n := p.text("LogNamespace"); n != "" {
		namespace = []string{"--namespace=+" + n}
	}
	full, columns := "--full", c.width()
	if columns > 0 {
		full = "--no-full"
	}
	j := unitJournal{text: c.journalctl(columns, append(args, full), namespace)}
	for line := range strings.Lines(j.text) {
		j.entries++
		// A line that only just fits counts too.
		j.ellipsized = j.ellipsized || columns > 0 && visibleWidth(strings.TrimSuffix(line, "\n")) >= columns-1
	}
	if j.entries >= lines {
		return j
	}
	first := c.journalctl(0, []string{"--lines=+1", "--output=export", "--output-fields=PRIORITY"}, namespace)
	for line := range strings.Lines(first) {
		if v, ok := strings.CutPrefix(line, "__MONOTONIC_TIMESTAMP="); ok {
			j.first, _ = strconv.ParseUint(strings.TrimSpace(v), 10, 64)
		}
	}
	return j
}

// journalctl is the output of journalctl(1) about this boot.
func (c *Call) journalctl(columns int, args, namespace []string) string {
	args = append(append([]string{"--quiet", "--boot", "--no-pager"}, args...), namespace...)
	cmd := exec.Command("journalctl", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Env = &out, append(os.Environ(), "COLUMNS="+strconv.Itoa(columns))
	if c.Getenv("SYSTEMD_COLORS") == "" {
		colors := "0"
		if c.colors().On() {
			colors = "1"
		}
		cmd.Env = append(cmd.Env, "SYSTEMD_COLORS="+colors)
	}
	_ = cmd.Run()
	return out.String()
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
