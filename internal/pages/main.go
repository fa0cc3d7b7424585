// Pages writes the manual pages and the completions of the shell, made from the tables of the front doors, below a directory such as /usr/share.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ctl/control"
	"ctl/internal/cli"
	"ctl/sandbox"
	"ctl/sandbox/run"
)

// A door is what is made for a front door.
type door struct {
	manual         string // page
	verbs, options []string
}

func doorOf[C any](name string, t cli.Table[C], p cli.Page, see ...string) door {
	d := door{manual: t.Manual(name, p, see...)}
	d.verbs, d.options = t.Words()
	return d
}

func doors() map[string]door {
	return map[string]door{
		"ctl":       doorOf("ctl", cli.Table[control.Call]{Verbs: control.Verbs[:], Options: control.Options[:]}, control.Page("ctl"), "ctl-run(1)", "ctl-spawn(1)"),
		"ctl-run":   doorOf("ctl-run", cli.Table[run.Call]{Options: run.Options[:]}, run.Page("ctl run"), "ctl(1)"),
		"ctl-spawn": doorOf("ctl-spawn", cli.Table[sandbox.Call]{Options: sandbox.Options[:]}, sandbox.Page("ctl spawn"), "ctl(1)"),
	}
}

// completion is for bash(1): options, verbs, and what they may be about.
const completion = `# Completions of ctl for bash, made from its tables.
_ctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} door=ctl verb= words i
	[ "$cur" = = ] && cur=
	case ${COMP_WORDS[1]} in
	run | spawn) [ "$COMP_CWORD" -gt 1 ] && door=${COMP_WORDS[1]} ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*) verb=${COMP_WORDS[i]}; break ;;
		esac
	done
	COMPREPLY=()
	case $door:$cur in
	ctl:-*) words='CTL_OPTIONS' ;;
	run:-*) words='RUN_OPTIONS' ;;
	spawn:-*) words='SPAWN_OPTIONS' ;;
	ctl:*)
		if [ -z "$verb" ]; then
			words='run spawn CTL_VERBS'
		else
			words=$("${COMP_WORDS[0]}" list-unit-files --no-legend --no-pager 2>/dev/null | while read -r unit rest; do echo "$unit"; done)
		fi ;;
	run:*)
		words=$(cd /etc/systemd/system 2>/dev/null && ls -d *.service *.socket 2>/dev/null; cd /usr/lib/systemd/system 2>/dev/null && ls -d *.service *.socket 2>/dev/null)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	spawn:*) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
	COMPREPLY+=($(compgen -W "$words" -- "$cur"))
	case ${COMPREPLY[0]} in
	*=) compopt -o nospace 2>/dev/null ;;
	esac
}
complete -o default -F _ctl ctl
`

func bash(d map[string]door) string {
	join := func(l []string) string { return strings.Join(l, " ") }
	return strings.NewReplacer("CTL_OPTIONS", join(d["ctl"].options), "RUN_OPTIONS", join(d["ctl-run"].options), "SPAWN_OPTIONS", join(d["ctl-spawn"].options),
		"CTL_VERBS", join(d["ctl"].verbs)).Replace(completion)
}

func write(dir string) error {
	all := doors()
	files := map[string]string{"bash-completion/completions/ctl": bash(all)}
	for name, d := range all {
		files["man/man1/"+name+".1"] = d.manual
	}
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pages DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
