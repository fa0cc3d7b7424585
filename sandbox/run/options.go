package run

import (
	"path/filepath"

	"ctl/internal/cli"
	"ctl/internal/term"
)

// Options are all options of `ctl run`, in the order of its help.
var Options = [...]cli.Option[Call]{
	{Long: "help", Short: "h", Help: "Show this help", Set: setHelp},
	{Long: "version", Help: "Show package version", Set: setVersion},
	{Long: "no-pager", Help: "Do not start a pager", Set: setNoPager},
	{Long: "quiet", Short: "q", Help: "Say nothing but errors", Set: func(c *Call, _ string) error { c.Opt.quiet = true; return nil }},

	{Group: "Units", Long: "root", Arg: "PATH", Help: "Run what is in this directory tree, with it as the root directory", Set: setRoot},
	{Group: "Units", Long: "system", Help: "Be what the system's manager would be", Set: func(c *Call, _ string) error { c.Opt.scope = system; return nil }},
	{Group: "Units", Long: "user", Help: "Be what a user's manager would be", Set: func(c *Call, _ string) error { c.Opt.scope = user; return nil }},
	{Group: "Units", Long: "with-dependencies", Help: "Run the services and sockets too that these need or want", Set: func(c *Call, _ string) error { c.Opt.dependencies = true; return nil }},

	{Group: "Sandbox", Long: "strict", Help: "Do not start if a setting is unknown, or cannot be had here", Set: func(c *Call, _ string) error { c.Opt.strict = true; return nil }},
	{Group: "Sandbox", Long: "allow-degraded", Help: "Start even if a setting that protects cannot be had here", Set: func(c *Call, _ string) error { c.Opt.degraded = true; return nil }},
	{Group: "Sandbox", Long: "shell", Help: "Run a shell in the service's place", Set: func(c *Call, _ string) error { c.Opt.shell = true; return nil }},
	{Group: "Sandbox", Long: "show", Help: "Show what would be done, and do nothing", Set: func(c *Call, _ string) error { c.Opt.show = true; return nil }},
	{Group: "Sandbox", Long: "output", Short: "o", Arg: "FORMAT", Help: "How to show it: short, json, json-pretty", Set: setOutput},
}

func setHelp(c *Call, _ string) error {
	c.table.ShowHelp(Page(c.Name), c.env, !c.Opt.noPager, c.say)
	return exit(0)
}

// Page is what the help says besides what is in the table, for a program called by that name.
func Page(name string) cli.Page {
	return cli.Page{Synopsis: name + " [OPTION…] UNIT…",
		Abstract: "Run services in the foreground, each in the sandbox that its unit file describes, without systemd.", Manual: "systemd.exec(5)"}
}

func setVersion(c *Call, _ string) error {
	c.print(cli.Version)
	return exit(0)
}

func setNoPager(c *Call, _ string) error { c.Opt.noPager = true; return nil }

func setRoot(c *Call, v string) (err error) {
	c.Opt.root = ""
	if v != "" {
		c.Opt.root, err = filepath.Abs(v)
	}
	if c.Opt.root == "/" {
		c.Opt.root = ""
	}
	return err
}

func setOutput(c *Call, v string) error {
	switch v {
	case "json", "json-short":
		c.Opt.format = term.JSON
	case "json-pretty":
		c.Opt.format = term.JSONPretty
	case "short":
		c.Opt.format = term.NoJSON
	default:
		return cli.Usage("Unknown output format: " + v)
	}
	return nil
}
