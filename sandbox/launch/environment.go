package launch

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ctl/internal/unit"
	"ctl/sandbox/service"
)

// searchPath is where commands are searched for.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

// An environment is what execve(2) takes: assignments, each name once, the last one counts.
type environment []string

func (e *environment) set(name, value string) { e.assign(name + "=" + value) }

func (e *environment) assign(assignment string) {
	name, _, ok := strings.Cut(assignment, "=")
	if !ok {
		return
	}
	e.unset(name)
	*e = append(*e, assignment)
}

func (e *environment) unset(name string) {
	*e = slices.DeleteFunc(*e, func(a string) bool { return strings.HasPrefix(a, name+"=") })
}

func (e environment) get(name string) (string, bool) {
	for _, a := range e {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v, true
		}
	}
	return "", false
}

// locales are the variables that locale.conf(5) may set.
var locales = [...]string{"LANG", "LANGUAGE", "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", "LC_PAPER", "LC_NAME",
	"LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION"}

// environment is that of a command, but for LISTEN_PID and its kin, which are the child's to know.
func (c *command) environment() error {
	e, s := &c.env, c.s
	if c.h.User {
		*e = slices.Clone(os.Environ())
	} else {
		e.set("PATH", searchPath)
		data, _ := readFile("/etc/locale.conf")
		_ = unit.ParseEnv(data, func(k, v string) {
			if slices.Contains(locales[:], k) && v != "" {
				e.set(k, v)
			}
		})
		if len(*e) == 1 {
			e.set("LANG", "C.UTF-8")
		}
	}
	c.builtins(e)
	if len(s.SearchPath) > 0 {
		e.set("PATH", strings.Join(s.SearchPath, ":"))
	}
	for _, name := range s.PassEnvironment {
		if v, ok := os.LookupEnv(name); ok {
			e.set(name, v)
		}
	}
	for _, a := range s.Environment {
		e.assign(a)
	}
	for _, f := range s.EnvironmentFiles {
		if err := c.environmentFile(f); err != nil {
			return err
		}
	}
	return nil
}

// builtins are what a command is told about itself.
func (c *command) builtins(e *environment) {
	if n := len(c.q.Files); n > 0 {
		e.set("LISTEN_PID", pidPlace)
		if PidfdID(os.Getpid()) != 0 {
			e.set("LISTEN_PIDFDID", pidfdPlace)
		}
		e.set("LISTEN_FDS", strconv.Itoa(n))
		e.set("LISTEN_FDNAMES", strings.Join(c.q.Names, ":"))
	}
	if c.q.Watchdog > 0 {
		e.set("WATCHDOG_PID", pidPlace)
		e.set("WATCHDOG_USEC", strconv.FormatInt(c.q.Watchdog.Microseconds(), 10))
	}
	id := &c.id
	login := id.set || c.s.PAMName != ""
	if c.s.SetLoginEnvironment != nil {
		login = *c.s.SetLoginEnvironment
	}
	if !c.h.User || id.name != "" {
		e.set("USER", cmp.Or(id.name, "root"))
	}
	if login && id.name != "" {
		e.set("LOGNAME", id.name)
		if id.home != "" {
			e.set("HOME", id.home)
		}
		if id.shell != "" {
			e.set("SHELL", id.shell)
		}
	}
	e.set("INVOCATION_ID", c.o.Invocation)
	if c.std.terminal != "" {
		term := "linux"
		if t, ok := os.LookupEnv("TERM"); ok && c.std.terminal == ownTerminal {
			term = t
		} else if !virtualTerminal(c.std.terminal) {
			term = "vt220"
		}
		e.set("TERM", term)
	}
	e.set("SYSTEMD_EXEC_PID", pidPlace)
	if c.sandbox && c.s.PrivateTmp == "disconnected" && c.s.VarTmp() == "no" {
		e.set("TMPDIR", "/tmp") // also for what others have in /var/tmp
	}
	for k := range c.s.Directories {
		var l []string
		for _, d := range c.s.Directories[k].List {
			l = append(l, c.top(service.DirectoryKind(k))+"/"+d.Path)
		}
		slices.Sort(l)
		if len(l) > 0 {
			e.set(directoryKinds[k].variable, strings.Join(l, ":"))
		}
	}
	if c.creds != "" && !c.q.Stopping {
		e.set("CREDENTIALS_DIRECTORY", c.creds)
	}
	if c.q.Notify != "" {
		e.set("NOTIFY_SOCKET", c.mountRequest().NotifySocket())
	}
	for _, a := range c.q.Env {
		e.assign(a)
	}
}

// pidPlace stands for the process ID of the child, which is known when there is a child: it writes it there.
const pidPlace = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// pidfdPlace stands for what tells the child from all other processes there are and will be, which is ours to tell it.
const pidfdPlace = pidPlace + pidPlace

// environmentFile reads what EnvironmentFile= names, with a pattern all files that fit.
func (c *command) environmentFile(f service.Optional) error {
	files := []string{f.Path}
	if strings.ContainsAny(f.Path, "*?[") {
		files, _ = filepath.Glob(f.Path)
		if len(files) == 0 && !f.Optional {
			return &Unready{"Failed to load environment files", unix.ENOENT}
		}
	}
	for _, name := range files {
		data, err := readFile(name)
		if err == nil {
			err = unit.ParseEnv(data, func(k, v string) {
				if validVariable(k) {
					c.env.set(k, v)
				} else {
					c.o.Warn(name + ": " + k + " is no name of a variable, ignoring")
				}
			})
		}
		if err != nil && !f.Optional {
			return &Unready{"Failed to load environment files", err}
		}
	}
	return nil
}

func validVariable(name string) bool {
	for i := range len(name) {
		ch := name[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '_'
		if !letter && (i == 0 || ch < '0' || ch > '9') {
			return false
		}
	}
	return name != ""
}

// withdraw removes what UnsetEnvironment= names.
func (e *environment) withdraw(l []string) {
	for _, u := range l {
		name, _, exact := strings.Cut(u, "=")
		if v, ok := e.get(name); ok && (!exact || u == name+"="+v) {
			e.unset(name)
		}
	}
}

// expand replaces $NAME as a word, which becomes several, or none, and ${NAME} in the words of a command line, systemd.service(5) "Command lines".
// The first word is the program's own name. It returns also the variables that there are not.
func (e environment) expand(argv []string) (l, unset []string) {
	value := func(name string) string {
		v, ok := e.get(name)
		if !ok && !slices.Contains(unset, name) {
			unset = append(unset, name)
		}
		return v
	}
	for i, word := range argv {
		name, whole := strings.CutPrefix(word, "$")
		switch {
		case i == 0:
			l = append(l, word)
		case whole && !strings.HasPrefix(name, "{") && !strings.HasPrefix(name, "$"):
			l = append(l, relaxedWords(value(name))...)
		default:
			l = append(l, replaceVariables(word, value))
		}
	}
	return l, unset
}

// relaxedWords are the words of s, whose last quote need not end.
func relaxedWords(s string) []string {
	for _, end := range [...]string{"", "\"", "'"} {
		if l, err := unit.Words(s+end, unit.Unquote); err == nil {
			return l
		}
	}
	return strings.Fields(s)
}

// replaceVariables replaces ${NAME} and $$ in a word.
func replaceVariables(word string, value func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(word, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		word = rest
		if inner, ok := strings.CutPrefix(rest, "{"); ok {
			if name, after, ok := strings.Cut(inner, "}"); ok {
				b.WriteString(value(name))
				word = after
				continue
			}
		}
		b.WriteByte('$')
		word = strings.TrimPrefix(rest, "$")
	}
}
