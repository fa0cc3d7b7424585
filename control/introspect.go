package control

import (
	"ctl/internal/cli"
	"ctl/internal/term"
)

// introspect is the table as JSON, for tools that complete or check command lines.
func introspect() string {
	t := cli.Table[Call]{Verbs: Verbs[:], Options: Options[:]}
	var commands []term.Value
	for i := range personalities {
		p := &personalities[i]
		compat := cli.Table[compatCall]{Options: p.options}
		commands = append(commands, compat.Introspection(p.name, "systemd", "262", p.abstract, p.postscript()))
	}
	commands = append(commands, t.Introspection("systemctl", "systemd", "262", "Query or send control commands to the system manager.", ""))
	return term.JSON.Format(term.Object{
		{Name: "mediaType", Value: "application/vnd.io.systemd.cli-introspection-0"},
		{Name: "commands", Value: commands},
	})
}
