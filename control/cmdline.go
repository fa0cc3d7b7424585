package control

import (
	"os"
	"strings"

	"ctl/internal/term"
	"ctl/internal/unit"
)

// noteKernelDefault says when the kernel command line decides what is booted, kernel-command-line(7).
// Another tree than ours is not booted by it.
func (c *Call) noteKernelDefault() {
	if c.Opt.Quiet || c.Opt.Root != "" {
		return
	}
	words, err := unit.Words(c.kernelCmdline(), unit.Unquote|unit.RetainEscape)
	if err != nil {
		c.Log(term.Warning, "Failed to parse kernel command line, ignoring: "+strerror(err))
		return
	}
	found := ""
	for _, w := range words {
		key, value, hasValue := strings.Cut(w, "=")
		switch {
		case key == "systemd.unit" && !hasValue:
			c.Log(term.Warning, "Missing argument for systemd.unit= kernel command line switch, ignoring.")
		case key == "systemd.unit" && !unit.Valid(value, unit.Any):
			c.Log(term.Warning, "Unit name specified on systemd.unit= is not valid, ignoring: "+value)
		case key == "systemd.unit", !hasValue && isRunlevel(key):
			found = key
		}
	}
	if found != "" {
		c.Log(term.Notice, "Note: found \""+found+"\" on the kernel command line, which overrides the default unit.")
	}
}

// isRunlevel: old words for units to boot into.
func isRunlevel(word string) bool {
	switch word {
	case "emergency", "-b", "rescue", "single", "-s", "s", "S", "1", "2", "3", "4", "5":
		return true
	}
	return false
}

// kernelCmdline is what the manager was booted with; in a container, its arguments.
func (c *Call) kernelCmdline() string {
	if v := c.Getenv("SYSTEMD_PROC_CMDLINE"); v != "" {
		return v
	}
	file := "/proc/cmdline"
	if c.Where.Container() != "" {
		file = "/proc/1/cmdline"
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimRight(string(data), "\x00\n"), "\x00", " ")
}
