package sandbox

import (
	"os"
	"strconv"

	"ctl/internal/term"
	"ctl/sandbox/copytree"
)

// announce says what is started, and which keys end it.
func (c *Call) announce(dir string) {
	colors := c.env.Colors(isTerminal(os.Stdout) && isTerminal(os.Stderr))
	link := dir
	if c.env.URLs(colors.On()) {
		host, _ := os.Hostname()
		link = term.FileLink(host, dir, dir)
	}
	grey := colors.Sequence(term.Grey)
	key := func(name string) string { return colors.Sequence(term.Bold) + name }
	shade := func(text string) { c.say(term.Info, "░ "+colors.Paint(term.Grey, text)) }
	shade("Spawning container " + c.Opt.machine + " on " + link + ".")
	if c.interactive {
		shade("Press " + key("Ctrl-]") + grey + " three times within 1s to kill container; two times followed by " + key("r"))
		shade("to reboot container; two times followed by " + key("p") + grey + " to poweroff container.")
	}
}

// progress draws how far a copy is, if that takes long and somebody looks on.
func (c *Call) progress() (draw func(copytree.Progress), end func()) {
	if c.Opt.quiet || c.env.Dumb() || !isTerminal(os.Stderr) {
		return nil, func() {}
	}
	bar := term.NewBar(os.Stderr, c.env, "Copying")
	return func(p copytree.Progress) {
		bar.Draw(p.Bytes, p.TotalBytes, strconv.FormatInt(p.Files, 10)+" files, "+term.Bytes(uint64(p.Bytes)))
	}, bar.Erase
}
